"""What the API gives back: bodies whole and in pieces, tokens counted, log probabilities."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..types import Piece, Reply, TokenChoice


def usage(replies: Sequence[Reply], choices: int) -> dict[str, int]:
    """Tokens of all prompts, each of which has so many replies, and of the replies."""
    prompt = sum(reply.prompt_tokens for reply in replies[::choices])
    said = sum(reply.completion_tokens for reply in replies)
    return {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}


def finish_reason(reply: Reply) -> str:
    return "stop" if reply.finish_reason == "cancelled" else reply.finish_reason


def chat_logprobs(tokens: Iterable[TokenChoice]) -> dict[str, Any]:
    def entry(one: TokenChoice) -> dict[str, Any]:
        return {"token": one.token, "logprob": one.logprob, "bytes": list(one.data) or None}

    return {
        "content": [
            {
                **entry(token),
                "top_logprobs": [entry(other) for other in token.alternatives],
            }
            for token in tokens
        ],
        "refusal": None,
    }


def completion_logprobs(tokens: Sequence[TokenChoice], at: int = 0) -> dict[str, Any]:
    """Of tokens that begin at a place of the text."""
    offsets = []
    for choice in tokens:
        offsets.append(at)
        at += len(choice.token)
    return {
        "tokens": [t.token for t in tokens],
        "token_logprobs": [t.logprob for t in tokens],
        "text_offset": offsets,
        "top_logprobs": [
            {_completion_token(other): other.logprob for other in token.alternatives}
            for token in tokens
        ],
    }


def _completion_token(one: TokenChoice) -> str:
    """A token's text; as OpenAI writes it where that is no text by itself."""
    if "\ufffd" not in one.token:
        return one.token
    return "bytes:" + "".join(f"\\x{byte:02x}" for byte in one.data)


def answer_body(
    reply_id: str,
    created: int,
    model: str,
    *,
    chat: bool,
    replies: Sequence[Reply],
    tokens: Sequence[Sequence[TokenChoice]],
    with_logprobs: bool,
    choices_each: int,
) -> dict[str, Any]:
    """A whole answer: chat.completion with messages, or text_completion with texts."""
    logprobs_of = chat_logprobs if chat else completion_logprobs

    def said(reply: Reply) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": reply.text,
            "refusal": None,
        }
        if reply.annotations:
            message["annotations"] = list(reply.annotations)
        return {"message": message} if chat else {"text": reply.text}

    choices = [
        {
            "index": index,
            "finish_reason": finish_reason(reply),
            **said(reply),
            "logprobs": logprobs_of(tokens[index]) if with_logprobs else None,
        }
        for index, reply in enumerate(replies)
    ]
    return {
        "id": reply_id,
        "object": "chat.completion" if chat else "text_completion",
        "created": created,
        "model": model,
        "choices": choices,
        "usage": usage(replies, choices_each),
    }


class ChunkWriter:
    """Server-sent events of one streamed answer, as bytes.

    Args:
        chat: chat.completion.chunk with a delta, or text_completion.
    """

    def __init__(
        self, reply_id: str, created: int, model: str, *, chat: bool, with_logprobs: bool
    ) -> None:
        kind = "chat.completion.chunk" if chat else "text_completion"
        self._head = json.dumps(
            {"id": reply_id, "object": kind, "created": created, "model": model}, ensure_ascii=False
        )[:-1]
        self._chat, self._with_logprobs = chat, with_logprobs
        self._said: dict[int, int] = {}

    def pieces(self, index: int, pieces: Sequence[Piece]) -> bytes:
        """One event for all that came since the last one; nothing where nothing did."""
        text, said = pieces[-1].text, self._said.get(index, 0)
        tokens = [token for piece in pieces for token in piece.tokens]
        if len(text) <= said and not tokens:
            return b""
        self._said[index] = max(said, len(text))
        return self._event(index, text[said:], tokens, None, at=said)

    def begin(self, index: int) -> bytes:
        return (
            self._data(
                {
                    "choices": [
                        {
                            "index": index,
                            "delta": {"role": "assistant", "content": ""},
                            "logprobs": None,
                            "finish_reason": None,
                        }
                    ]
                }
            )
            if self._chat
            else b""
        )

    def end(self, index: int, reply: Reply) -> bytes:
        rest = reply.text[self._said.get(index, 0) :]
        before = self._event(index, rest, [], None) if rest else b""
        if reply.annotations and self._chat:
            delta = {"annotations": list(reply.annotations)}
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
            before += self._data({"choices": [choice]})
        return before + self._event(index, "", [], finish_reason(reply))

    def usage(self, replies: Sequence[Reply], choices_each: int) -> bytes:
        return self._data({"choices": [], "usage": usage(replies, choices_each)})

    def _event(
        self,
        index: int,
        text: str,
        tokens: Sequence[TokenChoice],
        finish: str | None,
        *,
        at: int = 0,
    ) -> bytes:
        logprobs: Any = None
        if self._with_logprobs and tokens:
            logprobs = chat_logprobs(tokens) if self._chat else completion_logprobs(tokens, at)
        choice: dict[str, Any] = {"index": index, "logprobs": logprobs, "finish_reason": finish}
        if self._chat:
            choice["delta"] = {"content": text} if text or not finish else {}
        else:
            choice["text"] = text
        return self._data({"choices": [choice]})

    def _data(self, rest: dict[str, Any]) -> bytes:
        return f"data: {self._head}, {json.dumps(rest, ensure_ascii=False)[1:]}\n\n".encode()


CLIENT_LEFT = 499
"""nginx' number for a client that closed the connection; nobody is there to read it."""
DONE = b"data: [DONE]\n\n"
