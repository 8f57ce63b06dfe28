"""Several replies to one question, and the one to show: who talks like this person, speaks to the point, says something that
is neither said already nor what everybody says.

Knows texts. What it weighs is shown to people beside the reply.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...corpus.voices import Voices
from ...types import GenerateOptions, Reply

ALIKE = 0.5
"""A reply that shares this much of its pairs of characters with one already given is the same again."""
UNFIT = 10.0
"""Taken off for a reply that was said before, was cut off or says nothing."""
SHORTEST = 4
WORN_FROM = 3
"""A pair of characters in fewer texts is fresh."""
LIVELY = GenerateOptions(temperature=0.9, top_p=0.95, top_k=100, repetition_penalty=1.05)
"""How candidates are drawn where nothing else is asked for: they must differ, or there is nothing to choose; and they may use the
words they have been shown, which a penalty on repetition forbids."""
CALM = GenerateOptions(temperature=0.5, top_p=0.9, top_k=40, repetition_penalty=1.05)
"""The same for an instruct model, one reply or several: it knows what to say, and at 0.9 it says something else (docs/log.md)."""


def drawn(kind: str, several: bool) -> GenerateOptions:
    """How a model of this kind writes where nobody says otherwise."""
    if kind == "template":
        return CALM
    return LIVELY if several else GenerateOptions()


_MARKS = re.compile(r"[^\w]")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the scores that rank candidates."""

    voice: float = 1.0
    """Of the log probability that the person said it rather than another …"""
    hopeless: float = -8.0
    """… which is not counted below this."""
    point: float = 6.0
    """Of the share of the question's pairs of characters that come back."""
    loops: float = 12.0
    """Against the share of the reply's pairs of characters that it has said itself before."""
    genericness: float = 1.0
    """Against words that everybody in the book uses (see Genericness)."""
    length: float = 0.04
    """Of each character up to `enough`."""
    enough: int = 50


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A candidate with the scores that rank it."""

    text: str
    score: float
    voice: float
    point: float
    again: float
    """How much of it was said before, 0–1."""
    genericness: float
    complete: bool


def weigh(
    candidates: Sequence[Reply],
    name: str,
    question: str,
    *,
    voices: Voices | None = None,
    genericness: Genericness | None = None,
    before: Sequence[str] = (),
    weights: Weights | None = None,
) -> list[Weighed]:
    """Candidates, best first.

    Args:
        before: what must not be said again: earlier replies, the lines shown as examples.
    """
    weights = weights or Weights()
    asked, spoken = pairs(question), [pairs(text) for text in before]
    weighed = []
    for reply in candidates:
        own = pairs(reply.text)
        again = max((len(own & other) / max(1, len(own)) for other in spoken), default=0.0)
        voice = voices.fits(reply.text, name) if voices is not None else 0.0
        point = len(own & asked) / max(1, len(asked)) if own != asked else 0.0
        used = genericness.of(reply.text) if genericness is not None else 0.0
        complete = reply.finish_reason == "stop" and len(_MARKS.sub("", reply.text)) >= SHORTEST
        score = (
            weights.voice * max(voice, weights.hopeless)
            + weights.point * point
            + weights.length * min(len(reply.text), weights.enough)
        )
        score -= (
            weights.loops * loops(reply.text)
            + weights.genericness * used
            + UNFIT * ((again >= ALIKE) + (not complete))
        )
        weighed.append(
            Weighed(
                text=reply.text,
                score=score,
                voice=voice,
                point=point,
                again=again,
                genericness=used,
                complete=complete,
            )
        )
    return sorted(weighed, key=lambda one: -one.score)


class Genericness:
    """How often people of a book use the words of a text: 吾有一计 is everybody's.

    Args:
        texts: everything that is said in the book.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(pairs(text))
        self._logs = {
            pair: math.log1p(count) for pair, count in counts.items() if count >= WORN_FROM
        }

    def of(self, text: str) -> float:
        """Mean log of how many of the texts have a pair of its characters; 0 for words nobody uses."""
        own = pairs(text)
        return sum(self._logs.get(pair, 0.0) for pair in own) / max(1, len(own))


def pairs(text: str) -> frozenset[str]:
    text = _MARKS.sub("", text)
    return frozenset(text[at : at + 2] for at in range(len(text) - 1))


def loops(text: str) -> float:
    """Share of the pairs of characters that came before in the same text."""
    text = _MARKS.sub("", text)
    every = [text[at : at + 2] for at in range(len(text) - 1)]
    return 1 - len(set(every)) / len(every) if every else 0.0
