"""Prompts of telephone systems that five people speak, and English clips of others that are never trained on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from multimodal import asterisk, sound
from multimodal.packages import ASTERISK_LANGUAGES, PackageGone, PackageStore
from multimodal.parts import Groups, part_of
from multimodal.samples import SetWriter

SELECTION, TEST = 0.1, 0.3
NOISES = {"test_noise_10db": 10.0, "test_noise_0db": 0.0}


def build(writer: SetWriter, store: PackageStore, say: Callable[[str], None], tiny: bool) -> None:
    """Writes train, selection, test, these three in English alone, test with noise, test_librivox and test_cards.

    tiny: the English clips of others alone, as training, selection and test.
    """
    others(writer, store, tiny)
    if tiny:
        writer.add_english()
        return
    store.library("numpy")
    store.library("av")
    spoken = {}
    for language in ASTERISK_LANGUAGES:
        try:
            folder, texts = asterisk.recordings(store, language), asterisk.texts(store, language)
        except PackageGone as gone:
            say(f"SKIPPED {language}: {gone}")
            continue
        for prompt, text in texts.items():
            file = folder / f"{prompt}.g722"
            if not asterisk.is_special(prompt) and file.exists():
                spoken[language, prompt] = (text, file)
    groups = Groups()
    for (language, prompt), (text, _) in spoken.items():
        # A prompt is one sentence in five languages, and some sentences are two prompts.
        groups.join([prompt, f"{language}: {sentence(text)}"])
    for number, ((language, prompt), (text, file)) in enumerate(sorted(spoken.items())):
        add(writer, language, prompt, text, file, str(groups.root(prompt)))
        if (number + 1) % 250 == 0:
            say(f"{number + 1} of {len(spoken)} prompts written")
    writer.add_english()
    writer.check_disjoint(["train", "selection", "test", "test_librivox", "test_cards"])


def add(writer: SetWriter, language: str, prompt: str, text: str, file: Path, group: str) -> None:
    samples, rate = sound.decode(file, "g722")
    if not sound.is_usable(len(samples) / rate):
        return
    part = part_of(group, SELECTION, TEST)
    name = f"{language}/{prompt.replace('/', '-')}.flac"
    keys = [group, f"{language}: {sentence(text)}"]
    seconds = sound.write(writer.place(name), samples, rate)
    writer.clip(part, name, sound.WRITE_DOWN, text, keys, seconds, language=language, voice=f"asterisk-{language}")
    if part != "test" or language != "en":
        return
    for noise_part, decibels in NOISES.items():
        mixed = sound.noisy(samples, decibels, len(samples))
        name = f"{noise_part}/{prompt.replace('/', '-')}.flac"
        sound.write(writer.place(name), mixed, rate)
        writer.clip(noise_part, name, sound.WRITE_DOWN, text, [], seconds, language=language)


def others(writer: SetWriter, store: PackageStore, tiny: bool) -> None:
    """Sentences of a LibriVox reader and names of playing cards."""
    folder = store("pocketsphinx-testdata") / "usr/share/pocketsphinx/test/data"
    number = 0
    for kind, listed in (("librivox", "librivox/transcription"), ("cards", "cards/cards.transcription")):
        for line in (folder / listed).read_text().splitlines():
            match = re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip())
            if match is None:
                continue
            text, file = " ".join(match[1].split()), folder / kind / f"{match[2]}.wav"
            part = ("train", "train", "selection", "test")[number % 4] if tiny else f"test_{kind}"
            number += 1
            name = f"{kind}/{file.name}"
            shutil.copyfile(file, writer.place(name))
            seconds = sound.seconds_of_wave(file)
            keys = [f"en: {sentence(text)}"]
            writer.clip(part, name, sound.WRITE_DOWN, text, keys, seconds, language="en", voice=kind)


def sentence(text: str) -> str:
    """A text's words alone, by which two texts are the same."""
    return " ".join(re.sub(r"[^\w]+", " ", text.casefold()).split())
