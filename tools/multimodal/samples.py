"""Samples as chats in JSON Lines, files beside them, and counts of what was written."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class SetWriter:
    """Collects a set's samples by part. finish() checks them and writes PART.jsonl beside their files."""

    folder: Path
    parts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    keys: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    files: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    names: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: Counter[str] = field(default_factory=Counter)

    def place(self, file: str) -> Path:
        """The path of a file to be written."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def picture(self, part: str, file: str, question: str, answer: str, keys: list[str], **more: str) -> None:
        """keys: the thing that is the same in samples which may not lie in two parts."""
        self._add(part, "images", "image", file, question, answer, keys, more)

    def talk(self, part: str, file: str, turns: list[tuple[str, str]], keys: list[str]) -> None:
        """A conversation about one picture: questions with their answers."""
        messages = [
            message
            for question, answer in turns
            for message in ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
        ]
        messages[0]["content"] = [{"type": "image"}, {"type": "text", "text": turns[0][0]}]
        self.parts[part].append(json.dumps({"messages": messages, "images": [file]}, ensure_ascii=False))
        self.keys[part].update(keys)
        self.files[part].add(file)
        self.names[part].update(answer for _, answer in turns)

    def clip(
        self, part: str, file: str, question: str, answer: str, keys: list[str], seconds: float, **more: str
    ) -> None:
        self._add(part, "audio", "audio", file, question, answer, keys, more)
        self.seconds[part] += seconds

    def text(self, part: str, text: str) -> None:
        self.parts[part].append(json.dumps({"text": text}, ensure_ascii=False))
        self.keys[part].add(text)

    def _add(
        self,
        part: str,
        media: str,
        kind: str,
        file: str,
        question: str,
        answer: str,
        keys: list[str],
        more: dict[str, str],
    ) -> None:
        content = [{"type": kind}, {"type": "text", "text": question}]
        sample = {
            "messages": [{"role": "user", "content": content}, {"role": "assistant", "content": answer}],
            media: [file],
            **more,
        }
        self.parts[part].append(json.dumps(sample, ensure_ascii=False))
        self.keys[part].update(keys)
        self.files[part].add(file)
        self.names[part].add(answer)

    def add_english(self) -> None:
        """Lists the English samples of train, selection and test once more, as parts of their own."""
        for part in ("train", "selection", "test"):
            for line in self.parts[part]:
                sample = json.loads(line)
                if sample["language"] == "en":
                    self.parts[f"{part}_english"].append(line)
                    self.files[f"{part}_english"].update(sample["audio"])
                    self.names[f"{part}_english"].add(sample["messages"][-1]["content"])

    def finish(self) -> dict[str, dict[str, int | float]]:
        """Writes the parts and returns their counts."""
        counts = {}
        for part, lines in sorted(self.parts.items()):
            text = "".join(line + "\n" for line in lines)
            (self.folder / f"{part}.jsonl").write_text(text, encoding="utf-8")
            counts[part] = {"samples": len(lines), "files": len(self.files[part]), "answers": len(self.names[part])}
            if self.seconds[part]:
                counts[part]["minutes"] = round(self.seconds[part] / 60, 1)
        return counts

    def check_disjoint(self, parts: list[str]) -> None:
        """Throws if two of the parts share a key."""
        for i, one in enumerate(parts):
            for other in parts[i + 1 :]:
                shared = self.keys[one] & self.keys[other]
                if shared:
                    raise AssertionError(f"{one} and {other} share {sorted(shared)[:3]}")
