"""Who talks like this? Multinomial naive Bayes over characters and pairs of them, learnt from what people say in a book.

Knows texts and names, nothing of models. A few seconds for a whole library, small enough to stand beside a chat page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

LEAST_SEEN = 2
"""Characters and pairs seen less often tell nothing."""
LEAST_LEANT = 5
"""Characters and pairs seen less often are nobody's habit."""
PRIOR = 3.0
"""Times that a character or pair is taken to have been seen beforehand, with everybody alike."""
STRONGEST, WEAKEST = 2.0, 0.05
"""Nats; a lean is cut off there, or left out."""
SMOOTHING = 0.1
_NOT_SAID = re.compile(r"[“”‘’\s]")


class Voices:
    """How each of a few people talks.

    Args:
        lines: (name, what they say).
        names: whom to tell apart; lines of others are left out.
    """

    def __init__(self, lines: Iterable[tuple[str, str]], names: Sequence[str]) -> None:
        self.names = tuple(names)
        counts = [Counter[str]() for _ in names]
        place = {name: number for number, name in enumerate(names)}
        for name, text in lines:
            if name in place:
                counts[place[name]].update(_grams(text))
        total: Counter[str] = sum(counts, Counter())
        self._row = {
            gram: row
            for row, gram in enumerate(g for g, seen in total.items() if seen >= LEAST_SEEN)
        }
        self._counts: np.ndarray = np.zeros(
            (len(self._row), len(names)), dtype=np.float32
        )  # (G grams, N names)
        for column, count in enumerate(counts):
            for gram, seen in count.items():
                if gram in self._row:
                    self._counts[self._row[gram], column] = seen
        self._sizes = np.array(
            [sum(seen for gram, seen in count.items() if len(gram) == 1) for count in counts]
        )
        table = self._counts.astype(float) + SMOOTHING
        self._log = np.log(table / table.sum(axis=0))  # (G grams, N names)

    def log_shares(self, text: str) -> np.ndarray:
        """Log probability of each person having said it, all taken as equally likely beforehand. Shape (N names,)."""
        rows = [self._row[gram] for gram in _grams(text) if gram in self._row]
        scores = self._log[rows].sum(axis=0) if rows else np.zeros(len(self.names))
        return np.asarray(scores - np.logaddexp.reduce(scores))

    def who(self, text: str) -> str:
        """The likeliest speaker."""
        return self.names[int(self.log_shares(text).argmax())]

    def fits(self, text: str, name: str) -> float:
        """Log probability that it was `name` rather than any of the others; 0 for somebody unknown."""
        return float(self.log_shares(text)[self.names.index(name)]) if name in self.names else 0.0

    def logit_bias(self, name: str, strength: float) -> tuple[tuple[str, float], ...]:
        """How much likelier characters and pairs are in somebody's mouth than in the others', in nats times `strength`; only
        where there is enough of them to tell. Nothing for somebody unknown."""
        if name not in self.names or not strength:
            return ()
        column = self.names.index(name)
        share = (self._counts / np.maximum(1, self._sizes)).mean(
            axis=1
        )  # (G,), everybody counts alike
        lean = np.log((self._counts[:, column] + PRIOR) / (share * self._sizes[column] + PRIOR))
        lean = strength * lean.clip(-STRONGEST, STRONGEST)
        distinctive = (self._counts.sum(axis=1) >= LEAST_LEANT) & (abs(lean) >= WEAKEST)
        grams = tuple(self._row)
        return tuple(
            (grams[row], round(float(lean[row]), 3)) for row in np.flatnonzero(distinctive)
        )


def _grams(text: str) -> list[str]:
    text = f"^{_NOT_SAID.sub('', text)}$"
    return [*text[1:-1], *(text[at : at + 2] for at in range(len(text) - 1))]
