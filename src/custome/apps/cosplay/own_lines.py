"""A person's own lines that come closest to what is being said: BM25 over characters and pairs of them.

Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond".
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence

from ...corpus.cast import Line

K1, B = 1.2, 0.5
LEAST, MOST = 6, 60
"""Characters of a line worth showing as an example."""
_NOT_LETTERS = re.compile(r"[^\w]")


class OwnLines:
    """Everything one person says, ready to be searched.

    Args:
        lines: of that person.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = [line for line in lines if LEAST <= len(line.text) <= MOST]
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._sizes = []
        for place, line in enumerate(self._lines):
            counts = Counter(_grams(line.asked) + _grams(line.text))
            self._sizes.append(counts.total())
            for gram, count in counts.items():
                self._postings[gram].append((place, count))
        self._mean = sum(self._sizes) / max(1, len(self._sizes))

    def nearest(
        self, question: str, count: int, *, novel: str = "", as_of: int | None = None
    ) -> list[Line]:
        """The `count` lines that suit a question best, best first.

        Args:
            novel, as_of: only what is said up to that chapter.
        """
        scores: Counter[int] = Counter()
        for gram in set(_grams(question)):
            postings = self._postings.get(gram, ())
            weight = math.log(1 + (len(self._lines) - len(postings) + 0.5) / (len(postings) + 0.5))
            for place, seen in postings:
                scores[place] += (
                    weight
                    * seen
                    * (K1 + 1)
                    / (seen + K1 * (1 - B + B * self._sizes[place] / self._mean))
                )  # type: ignore[assignment]
        found: list[Line] = []
        for place, _ in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])):
            line = self._lines[place]
            if _is_known(line, novel, as_of) and all(line.text != other.text for other in found):
                found.append(line)
            if len(found) == count:
                break
        return found

    def typical(self, count: int, *, novel: str = "", as_of: int | None = None) -> list[Line]:
        """`count` lines from all over the book; always the same ones, whatever others there are.

        Args:
            novel, as_of: as of `nearest`.
        """
        known = [line for line in self._lines if _is_known(line, novel, as_of)]
        return sorted(known, key=lambda line: zlib.crc32(line.text.encode()))[:count]


def _is_known(line: Line, novel: str, as_of: int | None) -> bool:
    return as_of is None or bool(novel and line.novel != novel) or line.chapter <= as_of


def _grams(text: str) -> list[str]:
    text = _NOT_LETTERS.sub("", text)
    return [*text, *(text[at : at + 2] for at in range(len(text) - 1))]
