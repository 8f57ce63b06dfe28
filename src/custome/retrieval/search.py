"""A question → the passages that have to do with it, each with its reasons: which words, what its neighbours give.

BM25 over single characters and pairs; a chunk beside good ones is better than one alone (docs/log.md). Names are looked for by
all their bearer is called. Knows a store, no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .store import KnowledgeStore, Passage
from .terms import asked, folded, terms

NEIGHBOUR = 0.3
"""What the score of the chunk before and of the one after counts for."""


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
    own, others = asked(question), _other_names(question, names or {})
    # pairs of characters only: alone, 武 and 侯 of 武侯 say nothing of him
    wanted = list(
        dict.fromkeys([*own, *(term for one in others for term in terms(one) if len(term) > 1)])
    )
    found = store.find(wanted, until=until)
    scores = {(one.document, one.position): one.score for one in found}
    chunks = {(one.document, one.position): one.chunk for one in found}
    totals = {
        (document, position): score
        + NEIGHBOUR * scores.get((document, position - 1), 0.0)
        + NEIGHBOUR * scores.get((document, position + 1), 0.0)
        for (document, position), score in scores.items()
    }
    best = sorted(totals, key=lambda place: (-totals[place], chunks[place]))[:most]
    passages = store.passages([chunks[place] for place in best])
    return [
        Hit(
            passage=passage,
            score=totals[place],
            own=scores[place],
            words=_matched([*own, *others], passage),
        )
        for place, passage in zip(best, passages, strict=True)
    ]


def _other_names(question: str, names: Mapping[str, Sequence[str]]) -> list[str]:
    """What else whoever the question names is called."""
    plain = folded(question)
    others = dict.fromkeys(
        other for name, every in names.items() if name in plain for other in every
    )
    return [other for other in others if other not in plain]


def _matched(wanted: Sequence[str], passage: Passage) -> tuple[str, ...]:
    """Terms and names that stand in a passage, the longer ones first, without those that are part of a longer one."""
    inside = folded("\n".join([*passage.heading, passage.text]))
    found = sorted((term for term in wanted if term in inside), key=len, reverse=True)
    kept: list[str] = []
    for term in found:
        if not any(term in longer for longer in kept):
            kept.append(term)
    return tuple(kept)
