"""Passages of the books that tools/fetch_assets.py makes, so that text stands beside pictures and speech as samples of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from multimodal.packages import PackageGone, PackageStore
from multimodal.parts import part_of
from multimodal.samples import SetWriter

ASSETS = Path(__file__).resolve().parents[2] / "build" / "assets"
TRAINED, OTHER = "debian-handbook.jsonl", "python-doc.jsonl"
LONGEST = 1000  # characters: about 230 tokens
SELECTION, TEST = 0.1, 0.2
TINY = 12  # passages of a book


def build(writer: SetWriter, store: PackageStore, say: Callable[[str], None], tiny: bool) -> None:
    """Writes train, selection and test of one book, and test_python of the other. The packages are fetch_assets.py's."""
    for book in (TRAINED, OTHER):
        for i, text in enumerate(passages(book)):
            if tiny and i == TINY:
                break
            part = part_of(text, SELECTION, TEST) if book == TRAINED else "test_python"
            writer.text(part, text)
    say("passages cut")
    writer.check_disjoint(["train", "selection", "test", "test_python"])


def passages(book: str) -> Iterator[str]:
    """Paragraphs in a row, at most LONGEST characters, each passage once. A longer paragraph is a passage of its own."""
    file = ASSETS / book
    if not file.exists():
        raise PackageGone(f"{file}: run tools/fetch_assets.py first")
    seen = set()
    for line in file.read_text(encoding="utf-8").splitlines():
        for passage in joined(json.loads(line)["text"].split("\n\n")):
            if passage not in seen:
                seen.add(passage)
                yield passage


def joined(paragraphs: list[str]) -> Iterator[str]:
    together = ""
    for paragraph in paragraphs:
        if together and len(together) + len(paragraph) > LONGEST:
            yield together
            together = ""
        together += ("\n\n" if together else "") + paragraph
    if together:
        yield together
