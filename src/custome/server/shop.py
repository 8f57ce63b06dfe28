"""What a shop's customers call, from any page: a conversation of their own, known by a word only they have. No key, no cookie;
GET /shop/widget.js is the one script tag.

/shop/{shop}/profile  /shop/{shop}/chats  …/{chat}  …/{chat}/messages  …/{chat}/rating
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict, deque
from dataclasses import asdict
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest

from ..apps.context import AppContext
from ..apps.service.desk import LONGEST, SYSTEM
from ..apps.service.desks import desks_of
from ..errors import BusyError
from ..report import render
from .hooks import hooks_router
from .protocol import Strict

A_MINUTE = 30
"""Messages of one customer in a minute."""
BEGUN_A_MINUTE = 60
"""Conversations that are begun in a minute from one address."""


class CustomerSays(Strict):
    """POST /shop/{shop}/chats/{chat}/messages"""

    customer: Annotated[str, Field(min_length=8, max_length=64)]
    text: Annotated[str, Field(max_length=LONGEST + 1)]
    key: Annotated[str, Field(max_length=64)] = ""
    """Of this delivery: sent again, it is answered once."""


class Rating(Strict):
    """POST /shop/{shop}/chats/{chat}/rating"""

    customer: Annotated[str, Field(min_length=8, max_length=64)]
    stars: Annotated[int, Field(ge=1, le=5)]


class _Rate:
    """How often something may happen."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._when: dict[str, deque[float]] = defaultdict(deque)

    def check(self, name: str) -> None:
        """Raises BusyError where it happened too often in the last minute."""
        now, when = time.monotonic(), self._when[name]
        while when and now - when[0] > 60:
            when.popleft()
        if len(when) >= self._most:
            raise BusyError("发得太快了", "等一会儿再发", retry_after_s=int(61 - (now - when[0])))
        when.append(now)
        if len(self._when) > 10_000:
            self._when.clear()


def public_router(context: AppContext) -> APIRouter:
    """Everything that is called without a key: by customers, and by services they write from."""
    router = APIRouter()
    router.include_router(shop_router(context))
    router.include_router(hooks_router(context))
    return router


def shop_router(context: AppContext) -> APIRouter:
    """The routes of customers."""
    router, desks = APIRouter(prefix="/shop", tags=["shop"]), desks_of(context)
    said, begun = _Rate(A_MINUTE), _Rate(BEGUN_A_MINUTE)

    @router.get("/widget.js")
    async def widget() -> Response:
        """The script that puts the assistant on a page: <script src=".../shop/widget.js" data-shop="NAME"></script>"""
        script = (files("custome") / "webui" / "widget.js").read_text(encoding="utf-8")
        return Response(script, media_type="text/javascript; charset=utf-8")

    @router.options("/{path:path}", include_in_schema=False)
    async def asked_first(path: str) -> Response:
        """Browsers ask before they send JSON to another place."""
        return Response()

    @router.get("/{shop}")
    async def page(shop: str) -> Response:
        """A page with nothing but the assistant on it, to try it or to link to."""
        await run_in_threadpool(lambda: desks.get(shop))
        return HTMLResponse(render.page("shop.html", shop=shop))

    @router.get("/{shop}/profile")
    async def profile(shop: str) -> Response:
        """What the assistant is called, what it says first, when people are there."""
        return _answer(asdict(await run_in_threadpool(lambda: desks.get(shop).profile())))

    @router.post("/{shop}/chats")
    async def begin(shop: str, http: HttpRequest) -> Response:
        """A new conversation, and the word its customer is known by."""
        begun.check(http.client.host if http.client else "")
        customer = f"客{secrets.token_hex(12)}"
        chat = await run_in_threadpool(lambda: desks.get(shop).begin(customer))
        return _answer({"chat": chat, "customer": customer})

    @router.get("/{shop}/chats/{chat}")
    async def read(
        shop: str,
        chat: str,
        customer: Annotated[str, Field(max_length=64)],
        after: Annotated[int, Field(ge=0)] = 0,
    ) -> Response:
        """What was said after a turn, and who answers now."""

        def look() -> dict[str, Any]:
            desk = desks.get(shop)
            turns = desk.history(chat, customer)
            shown = [
                {
                    "id": one.id,
                    "mine": one.by_user,
                    "name": "" if one.by_user else one.name,
                    "text": one.text,
                }
                for one in turns
                if one.id > after and one.name != SYSTEM
            ]
            return {"state": desk.state(chat, customer), "turns": shown}

        return _answer(await run_in_threadpool(look))

    @router.post("/{shop}/chats/{chat}/messages")
    async def say(shop: str, chat: str, body: CustomerSays) -> Response:
        """Say something; the answer, or nothing where a person has the conversation."""
        said.check(body.customer)
        answered = await run_in_threadpool(
            lambda: desks.get(shop).say(chat, body.customer, body.text, body.key)
        )
        return _answer({"text": answered.text, "kind": answered.kind, "state": answered.state})

    @router.post("/{shop}/chats/{chat}/rating")
    async def rate(shop: str, chat: str, body: Rating) -> Response:
        """How satisfied the customer is."""
        await run_in_threadpool(lambda: desks.get(shop).rate(chat, body.customer, body.stars))
        return _answer({"status": "ok"})

    return router


def _answer(body: dict[str, Any]) -> Response:
    return JSONResponse(body)
