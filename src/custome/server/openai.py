"""The routes of OpenAI's API: conversations, texts, vectors, models, adapters.

POST /v1/chat/completions  /v1/completions  /v1/embeddings      GET /v1/models
POST /v1/load_lora_adapter  /v1/unload_lora_adapter
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
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest

from ..apps.cosplay.service import responder_of
from ..engine.base import Cancel, OnPiece, check_options
from ..errors import CustomeError, InputError, LengthError, UnknownModelError
from ..types import GenerateOptions, Reply, Request
from .answers import DONE, ChunkWriter, chat_body, completion_body
from .auth import Key
from .catalogue import Catalogue, Found
from .errors import described
from .protocol import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    LoadRequest,
    SceneRequest,
    UnloadRequest,
    fitted,
)
from .writing import Write, Writing

CLIENT_LEFT = 499
"""nginx' number for a client that closed the connection; nobody is there to read it."""


def openai_router(catalogue: Catalogue, pool: Executor, *, manageable: bool) -> APIRouter:
    """The routes of a catalogue.

    Args:
        pool: where replies are written.
        manageable: may adapters be added and removed where there are no keys?
    """
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
        vectors, spent = await asyncio.get_running_loop().run_in_executor(
            pool, _embedded, found, body.texts()
        )
        coded = [_base64(v) for v in vectors] if body.encoding_format == "base64" else vectors
        rows = [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(coded)
        ]
        return JSONResponse(
            {
                "object": "list",
                "model": body.model,
                "data": rows,
                "usage": {"prompt_tokens": spent, "total_tokens": spent},
            }
        )

    @router.get("/v1/models")
    async def models() -> Response:
        """Everything that can be asked for: runs, their bases, their people."""
        return JSONResponse(
            {
                "object": "list",
                "data": [_model(name, parent, catalogue) for name, parent in catalogue.names()],
            }
        )

    @router.get("/v1/models/{model}")
    async def model(model: str) -> Response:
        """One of them."""
        for name, parent in catalogue.names():
            if name == model:
                return JSONResponse(_model(name, parent, catalogue))
        raise UnknownModelError(f"没有模型 {model!r}", "全部：GET /v1/models")

    async def manage(http: HttpRequest, action: Any, *arguments: str) -> Response:
        key: Key | None = http.state.key
        if key is None and not manageable:
            raise HTTPException(403, "没有密钥、又对外开放的服务不能从外面加减适配器")
        if key is not None and not key.admin:
            raise HTTPException(
                403,
                f"密钥 {key.name!r} 不能加减适配器；新建一个能的：custome keys add 名字 --admin",
            )
        await asyncio.get_running_loop().run_in_executor(pool, action, *arguments)
        return JSONResponse({"status": "ok", "models": [one.name for one in catalogue.hosted()]})

    @router.post("/v1/load_lora_adapter")
    async def load_lora_adapter(body: LoadRequest, http: HttpRequest) -> Response:
        """Serve one more run folder of this machine."""
        return await manage(http, catalogue.load, body.lora_path, body.lora_name)

    @router.post("/v1/unload_lora_adapter")
    async def unload_lora_adapter(body: UnloadRequest, http: HttpRequest) -> Response:
        """Serve it no longer."""
        return await manage(http, catalogue.unload, body.lora_name)

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
        write = chat_body if chat else completion_body
        return JSONResponse(
            write(
                reply_id,
                created,
                body.model,
                replies,
                writing.tokens,
                options.logprobs is not None,
                body.choices(),
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


def _embedded(found: Found, texts: Sequence[str]) -> tuple[list[list[float]], int]:
    return found.engine.embed(texts), sum(found.engine.count_tokens(text) for text in texts)


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()


def _model(name: str, parent: str, catalogue: Catalogue) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": catalogue.created,
        "owned_by": "llm-custome",
        "parent": parent if parent != name else None,
    }
