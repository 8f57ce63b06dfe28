"""What every engine can do. Everything above this level knows engines by this protocol only."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from ..types import GenerateOptions, Piece, Reply, Request, Score


class Cancel:
    """A request to stop a generation; may be set from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()


class Engine(Protocol):
    """Answers requests with one model."""

    name: str
    """Shown to people."""
    kind: Literal["novel", "template"]
    """How it is spoken to: running prose with 某某曰：, or an instruct model's turns."""

    def stream(self, request: Request, options: GenerateOptions, cancel: Cancel | None = None) -> Iterator[Piece]:
        """The reply as it grows; the last piece carries the finished reply. Closing the iterator stops generating."""

    def generate(self, requests: Sequence[Request], options: GenerateOptions) -> list[Reply]:
        """Finished replies to several requests, computed together where the engine can."""

    def score(self, requests: Sequence[Request], replies: Sequence[str]) -> list[Score]:
        """How likely each given reply (its end included) is as the answer to its request."""

    def count_tokens(self, text: str) -> int:
        """Tokens of a text in this model's vocabulary."""

    def close(self) -> None:
        """Free the model."""
