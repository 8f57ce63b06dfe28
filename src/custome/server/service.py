"""What a shop's own people call: who waits, taking a conversation, answering, giving it back, the day's report.

/v1/service/{shop}/cases  …/{chat}  …/{chat}/take · answer · give_back · close · faq    /v1/service/{shop}/report
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from ..apps.context import AppContext
from ..apps.service.desks import desks_of
from ..apps.service.measuring import day_report
from .protocol import Strict

Agent = Annotated[str, Field(min_length=1, max_length=40)]


class AgentActs(Strict):
    """POST …/take, give_back, close"""

    agent: Agent


class AgentSays(Strict):
    """POST …/answer"""

    agent: Agent
    text: Annotated[str, Field(min_length=1, max_length=5_000)]


class NewFaq(Strict):
    """POST …/faq"""

    question: Annotated[str, Field(min_length=1, max_length=500)]
    answer: Annotated[str, Field(min_length=1, max_length=5_000)]


def service_router(context: AppContext) -> APIRouter:
    """The routes of a shop's own people."""
    router, desks = APIRouter(prefix="/v1/service", tags=["service"]), desks_of(context)

    @router.get("")
    async def shops() -> Response:
        """Every shop."""
        return JSONResponse({"object": "list", "data": await run_in_threadpool(desks.names)})

    @router.get("/{shop}/cases")
    async def cases(
        shop: str, state: Literal["queued", "human", "bot", "closed", "all"] = "queued"
    ) -> Response:
        """Conversations in a state, who has waited longest first."""
        states = () if state == "all" else (state,)
        found = await run_in_threadpool(
            lambda: [asdict(one) for one in desks.get(shop).cases(*states)]
        )
        return JSONResponse({"object": "list", "data": found})

    @router.get("/{shop}/cases/{chat}")
    async def case(shop: str, chat: str) -> Response:
        """A conversation with its summary."""

        def look() -> dict[str, Any]:
            desk = desks.get(shop)
            turns = [
                {
                    "id": one.id,
                    "by_customer": one.by_user,
                    "name": one.name,
                    "text": one.text,
                    **one.stats,
                }
                for one in desk.turns(chat)
            ]
            return {"summary": desk.summary(chat), "turns": turns}

        return JSONResponse(await run_in_threadpool(look))

    @router.post("/{shop}/cases/{chat}/take")
    async def take(shop: str, chat: str, body: AgentActs) -> Response:
        """Take a conversation over; refused where another agent has it."""
        return await _do(lambda: desks.get(shop).take(chat, body.agent))

    @router.post("/{shop}/cases/{chat}/answer")
    async def answer(shop: str, chat: str, body: AgentSays) -> Response:
        """Say something to the customer."""
        return await _do(lambda: desks.get(shop).answer_as(chat, body.agent, body.text))

    @router.post("/{shop}/cases/{chat}/give_back")
    async def give_back(shop: str, chat: str, body: AgentActs) -> Response:
        """The assistant goes on."""
        return await _do(lambda: desks.get(shop).give_back(chat, body.agent))

    @router.post("/{shop}/cases/{chat}/close")
    async def close(shop: str, chat: str, body: AgentActs) -> Response:
        """It is over."""
        return await _do(lambda: desks.get(shop).close(chat, body.agent))

    @router.post("/{shop}/cases/{chat}/faq")
    async def faq(shop: str, chat: str, body: NewFaq) -> Response:
        """What was answered becomes a question with its answer."""
        return await _do(lambda: desks.get(shop).save_as_faq(chat, body.question, body.answer))

    @router.get("/{shop}/report")
    async def report(shop: str, day: date | None = None) -> Response:
        """A day on one page, in Markdown."""
        desks_day = day or date.today()
        text = await run_in_threadpool(lambda: day_report(desks.get(shop).store, shop, desks_day))
        return PlainTextResponse(text, media_type="text/markdown; charset=utf-8")

    return router


async def _do(act: Callable[[], None]) -> Response:
    await run_in_threadpool(act)
    return JSONResponse({"status": "ok"})
