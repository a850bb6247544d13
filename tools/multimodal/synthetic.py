"""English captions that eSpeak NG speaks, with voices and accents of which some are never trained on."""

from __future__ import annotations

from collections.abc import Callable

from multimodal import sound
from multimodal.captions import SELECTION, TEST, caption_groups, read_captions
from multimodal.espeak import Speaker
from multimodal.packages import PackageStore
from multimodal.parts import part_of, share_of
from multimodal.prompts import sentence
from multimodal.samples import SetWriter

VOICES = [f"{accent}+{kind}" for accent in ("en", "en-us") for kind in ("m1", "m3", "m7", "f1", "f2", "f3")]
UNSEEN_VOICES = ["en-gb-scotland+m2", "en-029+m4", "en-gb-x-gbclan+f4", "en-gb-x-gbcwmd+f5"]
SPEEDS = range(130, 191)  # words a minute


def build(writer: SetWriter, store: PackageStore, say: Callable[[str], None], tiny: bool) -> None:
    """Writes train, selection, test and test_voices; the captions' parts are those of the spoken ones."""
    for library in ("numpy", "av"):
        store.library(library)
    folder = store("tuxpaint-stamps-default") / "usr/share/tuxpaint/stamps"
    speaker = Speaker(store)
    groups = caption_groups(folder)
    texts = {}
    for file in sorted(folder.rglob("*.txt")):
        text = read_captions(file).get("en", "")
        if len(sentence(text)) > 2:
            texts.setdefault(sentence(text), (text, str(groups.root(str(file.relative_to(folder).with_suffix(""))))))
    for number, (text, group) in enumerate(texts.values()):
        part = part_of(group, SELECTION, TEST)
        speak(writer, speaker, part, VOICES, text, group, number)
        if part == "train":
            speak(writer, speaker, part, VOICES[::-1], text, group, number)
        if part == "test":
            speak(writer, speaker, "test_voices", UNSEEN_VOICES, text, group, number)
        if (number + 1) % 250 == 0:
            say(f"{number + 1} of {len(texts)} captions spoken")
    writer.check_disjoint(["train", "selection", "test"])


def speak(
    writer: SetWriter, speaker: Speaker, part: str, voices: list[str], text: str, group: str, number: int
) -> None:
    voice = voices[int(share_of(f"voice {text}") * len(voices))]
    speed = SPEEDS[int(share_of(f"speed {voice} {text}") * len(SPEEDS))]
    samples = speaker.speak(voice, text, speed)
    if not sound.is_usable(len(samples) / speaker.rate):
        return
    name = f"{voice}/{number}.flac"
    seconds = sound.write(writer.place(name), samples, speaker.rate)
    writer.clip(part, name, sound.WRITE_DOWN, text, [group], seconds, language="en", voice=voice)
