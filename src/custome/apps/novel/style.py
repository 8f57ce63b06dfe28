"""How a book is written, in figures, and the same figures of one's own text beside them (拆书)."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .prose import Style, book_grams, copied, distinct, letters, repeated, sentences, speech_share

FUNCTION = tuple("之乎者也而乃遂且与以于其曰矣吾汝此何无不的了着是在他她我你说道这那个把被就还没")
"""Characters that carry grammar and a time's voice, not a story."""
SMOOTH = 0.3
"""Added to times in a thousand letters before they are divided."""
MANNERS = 8
"""Function characters that are told of a book."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A text in figures; shares are of its letters."""

    letters: int
    sentence: float
    """Median letters of a sentence."""
    speech: float
    """Share that somebody says."""
    distinct: float
    """Different pairs of characters in the first thousand."""
    repeated: float
    """Share of ten characters in a row that stand there more than once."""
    function: Mapping[str, float]
    """Function character → times in a thousand letters."""

    def manners(self) -> list[str]:
        """The function characters it uses most."""
        return sorted(FUNCTION, key=lambda one: -self.function[one])[:MANNERS]


def card(text: str) -> Card:
    plain = letters(text)
    counts = Counter(plain)
    sizes = [len(letters(one)) for one in sentences(text)] or [0]
    return Card(
        letters=len(plain),
        sentence=statistics.median(sizes),
        speech=speech_share(text),
        distinct=distinct(text),
        repeated=repeated(text[:3_000]),
        function={one: 1_000 * counts[one] / max(1, len(plain)) for one in FUNCTION},
    )


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """One's own text beside a book."""

    delta: float
    """Burrows's Delta of its first 3,000 letters; some 0.8 for a piece of the book itself, 1.8 for another time's prose."""
    copied: float
    """Share of twelve characters in a row that stand in the book."""


def likeness(text: str, book: str) -> Likeness:
    return Likeness(
        delta=Style(book).delta(letters(text)[:3_000]), copied=copied(text, book_grams(book))
    )


@dataclass(frozen=True, kw_only=True)
class Manner:
    """What a novelist knows of the book it learnt from."""

    favours: Mapping[str, float]
    """Function character → how much more often than in plain words it stands there: the logarithm of the ratio."""
    people: frozenset[str] = frozenset()
    """Names that must not come into another story."""

    def of(self, text: str) -> float:
        """How much a text is in its manner, a letter; 0 for plain words, above for the book's."""
        plain = letters(text)
        return sum(self.favours.get(letter, 0.0) for letter in plain) / max(1, len(plain))


def manner(book: str, plain: str, people: Collection[str]) -> Manner:
    """Of a book, against plain words about the same things."""
    mine, other = card(book).function, card(plain).function
    return Manner(
        favours={one: math.log((mine[one] + SMOOTH) / (other[one] + SMOOTH)) for one in FUNCTION},
        people=frozenset(name for name in people if len(name) > 1),
    )
