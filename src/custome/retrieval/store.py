"""What a knowledge base is kept in: documents with their text, chunks, the index over them, vectors where there are any.

The protocol is what any store must do; tests/retrieval runs one suite on each (sqlite.py, milvus.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .chunks import Chunk, Place

CANDIDATES = 400
"""Chunks whose scores are looked at for one question."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A file, read."""

    name: str
    """Its path below the folder it was added from: what citations show."""
    text: str
    places: tuple[Place, ...] = ()
    kind: str = "txt"
    digest: str = ""
    """SHA-256 of the file: what has not changed is not read again."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A chunk that has words of the question."""

    chunk: int
    """Its number in the store."""
    document: int
    position: int
    """Which chunk of its document, from 0."""
    score: float
    """Larger is better."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A chunk with its words."""

    chunk: int
    document: int
    name: str
    position: int
    start: int
    end: int
    text: str
    heading: tuple[str, ...]
    page: int


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A document in the list of a base."""

    name: str
    kind: str
    characters: int
    chunks: int


class KnowledgeStore(Protocol):
    """What a knowledge base is kept in."""

    def add(self, document: Document, pieces: Sequence[Chunk]) -> int:
        """Put a document in, in place of the one of its name; whole or not at all."""

    def remove(self, name: str) -> bool:
        """Take a document out; False where there is none."""

    def digests(self) -> dict[str, str]:
        """Name → digest of every document."""

    def listed(self) -> list[Listed]:
        """Every document, by name."""

    def find(
        self, words: Sequence[str], most: int = CANDIDATES, until: Mapping[str, int] | None = None
    ) -> list[Found]:
        """Chunks with any of the terms, best first by BM25.

        Args:
            until: document → offset from which on nothing of it is found.
        """

    def holding(self, names: Sequence[str]) -> tuple[set[int], int]:
        """(chunks in which one of the names stands as it is written, chunks there are)"""

    def passages(self, chunks: Sequence[int]) -> list[Passage]:
        """Chunks with their words, in the order they are asked for."""

    def neighbours(self, document: int, position: int) -> list[Passage]:
        """The chunk before and the one after, where there are."""

    def at(self, name: str, offset: int) -> Passage | None:
        """The chunk of a document an offset stands in, or the next one."""

    def text(self, name: str) -> str:
        """A document's whole text; '' where there is none of that name."""

    def places(self, name: str) -> list[Place]:
        """Where its sections, pages and rows begin."""

    def without_vector(self, key: str) -> list[int]:
        """Chunks that have no vector of an embedder, in order."""

    def has_every_vector(self, key: str) -> bool:
        """Has every chunk a vector of an embedder?"""

    def keep_vectors(
        self, key: str, passages: Sequence[Passage], vectors: NDArray[np.float32]
    ) -> None:
        """Keep an embedder's vectors of passages; one that has changed or gone meanwhile gets none.

        Args:
            vectors: (passages, dimensions), of length 1.
        """

    def nearest(
        self,
        key: str,
        vector: NDArray[np.float32],
        most: int = CANDIDATES,
        until: Mapping[str, int] | None = None,
    ) -> list[Found]:
        """Chunks by the cosine of their vector with one, best first.

        Args:
            vector: (1, dimensions), by the same embedder.
            until: document → offset from which on nothing of it is found.
        """

    def forget_vectors(self, key: str = "") -> None:
        """Drop the vectors of every embedder but one."""

    def compact(self) -> None:
        """Give deleted text's room back and leave nothing of it in the file."""

    def close(self) -> None:
        """No more calls."""
