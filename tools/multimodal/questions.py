"""Questions about pictures of shapes, with the data set's own split by picture."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable

from multimodal.packages import PackageStore
from multimodal.parts import share_of
from multimodal.samples import SetWriter

OF_A_PICTURE = 3  # questions: two whose answer is open and one of yes or no, where there are so many
TINY = 12  # pictures


def build(writer: SetWriter, store: PackageStore, say: Callable[[str], None], tiny: bool) -> None:
    """Writes train, selection (a tenth of the pictures that the data set trains on) and test.

    Trained on is one conversation a picture: several answers for one reading of it. The others ask one question a sample.
    """
    data = store("easy-vqa") / "easy_vqa/data"
    for split in ("train", "test"):
        asked: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for question, answer, picture in json.loads((data / split / "questions.json").read_text()):
            asked[picture].append((question, answer))
        pictures = sorted(asked)[:TINY] if tiny else sorted(asked)
        for picture in pictures:
            file = f"{split}/{picture}.png"
            writer.place(file).write_bytes((data / split / "images" / f"{picture}.png").read_bytes())
            key = f"{split} {picture}"
            part = "selection" if split == "train" and share_of(key) < (0.3 if tiny else 0.1) else split
            turns = [(question.capitalize(), answer) for question, answer in chosen(asked[picture], key)]
            if part == "train":
                writer.talk(part, file, turns, [key])
            else:
                for question, answer in turns:
                    writer.picture(part, file, question, answer, [key])
    say("questions copied")
    writer.check_disjoint(["train", "selection", "test"])


def chosen(asked: list[tuple[str, str]], key: str) -> list[tuple[str, str]]:
    """Some of a picture's questions, the open ones first."""
    ordered = sorted(asked, key=lambda pair: share_of(f"{key} {pair[0]}"))
    closed = [pair for pair in ordered if pair[1] in ("yes", "no")]
    open_ones = [pair for pair in ordered if pair[1] not in ("yes", "no")][: OF_A_PICTURE - 1]
    return open_ones + closed[: OF_A_PICTURE - len(open_ones)]
