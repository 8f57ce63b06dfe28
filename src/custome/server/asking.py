"""A request of the API → what writes its replies: to somebody of a book as on the page, or to nobody in particular."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace

from ..apps.cosplay.prompt import names_who_answers
from ..apps.cosplay.service import responder_of
from ..engine.base import Cancel, OnPiece, check_options
from ..errors import InputError, LengthError
from ..types import GenerateOptions, Reply, Request
from .catalogue import Catalogue, Found
from .protocol import (
    ChatRequest,
    CompletionRequest,
    SceneRequest,
    fitted,
)
from .writing import Write


async def find(catalogue: Catalogue, pool: Executor, model: str, character: str | None) -> Found:
    """The model asked for; one that must be opened first is opened in the pool."""
    if catalogue.at_hand(model):
        return catalogue.find(model, character)
    return await asyncio.get_running_loop().run_in_executor(pool, catalogue.find, model, character)


async def chat_writes(
    catalogue: Catalogue, pool: Executor, body: ChatRequest, root: str
) -> tuple[str, list[Write]]:
    """(the model's name as it is answered, what writes each choice) of a conversation.

    Args:
        root: address of the server, for links in answers.

    Raises:
        CustomeError: nobody can answer this.
    """
    for app in catalogue.app_models:
        prefix, _, name = body.model.partition(":")
        if prefix == app.prefix and not catalogue.serves(prefix):
            return body.model, app.writes(body, name, root)
    found = await find(catalogue, pool, body.model, body.character)
    loop = asyncio.get_running_loop()
    check_options(found.engine, body.options())
    own_cue = not found.by_name and names_who_answers(body.messages[-1].text())  # …孔明曰：
    if body.scene is not None or (found.speaker and not own_cue):
        name, wanted = await loop.run_in_executor(pool, _played, body, found)
        return (body.model if body.scene is None else f"{found.hosted.name}:{name}"), wanted
    request = body.request()
    if body.truncation == "auto":
        most = found.engine.max_context - body.options().max_new_tokens
        request = await loop.run_in_executor(
            pool, fitted, request, found.engine.prompt_tokens, most
        )
    return body.model, plain_writes(found, [request], body)


def _seeded(options: GenerateOptions, number: int) -> GenerateOptions:
    """The options of one of several choices: each with a seed of its own."""
    return (
        options
        if options.seed is None or not number
        else replace(options, seed=options.seed + number)
    )


def plain_writes(
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
