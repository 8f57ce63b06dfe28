"""What other services call when a shop's customer writes there: each delivery is signed, and one that comes twice is answered once.

POST /hooks/{shop}/webhook    POST /hooks/{shop}/chatwoot?word=…    GET and POST /hooks/{shop}/wecom
"""

from __future__ import annotations

import json
import secrets
import time

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest

from ..apps.context import AppContext
from ..apps.service.channels import chatwoot, webhook
from ..apps.service.channels.setup import Channels, read_channels
from ..apps.service.desks import desks_of
from ..errors import InputError


def hooks_router(context: AppContext) -> APIRouter:
    """The routes of channels."""
    router = APIRouter(prefix="/hooks", tags=["hooks"])
    channels = Channels(desks_of(context), context.store, read_channels())

    @router.post("/{shop}/webhook")
    async def generic(shop: str, http: HttpRequest) -> Response:
        """The generic webhook; the answer is in the response."""
        body = await http.body()
        secret = str(channels.of(shop, "webhook")["secret"])
        incoming = webhook.receive(secret, http.headers, body)
        said = await run_in_threadpool(lambda: channels.say(shop, "webhook", incoming))
        return JSONResponse({"text": said.text, "kind": said.kind, "state": said.state})

    @router.post("/{shop}/chatwoot")
    async def from_chatwoot(shop: str, word: str, http: HttpRequest) -> Response:
        """An event of Chatwoot's agent bot; the answer goes over its API."""
        channels.check_word(shop, word)
        try:
            sent = json.loads(await http.body())
        except ValueError as error:
            raise InputError(f"请求体不是 JSON：{error}", "看看回调地址有没有配错") from error
        event = chatwoot.receive(sent) if isinstance(sent, dict) else None
        if event is not None:
            await run_in_threadpool(lambda: channels.chatwoot_event(shop, event))
        return JSONResponse({"status": "ok"})

    @router.get("/{shop}/wecom")
    async def verify(
        shop: str, msg_signature: str, timestamp: str, nonce: str, echostr: str
    ) -> Response:
        """WeCom asks whether this address is ours."""
        plain = channels.wecom(shop).verify_url(msg_signature, timestamp, nonce, echostr)
        return PlainTextResponse(plain)

    @router.post("/{shop}/wecom")
    async def from_wecom(
        shop: str, msg_signature: str, timestamp: str, nonce: str, http: HttpRequest
    ) -> Response:
        """A message of WeCom; answered in the response, sealed."""
        there = channels.wecom(shop)
        incoming = there.receive(msg_signature, timestamp, nonce, await http.body())
        if incoming is None:
            return PlainTextResponse("")
        said = await run_in_threadpool(lambda: channels.say(shop, "wecom", incoming))
        if not said.text:
            return PlainTextResponse("")
        now, word = str(int(time.time())), secrets.token_hex(8)
        sealed = there.seal(there.reply_to(incoming.customer, said.text, now))
        answer = (
            f"<xml><Encrypt><![CDATA[{sealed}]]></Encrypt>"
            f"<MsgSignature><![CDATA[{there.sign(now, word, sealed)}]]></MsgSignature>"
            f"<TimeStamp>{now}</TimeStamp><Nonce><![CDATA[{word}]]></Nonce></xml>"
        )
        return Response(answer, media_type="application/xml")

    return router
