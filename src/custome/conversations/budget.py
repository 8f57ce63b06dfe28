"""What a model is shown, in parts that can be looked at, and how much of a conversation fits beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..types import Request


@dataclass(frozen=True, kw_only=True)
class Part:
    """A piece of a prompt."""

    title: str
    text: str
    tokens: int
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A request, with the parts it was made of."""

    request: Request
    parts: tuple[Part, ...]
    left_out: int = 0
    """Turns at the beginning that did not fit."""
    own: tuple[str, ...] = field(default_factory=tuple)
    """The character's own lines that are shown; a reply should not simply be one of them."""

    @property
    def tokens(self) -> int:
        return sum(part.tokens for part in self.parts)


def newest_that_fit(newest_first: Iterable[Part], room: int) -> list[Part]:
    """The last turns that take at most `room` tokens together, oldest first; the very last one whatever it takes.

    Args:
        newest_first: turns; those behind the first that does not fit are never made.
    """
    fitting: list[Part] = []
    for turn in newest_first:
        room -= turn.tokens
        if fitting and room < 0:
            break
        fitting.insert(0, turn)
    return fitting
