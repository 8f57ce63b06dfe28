"""Passages as vectors: who makes them, which passages have none yet, what a question's vector is.

Vectors of two embedders are never compared: each is kept under the key of the embedder that made it. Knows stores, no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..reporter import Reporter
from .store import KnowledgeStore, Passage

AT_ONCE = 16
"""Passages of a transaction: a stop or a crash costs these."""
Vectors: TypeAlias = NDArray[np.float32]
"""(texts, dimensions), each of length 1."""


class Embedder(Protocol):
    """What turns text into vectors that are near each other where the meaning is."""

    key: str
    """Tells its vectors from those of any other: a digest of its weights, or an address and a name."""
    title: str

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of what is to be found."""

    def question(self, text: str) -> Vectors:
        """(1, dimensions) of what is looked for."""


EmbedderOf = Callable[[str], Embedder]
"""What a setting names → what makes the vectors."""


def no_embedder(what: str) -> Embedder:
    """Where none can be had."""
    raise InputError(f"这里没有向量模型 {what!r}", "只按字找：去掉 --embedder")


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """A question as a vector."""

    key: str
    vector: Vectors
    """(1, dimensions)"""


def meaning_of(question: str, embedder: Embedder) -> Meaning:
    return Meaning(key=embedder.key, vector=embedder.question(question))


def embed(
    store: KnowledgeStore,
    embedder: Embedder,
    reporter: Reporter,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Give every passage that has none a vector; the number that got one. Goes on where it was.

    Raises:
        EngineError: the embedder does not answer.
        StoreError: the base cannot be written; what was kept before is kept.
    """
    missing = store.without_vector(embedder.key)
    for at in range(0, len(missing), AT_ONCE):
        if stop():
            return at
        passages = store.passages(missing[at : at + AT_ONCE])
        if passages:
            store.keep_vectors(embedder.key, passages, embedder.passages([*map(_whole, passages)]))
        reporter.progress("按意思编目", min(at + AT_ONCE, len(missing)), len(missing))
    return len(missing)


def _whole(passage: Passage) -> str:
    """What a passage says, with the headings it stands under."""
    return "\n".join([*passage.heading, passage.text])
