"""Dice that depend on the seed, the turn and what they are thrown for, and on nothing else: to undo and do it again throws the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


def die(seed: int, turn: int, label: str, number: int = 0) -> int:
    """1 to 6."""
    digest = hashlib.sha256(f"{seed}\0{turn}\0{label}\0{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 6 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """Two dice and what is added, against what is needed."""

    label: str
    dice: tuple[int, int]
    bonus: int
    needed: int
    skill: str = ""

    @property
    def total(self) -> int:
        return sum(self.dice) + self.bonus

    @property
    def success(self) -> bool:
        return self.total >= self.needed

    def __str__(self) -> str:
        first, second = self.dice
        named = f"{self.skill} {self.bonus} + " if self.skill else ""
        return f"{named}骰 {first}+{second} = {self.total} {'≥' if self.success else '<'} {self.needed}"


def throw(seed: int, turn: int, label: str, bonus: int, needed: int, skill: str = "") -> Roll:
    dice = die(seed, turn, label, 0), die(seed, turn, label, 1)
    return Roll(label=label, dice=dice, bonus=bonus, needed=needed, skill=skill)
