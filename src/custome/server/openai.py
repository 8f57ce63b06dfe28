"""The routes of OpenAI's API that ask a model: conversations, texts, vectors.

POST /v1/chat/completions  /v1/completions  /v1/embeddings
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from starlette.requests import Request as HttpRequest

from ..engine.base import check_options
from ..errors import CustomeError
from ..types import Request
from .answers import CLIENT_LEFT, DONE, ChunkWriter, answer_body
from .asking import chat_writes, find, plain_writes
from .catalogue import Catalogue, Found
from .errors import described
from .protocol import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
)
from .writing import Write, Writing, streamed


def openai_router(catalogue: Catalogue, pool: Executor) -> APIRouter:
    """The routes of a catalogue; replies are written in `pool`."""
    router = APIRouter()

    @router.post("/v1/chat/completions")
    async def chat_completions(body: ChatRequest, http: HttpRequest) -> Response:
        """A reply to a conversation, as one of the people of a book."""
        model, wanted = await chat_writes(catalogue, pool, body, str(http.base_url))
        return await _answer(pool, http, body.model_copy(update={"model": model}), wanted)

    @router.post("/v1/completions")
    async def completions(body: CompletionRequest, http: HttpRequest) -> Response:
        """A text gone on with, as it is."""
        found = await find(catalogue, pool, body.model, None)
        check_options(found.engine, body.options())
        return await _answer(
            pool,
            http,
            body,
            plain_writes(found, [Request(text=prompt) for prompt in body.prompts()], body),
        )

    @router.post("/v1/embeddings")
    async def embeddings(body: EmbeddingRequest) -> Response:
        """Texts as vectors of length 1: the mean of the model's last hidden states."""
        found = await find(catalogue, pool, body.model, None)
        loop = asyncio.get_running_loop()
        return JSONResponse(await loop.run_in_executor(pool, _embedded, found, body))

    return router


async def _answer(
    pool: Executor,
    http: HttpRequest,
    body: ChatRequest | CompletionRequest,
    wanted: Sequence[Write],
) -> Response:
    """Have the replies written, and give them whole or piece by piece."""
    options, chat = body.options(), isinstance(body, ChatRequest)
    reply_id, created = (
        f"{'chatcmpl' if chat else 'cmpl'}-{secrets.token_hex(12)}",
        int(time.time()),
    )
    writing = Writing(pool, wanted)
    if not body.stream:
        replies = await writing.replies(http)
        if replies is None:
            return Response(status_code=CLIENT_LEFT)
        return JSONResponse(
            answer_body(
                reply_id,
                created,
                body.model,
                chat=chat,
                replies=replies,
                tokens=writing.tokens,
                with_logprobs=options.logprobs is not None,
                choices_each=body.choices(),
            )
        )
    writer = ChunkWriter(
        reply_id, created, body.model, chat=chat, with_logprobs=options.logprobs is not None
    )
    with_usage = body.stream_options is not None and body.stream_options.include_usage
    events = _events(writing, writer, len(wanted), body.choices() if with_usage else 0)
    return await streamed(writing, http, events)


async def _events(
    writing: Writing, writer: ChunkWriter, choices: int, usage_of: int
) -> AsyncIterator[bytes]:
    try:
        for index in range(choices):
            if begin := writer.begin(index):
                yield begin
        async for index, pieces in writing.news():
            if event := writer.pieces(index, pieces):
                yield event
        replies = writing.finished()
        for index, reply in enumerate(replies):
            yield writer.end(index, reply)
        if usage_of:
            yield writer.usage(replies, usage_of)
        yield DONE
    except CustomeError as error:  # the status line is long gone: say it in the stream
        yield b"data: " + JSONResponse(described(error)[1]).body + b"\n\n"
    finally:
        writing.stop()


def _embedded(found: Found, body: EmbeddingRequest) -> dict[str, Any]:
    """The body of an answer: the texts' vectors."""
    texts = body.texts()
    vectors = found.engine.embed(texts)
    tokens = sum(found.engine.count_tokens(text) for text in texts)
    coded = [_base64(v) for v in vectors] if body.encoding_format == "base64" else vectors
    rows = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(coded)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": body.model, "data": rows, "usage": usage}


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()
