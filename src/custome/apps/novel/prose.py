"""Figures of prose that need no judge: does it say what was planned, does it repeat itself, whose style is it, is it copied.

Every figure of a chapter is compared with the same figure of real novels (docs/log.md). Pure functions of texts.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

FREQUENT = 150
"""Characters whose frequencies are somebody's style."""
WINDOW = 3_000
"""Characters of a text whose style can be told; frequencies of shorter ones are noise."""
COPIED = 12
"""Characters in a row that are copied, not written anew."""
_SENTENCE = re.compile(r"[^。！？!?…]+[。！？!?…]*[”’」』]*")
_SPEECH = re.compile(r"“[^”]*”|「[^」]*」")


def letters(text: str) -> str:
    """Letters and digits, without marks and blanks."""
    return "".join(letter for letter in text if letter.isalnum())


def sentences(text: str) -> list[str]:
    return [one for match in _SENTENCE.finditer(text) if (one := match.group().strip())]


def coverage(text: str, words: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> float:
    """Share of words that stand in a text, names by whatever name; 1 for no words.

    Args:
        aliases: name → what else its bearer is called.
    """
    if not words:
        return 1.0
    return sum(any(one in text for one in (word, *aliases.get(word, ()))) for word in words) / len(
        words
    )


def distinct(text: str, n: int = 2, most: int = 1_000) -> float:
    """Different n-grams of all n-grams in the first `most` letters."""
    grams = _grams(letters(text)[:most], n)
    return len(set(grams)) / len(grams) if grams else 1.0


def repeated(text: str, n: int = 10) -> float:
    """Share of n-grams that stand there more than once."""
    grams = _grams(letters(text), n)
    counts = Counter(grams)
    return sum(counts[gram] > 1 for gram in grams) / len(grams) if grams else 0.0


def repeated_sentences(text: str, shortest: int = 6) -> float:
    """Share of sentences, of at least so many letters, that stand there more than once."""
    every = [bare for one in sentences(text) if len(bare := letters(one)) >= shortest]
    counts = Counter(every)
    return sum(counts[one] > 1 for one in every) / len(every) if every else 0.0


def copied(text: str, grams: Collection[str], n: int = COPIED) -> float:
    """Share of a text's n-grams that stand in a book.

    Args:
        grams: n-grams of the book: `book_grams`.
    """
    mine = _grams(letters(text), n)
    return sum(gram in grams for gram in mine) / len(mine) if mine else 0.0


def book_grams(book: str, n: int = COPIED) -> frozenset[str]:
    return frozenset(_grams(letters(book), n))


def speech_share(text: str) -> float:
    """Share of letters that are said by somebody."""
    whole = len(letters(text))
    return sum(len(letters(said)) for said in _SPEECH.findall(text)) / whole if whole else 0.0


def _grams(text: str, n: int) -> list[str]:
    return [text[at : at + n] for at in range(len(text) - n + 1)]


class Style:
    """How a book uses the characters that everybody uses: Burrows's Delta, over its own windows.

    Source: J. Burrows, 'Delta': a measure of stylistic difference, 2002.
    """

    def __init__(self, book: str) -> None:
        plain = letters(book)
        self._frequent = [letter for letter, _ in Counter(plain).most_common(FREQUENT)]
        windows = [
            self._shares(plain[at : at + WINDOW])
            for at in range(0, max(1, len(plain) - WINDOW + 1), WINDOW)
        ]
        self._mean = [statistics.fmean(column) for column in zip(*windows, strict=True)]
        self._spread = [statistics.pstdev(column) or 1.0 for column in zip(*windows, strict=True)]

    def delta(self, text: str) -> float:
        """Mean distance from the book, in its own standard deviations: some 0.8 for a window of the same book."""
        shares = self._shares(letters(text))
        return statistics.fmean(
            abs(share - mean) / spread
            for share, mean, spread in zip(shares, self._mean, self._spread, strict=True)
        )

    def _shares(self, plain: str) -> list[float]:
        counts = Counter(plain)
        return [counts[letter] / max(1, len(plain)) for letter in self._frequent]
