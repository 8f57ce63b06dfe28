"""A question → the passages that have to do with it, each with its reasons: which words, what its neighbours give.

BM25 over single characters and pairs; a chunk beside good ones is better than one alone (docs/log.md). Names are looked for by
all their bearer is called. Where passages have vectors, being near in meaning counts as well. Knows a store, no model.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .store import CANDIDATES, KnowledgeStore, Passage
from .terms import asked, folded, terms
from .vectors import Meaning

NEIGHBOUR = 0.3
"""What the score of the chunk before and of the one after counts for."""
NAMED = 1.0
"""What it counts for that whoever the question names is in a passage, by whatever name: one word, however many names they have."""

MEANT = 0.5
"""What being near in meaning counts for beside the words, both in standard deviations over the candidates."""

_Place = tuple[int, int]
"""(document, position)"""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A passage that was found, and why."""

    passage: Passage
    score: float
    own: float
    """The part of the score that is its own; the rest is its neighbours'."""
    words: tuple[str, ...]
    """Terms of the question that stand in it, the longer ones first, without those that are part of a longer one."""
    meant: float = 0.0
    """Cosine with the question; 0 where no vectors were asked."""


def search(
    store: KnowledgeStore,
    question: str,
    most: int = 5,
    names: Mapping[str, Sequence[str]] | None = None,
    until: Mapping[str, int] | None = None,
    meaning: Meaning | None = None,
) -> list[Hit]:
    """The best passages for a question, best first.

    Args:
        names: name → what else its bearer is called.
        until: document → offset from which on nothing of it is found.
        meaning: the question as a vector, where passages have vectors.
    """
    wanted, called = asked(question), _called(question, names or {})
    found = store.find(wanted, until=until)
    scores = {(one.document, one.position): one.score for one in found}
    chunks = {(one.document, one.position): one.chunk for one in found}
    if len(found) < CANDIDATES:  # there is room for passages that have nothing but another name
        pairs = [term for every in called for one in every for term in terms(one) if len(term) > 1]
        for one in store.find(list(dict.fromkeys(pairs)), until=until):
            scores.setdefault((one.document, one.position), 0.0)
            chunks[one.document, one.position] = one.chunk
    for every in called:
        holding, whole = store.holding(every)
        rare = math.log((whole + 0.5) / (len(holding) + 0.5))
        for place in scores:
            if chunks[place] in holding:
                scores[place] += NAMED * rare
    totals = {
        (document, position): score
        + NEIGHBOUR * scores.get((document, position - 1), 0.0)
        + NEIGHBOUR * scores.get((document, position + 1), 0.0)
        for (document, position), score in scores.items()
    }
    near = store.nearest(meaning.key, meaning.vector, until=until) if meaning else []
    chunks |= {(one.document, one.position): one.chunk for one in near}
    cosines = {(one.document, one.position): one.score for one in near}
    if meaning and cosines:
        totals = _fused(totals, cosines, whole=store.has_every_vector(meaning.key))
    best = sorted(totals, key=lambda place: (-totals[place], chunks[place]))[:most]
    passages = {one.chunk: one for one in store.passages([chunks[place] for place in best])}
    return [
        Hit(
            passage=passages[chunks[place]],
            score=totals[place],
            own=scores.get(place, 0.0),
            words=_matched(
                [*wanted, *(one for every in called for one in every)], passages[chunks[place]]
            ),
            meant=cosines.get(place, 0.0),
        )
        for place in best
        if chunks[place] in passages  # taken out at this very moment
    ]


def _fused(
    by_words: Mapping[_Place, float], by_meaning: Mapping[_Place, float], *, whole: bool
) -> dict[_Place, float]:
    """The sum of both, each in its own standard deviations; who is not among the candidates of one is as bad as its worst.

    Args:
        whole: has everything a vector? Until then whoever has none may be as near as any: the mean.
    """
    places = [*by_words, *(place for place in by_meaning if place not in by_words)]
    absent = min(by_meaning.values()) if whole else statistics.fmean(by_meaning.values())
    words = _standard([by_words.get(place, 0.0) for place in places])
    meant = _standard([by_meaning.get(place, absent) for place in places])
    return {
        place: one + MEANT * other for place, one, other in zip(places, words, meant, strict=True)
    }


def _standard(values: Sequence[float]) -> list[float]:
    """Values as standard deviations from their mean."""
    spread = statistics.pstdev(values) or 1.0
    mean = statistics.fmean(values)
    return [(value - mean) / spread for value in values]


def _called(question: str, names: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """For each person that is named all they are called; a name inside a longer one is not theirs."""
    plain = folded(question)
    named = [name for name in names if folded(name) in plain]
    outermost = [one for one in named if not any(one != other and one in other for other in named)]
    return list(dict.fromkeys((one, *names[one]) for one in outermost))


def _matched(wanted: Sequence[str], passage: Passage) -> tuple[str, ...]:
    """Terms and names that stand in a passage, the longer ones first, without those that are part of a longer one."""
    inside = folded("\n".join([*passage.heading, passage.text]))
    found = sorted((term for term in wanted if term in inside), key=len, reverse=True)
    kept: list[str] = []
    for term in found:
        if not any(term in longer for longer in kept):
            kept.append(term)
    return tuple(kept)
