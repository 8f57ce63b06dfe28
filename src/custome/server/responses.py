"""OpenAI's newer route for a reply, as far as a conversation goes: POST /v1/responses.

It is answered as /v1/chat/completions is; what that cannot carry (tools, pictures, stored conversations) is refused by name.
Source: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import Field, model_validator
from starlette.requests import Request as HttpRequest

from ..errors import CustomeError
from ..types import Reply
from .answers import CLIENT_LEFT, finish_reason
from .asking import chat_writes
from .catalogue import Catalogue
from .errors import described
from .protocol import ChatRequest, SceneRequest, Strict, Text
from .writing import Writing, streamed


class InputText(Strict):
    type: Literal["input_text", "output_text", "text"]
    text: Text
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class InputMessage(Strict):
    """One message; what an answer had in its output can be sent back as it is."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[InputText]
    id: str | None = None
    status: str | None = None
    phase: str | None = None

    def text(self) -> str:
        parts = self.content
        return parts if isinstance(parts, str) else "".join(part.text for part in parts)


class TextFormat(Strict):
    type: Literal["text", "json_object"] = "text"


class TextOptions(Strict):
    format: TextFormat | None = None
    verbosity: None = None


class ResponsesRequest(Strict):
    """POST /v1/responses"""

    model: Annotated[str, Field(max_length=256)]
    input: Text | Annotated[list[InputMessage], Field(min_length=1, max_length=4_096)]
    instructions: Text | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=10**9)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stream: bool | None = None
    text: TextOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None
    character: Annotated[str, Field(max_length=64)] | None = None
    """Who answers; the same as model 'run:character'."""
    scene: SceneRequest | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None
    store: bool | None = None
    """Taken and not done: nothing is stored."""
    previous_response_id: None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: None = None
    include: Annotated[list[Any], Field(max_length=0)] | None = None
    service_tier: Literal["auto", "default"] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ResponsesRequest:
        if not self.input:
            raise ValueError("input 是空的")
        given = [] if isinstance(self.input, str) else self.input
        if given and not any(one.role in ("user", "assistant") for one in given):
            raise ValueError("input 里至少要有一条 user 或 assistant")
        return self

    def as_chat(self) -> ChatRequest:
        """The same as a conversation."""
        given = self.input
        messages = (
            [{"role": "user", "content": given}]
            if isinstance(given, str)
            else [{"role": one.role, "content": one.text()} for one in given]
        )
        if self.instructions:
            messages.insert(0, {"role": "system", "content": self.instructions})
        kind = self.text.format.type if self.text and self.text.format else "text"
        return ChatRequest(
            model=self.model,
            messages=messages,  # type: ignore[arg-type]
            max_tokens=self.max_output_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            truncation=self.truncation,
            character=self.character,
            scene=self.scene,
            response_format={"type": kind},  # type: ignore[arg-type]
        )


def responses_router(catalogue: Catalogue, pool: Executor) -> APIRouter:
    """The route for a catalogue; replies are written in `pool`."""
    router = APIRouter()

    @router.post("/v1/responses")
    async def responses(body: ResponsesRequest, http: HttpRequest) -> Response:
        """A reply to a conversation, in the words of the Responses API."""
        model, wanted = await chat_writes(catalogue, pool, body.as_chat(), str(http.base_url))
        writing, answer = Writing(pool, wanted), _Answer(body, model)
        if not body.stream:
            replies = await writing.replies(http)
            if replies is None:
                return Response(status_code=CLIENT_LEFT)
            return JSONResponse(answer.whole(replies[0]))
        return await streamed(writing, http, _events(writing, answer))

    return router


async def _events(writing: Writing, answer: _Answer) -> AsyncIterator[bytes]:
    try:
        for event in answer.begin():
            yield event
        async for _, pieces in writing.news():
            if event := answer.grown(pieces[-1].text):
                yield event
        for event in answer.end(writing.finished()[0]):
            yield event
    except CustomeError as error:  # the status line is long gone: say it in the stream
        yield answer.event("error", described(error)[1]["error"])
    finally:
        writing.stop()


class _Answer:
    """One response, as a body and as events."""

    def __init__(self, body: ResponsesRequest, model: str) -> None:
        self._body, self._model, self._created = body, model, int(time.time())
        self._id, self._message = f"resp_{secrets.token_hex(12)}", f"msg_{secrets.token_hex(12)}"
        self._number, self._said = 0, ""

    def whole(self, reply: Reply | None) -> dict[str, Any]:
        """The response; unfinished without a reply."""
        body, cut = self._body, reply is not None and finish_reason(reply) == "length"
        output = (
            []
            if reply is None
            else [self._item(reply.text, "incomplete" if cut else "completed", reply.annotations)]
        )
        status = "in_progress" if reply is None else "incomplete" if cut else "completed"
        spent = None
        if reply is not None:
            spent = {
                "input_tokens": reply.prompt_tokens,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": reply.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            }
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": body.metadata or {},
            "model": self._model,
            "output": output,
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "temperature": body.temperature,
            "tool_choice": "none",
            "tools": [],
            "top_p": body.top_p,
            "truncation": body.truncation or "disabled",
            "usage": spent,
            "user": body.user,
        }

    def begin(self) -> list[bytes]:
        place = {"item_id": self._message, "output_index": 0, "content_index": 0}
        unfinished = self.whole(None)
        return [
            self.event("response.created", {"response": unfinished}),
            self.event("response.in_progress", {"response": unfinished}),
            self.event(
                "response.output_item.added",
                {"output_index": 0, "item": {**self._item("", "in_progress"), "content": []}},
            ),
            self.event("response.content_part.added", {**place, "part": _part("")}),
        ]

    def grown(self, text: str) -> bytes:
        """What came since the last event; nothing where nothing did."""
        new, self._said = (
            text[len(self._said) :],
            text if len(text) > len(self._said) else self._said,
        )
        if not new:
            return b""
        place = {"item_id": self._message, "output_index": 0, "content_index": 0}
        return self.event("response.output_text.delta", {**place, "delta": new, "logprobs": []})

    def end(self, reply: Reply) -> list[bytes]:
        place = {"item_id": self._message, "output_index": 0, "content_index": 0}
        rest, whole = self.grown(reply.text), self.whole(reply)
        return [
            *([rest] if rest else []),
            self.event("response.output_text.done", {**place, "text": reply.text, "logprobs": []}),
            self.event(
                "response.content_part.done",
                {**place, "part": _part(reply.text, reply.annotations)},
            ),
            self.event(
                "response.output_item.done", {"output_index": 0, "item": whole["output"][0]}
            ),
            self.event(f"response.{whole['status']}", {"response": whole}),
        ]

    def event(self, kind: str, content: dict[str, Any]) -> bytes:
        """A server-sent event."""
        number, self._number = self._number, self._number + 1
        data = {**content, "type": kind, "sequence_number": number}
        return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()

    def _item(
        self, text: str, status: str, annotations: Sequence[Mapping[str, Any]] = ()
    ) -> dict[str, Any]:
        return {
            "type": "message",
            "id": self._message,
            "status": status,
            "role": "assistant",
            "content": [_part(text, annotations)],
        }


def _part(text: str, annotations: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    cited = [{"type": one["type"], **one[one["type"]]} for one in annotations]
    return {"type": "output_text", "text": text, "annotations": cited, "logprobs": []}
