"""Traditional and simplified, character for character: a converted text is as long as before, so offsets stay true."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

Script = Literal["keep", "simplified", "traditional"]


@cache
def _converter(direction: str) -> Any:
    import opencc  # loads its dictionaries; most books need none

    return opencc.OpenCC(direction)


def is_traditional(text: str) -> bool:
    """Is a book written in traditional characters? (by the commonest that differ)"""
    sample = text[:200_000]
    traditional = sum(sample.count(c) for c in "說説們這來個時會為與對問見聽")
    return traditional > sum(sample.count(c) for c in "说们这来个时会为与对问见听")


def convert(text: str, direction: Literal["t2s", "s2t"]) -> str:
    """Text of the same length in the other script; where a phrase would change length, character by character."""
    converter = _converter(direction)
    lines = []
    for line in text.split("\n"):
        new = converter.convert(line)
        lines.append(new if len(new) == len(line) else "".join(_one(converter, c) for c in line))
    return "\n".join(lines)


def _one(converter: Any, character: str) -> str:
    new: str = converter.convert(character)
    return new if len(new) == 1 else character
