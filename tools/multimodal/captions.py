"""Captions of Tux Paint's stamps, spoken by people in nine languages, two of which are never trained on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from multimodal import sound
from multimodal.packages import PackageStore
from multimodal.parts import Groups, part_of
from multimodal.prompts import sentence
from multimodal.samples import SetWriter

LANGUAGES = ("be", "bg", "da", "es", "fr", "ro", "ru")
UNSEEN = ("ca", "el")
SELECTION, TEST = 0.08, 0.22
SECONDS_OF_A_CHARACTER = (0.03, 0.5)  # outside, a recording is not its caption's, which was edited after it


def build(writer: SetWriter, store: PackageStore, say: Callable[[str], None], tiny: bool) -> None:
    """Writes train, selection, test and test_language."""
    folder = store("tuxpaint-stamps-default") / "usr/share/tuxpaint/stamps"
    stamps = caption_groups(folder)
    left_out = 0
    for language in LANGUAGES + UNSEEN:
        for file in sorted(folder.rglob(f"*_desc_{language}.ogg")):
            stamp = file.with_name(file.name.removesuffix(f"_desc_{language}.ogg"))
            text = read_captions(stamp.with_name(stamp.name + ".txt")).get(language, "")
            place = str(stamp.relative_to(folder))
            seconds = sound.seconds_of_vorbis(file)
            low, high = (bound * len(text) for bound in SECONDS_OF_A_CHARACTER)
            if not text or not sound.is_usable(seconds) or not low <= seconds <= high + 1.0:
                left_out += 1
                continue
            group = str(stamps.root(place))
            part = "test_language" if language in UNSEEN else part_of(group, SELECTION, TEST)
            name = f"{language}/{place.replace('/', '-')}.ogg"
            shutil.copyfile(file, writer.place(name))
            keys = [group, f"{language}: {sentence(text)}"]
            more = {"language": language, "voice": f"tuxpaint-{language}"}
            writer.clip(part, name, sound.WRITE_DOWN, text, keys, seconds, **more)
    say(f"captions copied; {left_out} recordings without a caption that fits are left out")
    writer.check_disjoint(["train", "selection", "test"])


def caption_groups(folder: Path) -> Groups:
    """Joins stamps that have a caption in common, in whatever language."""
    groups = Groups()
    for file in sorted(folder.rglob("*.txt")):
        place = str(file.relative_to(folder).with_suffix(""))
        for language, text in read_captions(file).items():
            if language in LANGUAGES + UNSEEN + ("en",):
                groups.join([place, f"{language}: {sentence(text)}"])
    return groups


def read_captions(file: Path) -> dict[str, str]:
    """Language -> caption; the first line is English."""
    if not file.exists():
        return {}
    first, *rest = file.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    captions = {"en": " ".join(first.split())}
    for line in rest:
        language, equals, text = line.partition(".utf8=")
        if equals:
            captions[language] = " ".join(text.split())
    return captions
