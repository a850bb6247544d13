"""Pictures of a colour font: OpenType's tables cmap, CBLC and CBDT."""

from __future__ import annotations

import struct
from pathlib import Path


def read_pictures(path: Path) -> dict[int, bytes]:
    """The PNG file of each code point that has a glyph of its own."""
    font = path.read_bytes()
    tables = {}
    for i in range(struct.unpack_from(">H", font, 4)[0]):
        tag, _, offset, length = struct.unpack_from(">4sIII", font, 12 + 16 * i)
        tables[tag] = font[offset : offset + length]
    glyphs = bitmaps(tables[b"CBLC"], tables[b"CBDT"])
    return {code: glyphs[glyph] for code, glyph in characters(tables[b"cmap"]).items() if glyph in glyphs}


def characters(cmap: bytes) -> dict[int, int]:
    """Code point -> glyph, from the subtable of format 12."""
    for i in range(struct.unpack_from(">H", cmap, 2)[0]):
        start = struct.unpack_from(">I", cmap, 8 + 8 * i)[0]
        if struct.unpack_from(">H", cmap, start)[0] != 12:
            continue
        count = struct.unpack_from(">I", cmap, start + 12)[0]
        groups = [struct.unpack_from(">III", cmap, start + 16 + 12 * group) for group in range(count)]
        return {code: glyph + code - first for first, last, glyph in groups for code in range(first, last + 1)}
    return {}


def bitmaps(cblc: bytes, cbdt: bytes) -> dict[int, bytes]:
    """Glyph -> PNG file, of the first size, which index subtables of format 1 describe."""
    found = {}
    array, _, count = struct.unpack_from(">III", cblc, 8)
    for i in range(count):
        first, last, more = struct.unpack_from(">HHI", cblc, array + 8 * i)
        index_format, image_format, data = struct.unpack_from(">HHI", cblc, array + more)
        if index_format != 1 or image_format not in (17, 18):
            continue
        metrics = 5 if image_format == 17 else 8
        for glyph in range(first, last + 1):
            at = array + more + 8 + 4 * (glyph - first)
            begin, end = struct.unpack_from(">II", cblc, at)
            if end == begin:
                continue
            size = struct.unpack_from(">I", cbdt, data + begin + metrics)[0]
            picture = data + begin + metrics + 4
            found[glyph] = cbdt[picture : picture + size]
    return found
