"""The API: OpenAI's routes and those that apps bring along, behind keys and limits. Knows engines by name and what they can
do, nothing of models. Beside the routes of openai.py: GET /health  /ready  /metrics
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request as HttpRequest
from starlette.routing import compile_path

from .. import __version__
from ..apps.context import EVERYBODY
from .auth import KeyAuth
from .catalogue import Catalogue
from .docs import add_docs
from .errors import ERROR_ANSWERS, tell_errors
from .limits import FROM_ANYWHERE, BodyLimit, OpenTo
from .metrics import Metrics
from .models import models_router
from .openai import openai_router
from .responses import responses_router

LARGEST_BODY = 4 << 20
MOST_THREADS = 256


def create_app(
    catalogue: Catalogue,
    auth: KeyAuth,
    *,
    routers: Sequence[APIRouter] = (),
    public: Sequence[APIRouter] = (),
    hosts: Sequence[str] = ("*",),
    cors: Sequence[str] = (),
    largest_body: int = LARGEST_BODY,
    manageable: bool = True,
) -> FastAPI:
    """The API of a catalogue.

    Args:
        routers: what apps bring along; behind the same keys. `request.state.owner` says who asks.
        public: what strangers may call without a key, such as a shop's customers.
        hosts: names this server answers to; keeps web pages that call themselves localhost out of an open server.
        cors: origins of web pages that may call.
        largest_body: in bytes.
        manageable: may adapters be added and removed where there are no keys?
    """
    metrics = Metrics(catalogue)
    pool = ThreadPoolExecutor(max_workers=MOST_THREADS, thread_name_prefix="reply")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.ready = True
        yield
        app.state.ready = False

    app = FastAPI(
        title="LLM Custome", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.ready = True
    app.add_middleware(BodyLimit, largest=largest_body, metrics=metrics)
    if cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
        )
    if "*" not in hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    tell_errors(app)

    api = APIRouter(dependencies=[Depends(_entering(auth))], responses=ERROR_ANSWERS)
    _tell_health(app, api, catalogue, metrics)
    every = (
        openai_router(catalogue, pool),
        responses_router(catalogue, pool),
        models_router(catalogue, pool, manageable=manageable),
        *routers,
    )
    for router in every:
        api.include_router(router)
    _refuse_the_rest(app, api)
    if public:
        app.add_middleware(OpenTo, prefix="/shop/", headers=FROM_ANYWHERE)
    for router in public:
        app.include_router(router, responses=ERROR_ANSWERS)
    app.include_router(api)
    add_docs(app)
    return app


def _entering(auth: KeyAuth) -> Callable[[HttpRequest], AsyncIterator[None]]:
    """Checks the key of a request, and counts it while it lasts; `request.state` has the key and whose it is."""

    async def enter(http: HttpRequest) -> AsyncIterator[None]:
        # async: a plain function would cost two changes of thread
        http.state.key = key = auth.check(http.headers.get("authorization"))
        http.state.owner = f"key:{key.name}" if key else EVERYBODY
        with auth.inside(key):
            yield

    return enter


def _refuse_the_rest(app: FastAPI, api: APIRouter) -> None:
    """Whatever else is asked for under /v1 is refused in OpenAI's shape, whoever stands at the root of the server."""

    @api.api_route(
        "/v1/{path:path}",
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        include_in_schema=False,
    )
    async def refuse(path: str, http: HttpRequest) -> Response:
        known = app.openapi()["paths"].items()
        here = [methods for route, methods in known if compile_path(route)[0].match(http.url.path)]
        if here:
            allowed = sorted({method.upper() for methods in here for method in methods})
            raise HTTPException(
                405, f"{http.url.path} 只能用 {'、'.join(allowed)}", {"Allow": ", ".join(allowed)}
            )
        raise HTTPException(404, f"没有 {http.url.path} 这个地址；有哪些：GET /docs")


def _tell_health(app: FastAPI, api: APIRouter, catalogue: Catalogue, metrics: Metrics) -> None:
    """Routes for whoever watches over the server."""

    @app.get("/health")
    async def health() -> Response:
        """The process lives."""
        return JSONResponse({"status": "ok"})

    @app.get("/ready")
    async def ready() -> Response:
        """There is something to be asked."""
        able = bool(app.state.ready and catalogue.hosted())
        return JSONResponse(
            {"status": "ready" if able else "not ready"}, status_code=200 if able else 503
        )

    @api.get("/metrics")
    async def prometheus() -> Response:
        """Counters for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")
