"""A sentence → its words and what each means to be seen; what somebody chose otherwise stays chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .lexicon import Entry, Lexicon

SURE = 3
"""Characters from which on a word of the lexicon is taken wherever it stands; shorter ones only where a word ends there: 马 in 骑马, not
in 马上."""
_DEED_OR_COUNT = re.compile(
    "[骑喝吃画看养放有像拿举抱牵赶斟煮端敲打吹弹钓捉喂]|[一二两三四五六七八九十几数半百千][只匹头条碗杯盘碟个朵棵株枝群对把张口座幅件面片]?"
)
"""What may be written together with a word of one character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sense:
    """A word of the sentence that is in the lexicon."""

    at: int
    word: str
    entry: Entry
    """What it means here."""
    others: tuple[Entry, ...] = ()
    """What else it can mean."""


def senses(text: str, lexicon: Lexicon, chosen: Mapping[str, str] | None = None) -> list[Sense]:
    """The words of a sentence that are in the lexicon, in order, the longest first; none inside another.

    Args:
        chosen: word → the `seen` of the sense that somebody has chosen for it.
    """
    bounds, behind = _bounds(text)
    found, at = [], 0
    while at < len(text):
        word = next(
            (
                text[at : at + size]
                for size in range(min(lexicon.longest, len(text) - at), 0, -1)
                if text[at : at + size] in lexicon.senses
                and (size >= SURE or {at, at + size} <= bounds or (size == 1 and at + 1 in behind))
            ),
            "",
        )
        if word:
            found.append(_sense(text, at, word, lexicon, (chosen or {}).get(word, "")))
        at += len(word) or 1
    return found


def _sense(text: str, at: int, word: str, lexicon: Lexicon, chosen: str) -> Sense:
    some = lexicon.senses[word]
    rest = text[:at] + text[at + len(word) :]
    entry = next(
        (one for one in some if one.seen == chosen),
        max(some, key=lambda one: (sum(near in rest for near in one.near), not one.near)),
    )
    others = tuple(one for one in some if one is not entry)
    return Sense(at=at, word=word, entry=entry, others=others)


def _bounds(text: str) -> tuple[set[int], set[int]]:
    """Where words begin and end; and where those end that are a deed or a count with what it is of: 骑马, 一碗水."""
    import rjieba  # its dictionary takes a tenth of a second

    bounds, behind, at = {0}, set(), 0
    for word in rjieba.cut(text):
        at += len(word)
        bounds.add(at)
        if _DEED_OR_COUNT.fullmatch(word[:-1]):
            behind.add(at)
    return bounds, behind
