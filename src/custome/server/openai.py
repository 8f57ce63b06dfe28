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
from dataclasses import replace
from typing import Any

import numpy as np
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.requests import Request as HttpRequest

from ..apps.cosplay.service import responder_of
from ..engine.base import Cancel, OnPiece, check_options
from ..errors import CustomeError, InputError, LengthError
from ..types import GenerateOptions, Reply, Request
from .answers import DONE, ChunkWriter, answer_body
from .catalogue import Catalogue, Found
from .errors import described
from .protocol import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    SceneRequest,
    fitted,
)
from .writing import Write, Writing

CLIENT_LEFT = 499
"""nginx' number for a client that closed the connection; nobody is there to read it."""


def openai_router(catalogue: Catalogue, pool: Executor) -> APIRouter:
    """The routes of a catalogue; replies are written in `pool`."""
    router = APIRouter()

    async def find(model: str, character: str | None) -> Found:
        if catalogue.at_hand(model):
            return catalogue.find(model, character)
        return await asyncio.get_running_loop().run_in_executor(
            pool, catalogue.find, model, character
        )

    @router.post("/v1/chat/completions")
    async def chat_completions(body: ChatRequest, http: HttpRequest) -> Response:
        """A reply to a conversation, as one of the people of a book."""
        found = await find(body.model, body.character)
        check_options(found.engine, body.options())
        if body.scene is not None or found.speaker:
            name, wanted = await asyncio.get_running_loop().run_in_executor(
                pool, _played, body, found
            )
            if body.scene is not None:
                body = body.model_copy(update={"model": f"{found.hosted.name}:{name}"})
            return await _answer(pool, http, body, wanted)
        request = body.request()
        if body.truncation == "auto":
            most = found.engine.max_context - body.options().max_new_tokens
            request = await asyncio.get_running_loop().run_in_executor(
                pool, fitted, request, found.engine.prompt_tokens, most
            )
        return await _answer(pool, http, body, _plain(found, [request], body))

    @router.post("/v1/completions")
    async def completions(body: CompletionRequest, http: HttpRequest) -> Response:
        """A text gone on with, as it is."""
        found = await find(body.model, None)
        check_options(found.engine, body.options())
        return await _answer(
            pool,
            http,
            body,
            _plain(found, [Request(text=prompt) for prompt in body.prompts()], body),
        )

    @router.post("/v1/embeddings")
    async def embeddings(body: EmbeddingRequest) -> Response:
        """Texts as vectors of length 1: the mean of the model's last hidden states."""
        found = await find(body.model, None)
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
    try:
        if not await writing.begin(http):
            writing.stop()
            return Response(status_code=CLIENT_LEFT)
    except BaseException:
        writing.stop()
        raise
    writer = ChunkWriter(
        reply_id, created, body.model, chat=chat, with_logprobs=options.logprobs is not None
    )
    with_usage = body.stream_options is not None and body.stream_options.include_usage
    return StreamingResponse(
        _events(writing, writer, len(wanted), body.choices() if with_usage else 0),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


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


def _seeded(options: GenerateOptions, number: int) -> GenerateOptions:
    """The options of one of several choices: each with a seed of its own."""
    return (
        options
        if options.seed is None or not number
        else replace(options, seed=options.seed + number)
    )


def _plain(
    found: Found, requests: Sequence[Request], body: ChatRequest | CompletionRequest
) -> list[Write]:
    """Requests as they are, to nobody in particular."""
    options = body.options()

    def writer(request: Request, number: int) -> Write:
        return lambda on_piece, cancel: found.engine.run(
            request, _seeded(options, number), on_piece, cancel
        )

    return [writer(request, number) for request in requests for number in range(body.choices())]


def _played(body: ChatRequest, found: Found) -> tuple[str, list[Write]]:
    """(who answers, what writes each choice): somebody of a book, as on the page."""
    scene, responder, said = (
        body.scene or SceneRequest(people=[found.speaker]),
        responder_of(found.hosted),
        body.said(),
    )
    if scene.candidates > 1 and body.logprobs:
        raise InputError(
            "logprobs 和 scene.candidates 不能同用：几个候选里挑的那一个没有逐词的概率",
            "candidates 用 1，或去掉 logprobs",
        )
    people = [responder.card(name).name for name in scene.people]
    alone = (
        people[0] if len(people) == 1 else ""
    )  # who said what an assistant's message without a name says
    said = [
        one if one.by_user else replace(one, name=responder.known_as(one.name) or alone)
        for one in said
    ]
    name, setting, options = (
        responder.next_speaker(people, said, scene.order, body.seed),
        body.setting(scene),
        body.options(),
    )
    whole = body.scene is None and body.truncation != "auto"
    if whole and (left_out := responder.prompt(name, said, setting, options).left_out):
        raise LengthError(
            f"对话太长，最早的 {left_out} 句放不下",
            "删掉一些历史，把 max_tokens 调小，或加 truncation: auto",
        )

    def writer(number: int) -> Write:
        def write(on_piece: OnPiece, cancel: Cancel) -> Reply:
            # What was sent cannot be taken back, and of several the first is not always the one that is chosen.
            several = scene.candidates > 1
            spoken = responder.speak(
                name,
                said,
                setting,
                _seeded(options, number),
                candidates=scene.candidates,
                among=people,
                on_piece=None if several else on_piece,
                cancel=cancel,
            )
            return spoken.reply

        return write

    return name, [writer(number) for number in range(body.choices())]


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
