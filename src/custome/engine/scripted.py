"""An engine without a model: answers from a list, or echoes. Public, so that users test as the authors do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..types import GenerateOptions, Piece, Reply, Request, Score
from .base import COMMON, Cancel, OnPiece, from_stream


class ScriptedEngine:
    """Replies in turn with `replies` (then from the start again); without any it repeats the question with the cue.

    Args:
        replies: what to say.
        delay_s: pause before each character, to make streaming visible.
        slots: how many replies it is said to write at once.
    """

    name = "scripted"
    kind: Literal["novel", "template"] = "novel"
    several = 1
    supports = COMMON | {"stop"}
    max_context = 4096

    def __init__(
        self, replies: Sequence[str] = (), *, delay_s: float = 0.0, slots: int = 4
    ) -> None:
        self._replies, self._delay_s, self.slots = list(replies), delay_s, slots
        self.requests: list[Request] = []
        """Everything that was asked, for assertions."""

    def run(
        self,
        request: Request,
        options: GenerateOptions,
        on_piece: OnPiece | None = None,
        cancel: Cancel | None = None,
    ) -> Reply:
        return from_stream(self.stream(request, options, cancel), on_piece)

    def stream(
        self, request: Request, options: GenerateOptions, cancel: Cancel | None = None
    ) -> Iterator[Piece]:
        self.requests.append(request)
        asked = request.text or request.messages[-1].content
        text = (
            self._replies[(len(self.requests) - 1) % len(self._replies)]
            if self._replies
            else f"{request.speaker}闻：{asked}"
        )
        text = text[
            : min((at for at in map(text.find, options.stop) if at >= 0), default=len(text))
        ]
        text, shown, whole = text[: options.max_new_tokens], "", len(text) <= options.max_new_tokens
        for character in text:
            if cancel is not None and cancel.is_set():
                break
            time.sleep(self._delay_s)
            shown += character
            yield Piece(text=shown)
        cancelled = cancel is not None and cancel.is_set()
        yield Piece(
            text=shown,
            reply=Reply(
                text=shown,
                prompt_tokens=self.count_tokens(asked),
                completion_tokens=len(shown),
                finish_reason="cancelled" if cancelled else "stop" if whole else "length",
            ),
        )

    def generate(
        self,
        requests: Sequence[Request],
        options: GenerateOptions,
        cancel: Cancel | None = None,
        on_piece: OnPiece | None = None,
    ) -> list[Reply]:
        watched = [on_piece, *[None] * len(requests)]
        return [
            self.run(request, options, seen, cancel)
            for request, seen in zip(requests, watched, strict=False)
        ]

    def score(self, requests: Sequence[Request], replies: Sequence[str]) -> list[Score]:
        return [Score(logprob=-float(len(reply)), tokens=len(reply)) for reply in replies]

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[1.0, 0.0] for _ in texts]

    def prompt_tokens(self, request: Request) -> int:
        return self.count_tokens(request.text) + sum(
            self.count_tokens(message.content) for message in request.messages
        )

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        self._replies = []


class ScriptedEmbedder:
    """Texts are near each other that have words of the same group.

    Args:
        groups: words that mean the same.
    """

    def __init__(self, *groups: Sequence[str], key: str = "scripted") -> None:
        self.key, self.title, self._groups = key, key, groups
        self.read: list[str] = []
        """Every passage so far."""

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, groups + 1)"""
        self.read += texts
        return np.stack([self._vector(text) for text in texts])

    def question(self, text: str) -> NDArray[np.float32]:
        """(1, groups + 1)"""
        return self._vector(text)[None]

    def _vector(self, text: str) -> NDArray[np.float32]:
        named = [float(any(word in text for word in group)) for group in self._groups]
        vector = np.array([*named, 0.1], np.float32)
        return vector / np.linalg.norm(vector)
