"""How large a body may be; and the counting of the API's answers."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..apps.context import LARGEST_FILE
from .errors import error_body
from .metrics import Metrics

UPLOADS = "/_nicegui/client/"
"""Where files go that somebody brings to a page."""


class BodyLimit:
    """Refuses bodies that are too large, announced or not, and counts the answers of the API."""

    def __init__(self, app: ASGIApp, largest: int, metrics: Metrics) -> None:
        self._app, self._largest, self._metrics = app, largest, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(
            ("/v1/", "/shop/", "/hooks/", UPLOADS)
        ):
            await self._app(scope, receive, send)
            return
        largest = LARGEST_FILE if scope["path"].startswith(UPLOADS) else self._largest
        seen = 0
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        too_large = JSONResponse(
            error_body(f"请求超过 {largest >> 20} MB", "invalid_request_error", "body_too_large"),
            status_code=413,
        )

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > largest:
                raise HTTPException(413, f"请求超过 {largest >> 20} MB")
            return message

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = scope["path"] if scope["path"] in _COUNTED else "other"
                self._metrics.answered(path, message["status"])
            await send(message)

        if announced.isdigit() and int(announced) > largest:
            await too_large(scope, receive, counted)
            return
        await self._app(scope, limited, counted)


_COUNTED = {
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/models",
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
}


FROM_ANYWHERE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "content-type",
    "Access-Control-Allow-Methods": "GET, POST",
}
"""For what is called from pages elsewhere and known by no cookie."""


class OpenTo:
    """Puts headers on every answer below an address, errors included."""

    def __init__(self, app: ASGIApp, prefix: str, headers: Mapping[str, str]) -> None:
        self._app, self._prefix = app, prefix
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
            await send(message)

        await self._app(scope, receive, with_headers)
