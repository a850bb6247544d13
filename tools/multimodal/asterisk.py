"""Asterisk's core prompts: which file says what, in five languages."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from multimodal.packages import PackageStore

SPECIAL = ("digits", "letters", "phonetic", "silence")


def texts(store: PackageStore, language: str) -> dict[str, str]:
    """Prompt -> its text ("digits/7": "seven"), without those that say more or other than the text."""
    name = f"asterisk-core-sounds-{language}"
    listed = store(name) / f"usr/share/doc/{name}/core-sounds-{language}.txt.gz"
    found = {}
    for line in gzip.decompress(listed.read_bytes()).decode("utf-8-sig").splitlines():
        prompt, colon, text = line.partition(":")
        text = " ".join(text.split())
        if colon and not line.startswith(";") and text and not re.search(r"[\[\](){}<>@*_=/]|\.\.\.", text):
            found[prompt.strip()] = text
    return found


def recordings(store: PackageStore, language: str) -> Path:
    """The folder of the language's recordings: 16 kHz, G.722."""
    folder = store(f"asterisk-core-sounds-{language}-g722") / "usr/share/asterisk/sounds"
    return next(path for path in sorted(folder.iterdir()) if path.is_dir())


def is_special(prompt: str) -> bool:
    return prompt.split("/")[0] in SPECIAL
