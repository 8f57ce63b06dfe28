"""A question → the passages that have to do with it, each with its reasons: which words, what its neighbours give.

BM25 over single characters and pairs; a chunk beside good ones is better than one alone (docs/log.md). Names are looked for by
all their bearer is called. Knows a store, no model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .store import CANDIDATES, KnowledgeStore, Passage
from .terms import asked, folded, terms

NEIGHBOUR = 0.3
"""What the score of the chunk before and of the one after counts for."""
NAMED = 1.0
"""What it counts for that whoever the question names is in a passage, by whatever name: one word, however many names they have."""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A passage that was found, and why."""

    passage: Passage
    score: float
    own: float
    """The part of the score that is its own; the rest is its neighbours'."""
    words: tuple[str, ...]
    """Terms of the question that stand in it, the longer ones first, without those that are part of a longer one."""


def search(
    store: KnowledgeStore,
    question: str,
    most: int = 5,
    names: Mapping[str, Sequence[str]] | None = None,
    until: Mapping[str, int] | None = None,
) -> list[Hit]:
    """The best passages for a question, best first.

    Args:
        names: name → what else its bearer is called.
        until: document → offset from which on nothing of it is found.
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
    best = sorted(totals, key=lambda place: (-totals[place], chunks[place]))[:most]
    passages = {one.chunk: one for one in store.passages([chunks[place] for place in best])}
    return [
        Hit(
            passage=passages[chunks[place]],
            score=totals[place],
            own=scores[place],
            words=_matched(
                [*wanted, *(one for every in called for one in every)], passages[chunks[place]]
            ),
        )
        for place in best
        if chunks[place] in passages  # taken out at this very moment
    ]


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
