"""A document's text cut into pieces that are found and shown: whole sentences, under the headings they stand below.

A chunk is a stretch of the text, so a citation opens the text there. Sentences are not cut where it can be helped, a row of a
table and a question with its answer never.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

TARGET = 300
"""Characters of a chunk: 300 to 400 found most of what four novels were asked within the room of a prompt (docs/log.md)."""
LONGEST = 450
"""A chunk ends in the middle of a sentence only where the sentence alone is longer than this."""
_SENTENCE = re.compile(r"[^。！？!?；;…\n]*(?:[。！？!?；;…]+[”’」』）)]*|\n+|$)")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a document something begins."""

    start: int
    """Offset in its text."""
    heading: tuple[str, ...] = ()
    """The headings it stands below, the outermost first."""
    page: int = 0
    """Page, slide or sheet, from 1; 0 where there are none."""
    whole: bool = False
    """Is what follows, up to the next place, kept in one piece: a row of a table, a question with its answer?"""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A stretch of a document."""

    start: int
    end: int
    heading: tuple[str, ...]
    page: int


def chunks(text: str, places: Sequence[Place]) -> list[Chunk]:
    """The pieces of a text, in order.

    Args:
        places: where sections, pages and rows begin, in order; the text before the first has neither.
    """
    found: list[Chunk] = []
    bounds = [*places, Place(start=len(text))]
    if not places or places[0].start:
        bounds.insert(0, Place(start=0))
    for here, following in zip(bounds, bounds[1:], strict=False):
        pieces = (
            [(here.start, following.start)]
            if here.whole and following.start - here.start <= LONGEST
            else _packed(text, here.start, following.start)
        )
        for start, end in pieces:
            begin, stop = _stripped(text, start, end)
            if stop > begin:
                found.append(Chunk(start=begin, end=stop, heading=here.heading, page=here.page))
    return _joined(found)


def _packed(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Sentences put together up to TARGET characters."""
    pieces: list[tuple[int, int]] = []
    begin = at = start
    while at < end:
        match = _SENTENCE.match(text, at, end)
        stop = max(at + 1, match.end() if match else end)
        if stop - begin > TARGET and at > begin:
            pieces.append((begin, at))
            begin = at
        while stop - begin > LONGEST:
            pieces.append((begin, begin + TARGET))
            begin += TARGET
        at = stop
    if begin < end:
        pieces.append((begin, end))
    return pieces


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), end - (len(inside) - len(inside.rstrip()))


def _joined(found: Sequence[Chunk]) -> list[Chunk]:
    """Short neighbours below the same headings on the same page, such as the rows of a table, as one."""
    joined: list[Chunk] = []
    for one in found:
        last = joined[-1] if joined else None
        if (
            last is not None
            and (last.heading, last.page) == (one.heading, one.page)
            and one.end - last.start <= TARGET
        ):
            joined[-1] = Chunk(start=last.start, end=one.end, heading=one.heading, page=one.page)
        else:
            joined.append(one)
    return joined


def place_of(places: Sequence[Place], offset: int) -> Place:
    """Where an offset stands."""
    number = bisect_right([one.start for one in places], offset) - 1
    return places[number] if number >= 0 else Place(start=0)
