"""An engine without a model: answers from a list, or echoes. Public, so that users test as the authors do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Literal

from ..types import GenerateOptions, Piece, Reply, Request, Score
from .base import Cancel


class ScriptedEngine:
    """Replies in turn with `replies` (then from the start again); without any it repeats the question with the cue.

    Args:
        replies: what to say.
        delay_s: pause before each character, to make streaming visible.
    """

    name = "scripted"
    kind: Literal["novel", "template"] = "novel"

    def __init__(self, replies: Sequence[str] = (), *, delay_s: float = 0.0) -> None:
        self._replies, self._delay_s = list(replies), delay_s
        self.requests: list[Request] = []
        """Everything that was asked, for assertions."""

    def stream(self, request: Request, options: GenerateOptions, cancel: Cancel | None = None) -> Iterator[Piece]:
        self.requests.append(request)
        asked = request.messages[-1].content
        text = (
            self._replies[(len(self.requests) - 1) % len(self._replies)]
            if self._replies
            else f"{request.speaker}闻：{asked}"
        )
        text, shown = text[: options.max_new_tokens], ""
        for character in text:
            if cancel is not None and cancel.is_set():
                break
            time.sleep(self._delay_s)
            shown += character
            yield Piece(text=shown)
        cancelled = cancel is not None and cancel.is_set()
        yield Piece(text=shown, reply=Reply(text=shown, prompt_tokens=self.count_tokens(asked), completion_tokens=len(shown),
                                            finish_reason="cancelled" if cancelled else "stop"))  # fmt: skip

    def generate(self, requests: Sequence[Request], options: GenerateOptions) -> list[Reply]:
        replies = [list(self.stream(request, options))[-1].reply for request in requests]
        return [reply for reply in replies if reply is not None]

    def score(self, requests: Sequence[Request], replies: Sequence[str]) -> list[Score]:
        return [Score(logprob=-float(len(reply)), tokens=len(reply)) for reply in replies]

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        self._replies = []
