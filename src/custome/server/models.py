"""The routes about what is served: its list, and adapters that come and go.

GET /v1/models  /v1/models/{model}      POST /v1/load_lora_adapter  /v1/unload_lora_adapter
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from starlette.requests import Request as HttpRequest

from ..errors import UnknownModelError
from .catalogue import Catalogue
from .protocol import LoadRequest, UnloadRequest
from .rights import may_change


def models_router(catalogue: Catalogue, pool: Executor, *, manageable: bool) -> APIRouter:
    """The routes of a catalogue.

    Args:
        manageable: may adapters be added and removed where there are no keys?
    """
    router = APIRouter()

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

    async def manage(http: HttpRequest, action: Callable[..., object], *arguments: str) -> Response:
        may_change(http, "加减适配器", keyless=manageable)
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


def _model(name: str, parent: str, catalogue: Catalogue) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": catalogue.created,
        "owned_by": "llm-custome",
        "parent": parent if parent != name else None,
    }
