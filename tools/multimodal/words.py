"""Strings of spoken digits, letters and names of days: recorded words joined with gaps, a voice a string."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from multimodal import asterisk, sound
from multimodal.espeak import Speaker
from multimodal.packages import ASTERISK_LANGUAGES, PackageGone, PackageStore
from multimodal.samples import SetWriter

if TYPE_CHECKING:
    import numpy as np

STRINGS = {"train": 6000, "selection": 300, "test": 900, "test_voices": 900}
GAPS = (0.05, 0.25)  # seconds of silence between words
SPEEDS = {"train": (0.92, 1.0, 1.08)}  # in other parts words are as they were recorded
QUESTION = "Which words are said?"

# eSpeak NG's voices beside the people.
SPOKEN = ["m1", "m3", "m7", "f1", "f3"]
UNSEEN_SPOKEN = ["m4", "f4"]
LETTERS_OF = ("de", "en", "es", "fr", "it", "ru")  # KLettres


@dataclass
class Voice:
    name: str
    language: str
    words: dict[str, np.ndarray]  # word -> samples at 16 kHz, without silence around them
    spoken: dict[tuple[str, float], np.ndarray] = field(default_factory=dict)

    def at_speed(self, word: str, speed: float) -> np.ndarray:
        if (word, speed) not in self.spoken:
            self.spoken[word, speed] = sound.resample(self.words[word], sound.RATE, sound.RATE, speed)
        return self.spoken[word, speed]


def build(writer: SetWriter, store: PackageStore, say: Callable[[str], None], tiny: bool) -> None:
    """Writes train, selection, test (other strings of the same voices), these three in English alone, and test_voices."""
    for library in ("numpy", "av"):
        store.library(library)
    vocabulary: dict[str, dict[str, str]] = {}
    voices, unseen = [], []
    for language in ASTERISK_LANGUAGES:
        voices += gathered(say, lambda language=language: asterisk_voice(store, language, vocabulary))
    voices += gathered(say, lambda: letters(store, LETTERS_OF))
    unseen += gathered(say, lambda: letters(store, ("en_GB",)))
    for package, language, form in (
        ("asterisk-prompt-it-menardi-wav", "it", "wav"),
        ("asterisk-prompt-fr-armelle", "fr", "gsm"),
        ("asterisk-prompt-es-co", "es", "gsm"),
    ):
        words = vocabulary.get(language, {})
        unseen += gathered(say, lambda args=(package, language, form, words): other_voice(store, *args))
    voices += gathered(say, lambda: spoken(store, vocabulary, SPOKEN))
    unseen += gathered(say, lambda: spoken(store, vocabulary, UNSEEN_SPOKEN))
    say(f"{sum(len(voice.words) for voice in voices + unseen)} words of {len(voices)} + {len(unseen)} voices")
    used: set[str] = set()
    for part, count in STRINGS.items():
        strings(writer, part, unseen if part == "test_voices" else voices, count, used, say)
    writer.add_english()
    writer.check_disjoint(["train", "selection", "test"])


def gathered(say: Callable[[str], None], voices: Callable[[], list[Voice]]) -> list[Voice]:
    try:
        return [voice for voice in voices() if len(voice.words) >= 8]
    except PackageGone as gone:
        say(f"SKIPPED voices: {gone}")
        return []


def strings(
    writer: SetWriter, part: str, voices: list[Voice], count: int, used: set[str], say: Callable[[str], None]
) -> None:
    """Strings of two to six words; none that a part before has in that language."""
    draw = random.Random(f"words {part}")
    made = tries = 0
    while voices and made < count and tries < 20 * count:
        tries += 1
        voice = draw.choice(voices)
        chosen = [draw.choice(sorted(voice.words)) for _ in range(draw.randint(2, 6))]
        key = f"{voice.language}: {' '.join(chosen)}"
        if key in used:
            continue
        used.add(key)
        samples = joined(voice, chosen, draw, SPEEDS.get(part, (1.0,)))
        if not sound.is_usable(len(samples) / sound.RATE):
            continue
        name = f"{part}/{made}.flac"
        seconds = sound.write(writer.place(name), samples)
        more = {"language": voice.language, "voice": voice.name}
        writer.clip(part, name, QUESTION, " ".join(chosen), [key], seconds, **more)
        made += 1
        if made % 1000 == 0:
            say(f"{made} of {count} strings of {part} written")


def joined(voice: Voice, words: list[str], draw: random.Random, speeds: tuple[float, ...]) -> np.ndarray:
    import numpy as np

    speed = draw.choice(speeds)
    pieces = []
    for word in words:
        pieces.append(np.zeros(int(draw.uniform(*GAPS) * sound.RATE)))
        pieces.append(voice.at_speed(word, speed))
    pieces.append(np.zeros(int(GAPS[1] * sound.RATE)))
    return sound.levelled(np.concatenate(pieces))


def asterisk_voice(store: PackageStore, language: str, vocabulary: dict[str, dict[str, str]]) -> list[Voice]:
    """Digits, days, months and letters. Notes in `vocabulary` which prompt says which word."""
    folder = asterisk.recordings(store, language)
    listed = {
        prompt: text.casefold().strip(".")
        for prompt, text in asterisk.texts(store, language).items()
        if re.fullmatch(r"(digits/(\d+|day-\d|mon-\d+|hundred|thousand)|letters/.)", prompt)
    }
    vocabulary[language] = {prompt: text for prompt, text in listed.items() if re.fullmatch(r"\w+", text)}
    words = {
        text: word_in(folder / f"{prompt}.g722", "g722")
        for prompt, text in vocabulary[language].items()
        if (folder / f"{prompt}.g722").exists()
    }
    return [Voice(f"asterisk-{language}", language, without_empty(words))]


def other_voice(store: PackageStore, package: str, language: str, form: str, words: dict[str, str]) -> list[Voice]:
    """Another person's prompts under the same names."""
    folder = store(package) / "usr/share/asterisk/sounds"
    found = {}
    for prompt, text in words.items():
        file = next(iter(sorted(folder.glob(f"*/{prompt}.{form}"))), None)
        if file is not None:
            found[text] = word_in(file, form)
    return [Voice(package, language, without_empty(found))]


def letters(store: PackageStore, languages: tuple[str, ...]) -> list[Voice]:
    folder = store("klettres-data") / "usr/share/klettres"
    voices = []
    for language in languages:
        listed = folder / language / "sounds.xml"
        if not listed.exists():
            continue
        words = {}
        for entry in ElementTree.parse(listed).getroot().iter("sound"):
            file = folder / entry.get("file", "")
            name = entry.get("name", "").casefold()
            if "/alpha/" in str(file) and file.exists() and re.fullmatch(r"\w", name):
                words[name] = word_in(file)
        voices.append(Voice(f"klettres-{language}", language.split("_")[0], without_empty(words)))
    return voices


def spoken(store: PackageStore, vocabulary: dict[str, dict[str, str]], kinds: list[str]) -> list[Voice]:
    """The same words by eSpeak NG."""
    speaker = Speaker(store)
    words: dict[tuple[str, str], dict[str, np.ndarray]] = defaultdict(dict)
    for language, listed in sorted(vocabulary.items()):
        for kind in kinds:
            for text in listed.values():
                samples = speaker.speak(f"{language}+{kind}", text)
                words[language, kind][text] = prepared(samples, speaker.rate)
    return [
        Voice(f"espeak-{language}-{kind}", language, without_empty(found)) for (language, kind), found in words.items()
    ]


def word_in(file: Path, form: str | None = None) -> np.ndarray:
    return prepared(*sound.decode(file, form))


def prepared(samples: np.ndarray, rate: int) -> np.ndarray:
    word = sound.trimmed(samples, rate)
    return sound.levelled(sound.resample(word, rate, sound.RATE)) if len(word) else word


def without_empty(words: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {word: samples for word, samples in words.items() if len(samples) > sound.RATE // 20}
