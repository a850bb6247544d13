"""The readable text of an HTML page: paragraphs and code blocks, without navigation. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

Attributes = dict[str, str]
Predicate = Callable[[str, Attributes], bool]

VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
BLOCKS = frozenset(
    "p div section li dt dd h1 h2 h3 h4 h5 h6 pre blockquote table tr ul ol dl figure aside caption"
    .split()
)
CELLS = frozenset(("td", "th"))
SILENT = frozenset(("script", "style", "head"))


def has_class(attributes: Attributes, *names: str) -> bool:
    return not set(names).isdisjoint(attributes.get("class", "").split())


def extract(page: str, is_body: Predicate, is_dropped: Predicate) -> str:
    """The text inside the first element for which is_body(tag, attributes) holds, less the elements
    for which is_dropped holds. Blocks are parted by an empty line; inside <pre> all space stays."""
    parser = _TextParser(is_body, is_dropped)
    parser.feed(page)
    parser.close()
    if parser.open_tags:
        raise ValueError(f"unclosed elements: {' '.join(parser.open_tags)}")
    if not parser.blocks:
        raise ValueError("no text found")
    return "\n\n".join(parser.blocks) + "\n"


class _TextParser(HTMLParser):
    def __init__(self, is_body: Predicate, is_dropped: Predicate) -> None:
        super().__init__(convert_charrefs=True)
        self.is_body, self.is_dropped = is_body, is_dropped
        self.open_tags: list[str] = []
        # Depth of the body, dropped or <pre> element that we are in; 0: in none.
        self.body_depth = self.dropped_depth = self.pre_depth = 0
        self.body_seen = False
        self.text: list[str] = []
        self.blocks: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        if tag in VOID:
            if tag == "br":
                self.handle_data("\n")
            return
        self.open_tags.append(tag)
        depth = len(self.open_tags)
        if not self.body_seen and self.is_body(tag, attributes):
            self.body_depth, self.body_seen = depth, True
        if not self.dropped_depth and (tag in SILENT or self.is_dropped(tag, attributes)):
            self.dropped_depth = depth
        if tag in BLOCKS:
            self._end_block()
        if tag == "pre" and not self.pre_depth:
            self.pre_depth = depth

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open_tags or self.open_tags[-1] != tag:
            raise ValueError(f"</{tag}> closes nothing at line {self.getpos()[0]}")
        if tag in BLOCKS:
            self._end_block()
        elif tag in CELLS:
            self.handle_data(" ")
        depth = len(self.open_tags)
        self.open_tags.pop()
        self.pre_depth = 0 if self.pre_depth == depth else self.pre_depth
        self.dropped_depth = 0 if self.dropped_depth == depth else self.dropped_depth
        self.body_depth = 0 if self.body_depth == depth else self.body_depth

    def handle_data(self, data: str) -> None:
        if self.body_depth and not self.dropped_depth:
            self.text.append(data)

    def _end_block(self) -> None:
        text = "".join(self.text)
        self.text.clear()
        text = text.strip("\n").rstrip() if self.pre_depth else re.sub(r"\s+", " ", text).strip()
        if text:
            self.blocks.append(text)
