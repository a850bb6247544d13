"""The parts of a set, such that nothing that is the same lies in two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable


def share_of(key: str) -> float:
    """A number in [0, 1) that depends on the key alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64


def part_of(key: str, selection: float, test: float) -> str:
    """train, selection or test, by these shares of the last two."""
    share = share_of(key)
    if share < test:
        return "test"
    return "selection" if share < test + selection else "train"


class Groups:
    """Joins things that must lie in one part: those that share a key, directly or by way of others."""

    def __init__(self) -> None:
        self.parent: dict[Hashable, Hashable] = {}

    def join(self, keys: Iterable[Hashable]) -> None:
        roots = sorted({self.root(key) for key in keys}, key=repr)
        for root in roots[1:]:
            self.parent[root] = roots[0]

    def root(self, key: Hashable) -> Hashable:
        self.parent.setdefault(key, key)
        while self.parent[key] != key:
            self.parent[key] = self.parent[self.parent[key]]
            key = self.parent[key]
        return key
