"""`custome serve`: the pages and the API in one process, and who may use them."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from ..engine.open import EngineOptions, Opened, open_models
from ..errors import InputError, ServeError
from ..ports import LOOPBACK, free_port
from ..reporter import ConsoleReporter
from .apps import app_models, mount_pages, public_routers, routers
from .flags import parse, take
from .keys import keys_path
from .vllm import serve_vllm

if TYPE_CHECKING:
    import socket
    from types import FrameType

    import uvicorn
    from fastapi import FastAPI

    from ..apps.context import AppContext, Part, Speaker, Work
    from ..engine.base import Cancel, ServedModel
    from ..server.auth import KeyAuth
    from ..webui.shell import Shell

GRACE_S = 15
"""How long replies may go on after Ctrl-C."""


@dataclass(frozen=True, kw_only=True)
class Serve:
    """聊天页和 OpenAI 兼容的 API，一个进程；几个运行目录一起服务。"""

    runs: Positional[tuple[str, ...]] = ()
    """运行目录，如 runs/sanguo runs/shuihu；目录名就是模型名，人物是 sanguo:诸葛亮。一个都不给：打开页面，在那里带书来做。"""
    host: str = "127.0.0.1"
    """监听地址；默认只有本机能访问。对外要先有密钥：custome keys add 名字。"""
    port: int | None = None
    """端口；默认从 7860 起找一个空闲的。"""
    page: bool = True
    """开聊天页；--no-page 只要 API，省八十兆内存。"""
    workshop: Literal["auto", "on", "off"] = "auto"
    """页面上能不能做语料、训练、导出（写进现在这个目录）；auto：只有本机能访问时能。"""
    share: bool = False
    """上一版借 Gradio 的公网隧道；现在没有了，会说用什么代替。"""
    keys: str = ""
    """密钥文件；默认是缓存目录里的 keys.json。没有密钥时谁都能用，所以只许本机。"""
    allow_open: bool = False
    """没有密钥也对外开放。"""
    cors: tuple[str, ...] = ()
    """哪些网页可以从浏览器里调用 API，如 http://localhost:8000；默认都不行。"""
    chats: str = ""
    """对话存在哪里：文件，或 postgresql+psycopg://用户@主机/库；默认是缓存目录里的 chats.db。"""
    most_waiting: int = 64
    """每个模型最多排多少个请求；再来的得到 429。"""
    model: EngineOptions = field(default_factory=EngineOptions)


def serve(argv: list[str]) -> int:
    if take(argv, "engine") == "vllm":
        return serve_vllm(argv)
    return run_flags(parse(Serve, argv, "custome serve"))


def run_flags(flags: Serve) -> int:
    doorkeeper = who_may(flags)

    port = free_port(flags.host, flags.port)
    if not flags.runs and flags.model.engine != "remote" and flags.page and _may_make(flags):
        opened = Opened(hosted=[])  # the page has a workshop, where the first one is made
    else:
        opened = open_models(flags.runs, flags.model, ConsoleReporter())
    return run_server(opened, doorkeeper, flags, port)


def who_may(flags: Serve) -> KeyAuth:
    """The doorkeeper for these flags.

    Raises:
        ServeError: others could reach it, and there is no key.
    """
    from ..server.auth import KeyAuth, read_keys

    if flags.keys and not Path(flags.keys).is_file():
        raise InputError(
            f"没有密钥文件 {flags.keys!r}", f"新建：custome keys add 名字 --keys {flags.keys}"
        )
    doorkeeper = KeyAuth(read_keys(keys_path(flags.keys)))
    if flags.share:
        raise no_tunnel("--share")
    if flags.host not in LOOPBACK and doorkeeper.open and not flags.allow_open:
        raise ServeError(
            f"{flags.host!r} 不只本机能到，现在又没有密钥",
            "先 custome keys add 名字；或真要谁都能用：--allow-open",
        )
    return doorkeeper


def no_tunnel(flag: str) -> ServeError:
    """What to use in place of the tunnel that the last release borrowed."""
    return ServeError(
        f"{flag}：页面不再用 Gradio，借不到它的公网隧道了",
        "同一个局域网：--host 0.0.0.0，先 custome keys add 名字；公网：cloudflared tunnel --url http://127.0.0.1:7860，或 ssh -R 80:127.0.0.1:7860 自己的服务器",
    )


def page_check(doorkeeper: KeyAuth) -> Callable[[str, str], bool] | None:
    """(name, key) → may they see the page? None when everybody may."""
    return None if doorkeeper.open else lambda _, key: doorkeeper.find(key) is not None


def run_server(
    opened: Opened,
    doorkeeper: KeyAuth,
    flags: Serve,
    port: int,
    begin: Callable[[AppContext], Work] | None = None,
) -> int:
    """Serve until Ctrl-C.

    Args:
        begin: starts what goes on behind it, given the catalogue of what is served.
    """
    from ..apps.context import AppContext
    from ..conversations.store import open_store
    from ..engine.embedding import embedder
    from ..server.app import create_app
    from ..server.catalogue import Catalogue

    catalogue = Catalogue(opened.hosted, open_run=opened.open_run, most_waiting=flags.most_waiting)

    def serve_one(run: Path) -> None:
        model = EngineOptions() if flags.model.engine == "remote" else flags.model
        catalogue.replace(open_models([str(run)], model, ConsoleReporter()).hosted[0])

    context = AppContext(
        hosted=catalogue.hosted,
        store=functools.cache(lambda: open_store(flags.chats)),
        allowed=page_check(doorkeeper),
        workplace=Path.cwd() if _may_make(flags) else None,
        serve_run=serve_one,
        busy=catalogue.busy,
        voice_of=voice_of,
        speaker_of=speaker_of,
        embedder_of=embedder,
    )
    catalogue.app_models.extend(app_models(context))
    app = create_app(
        catalogue,
        doorkeeper,
        routers=routers(context),
        public=public_routers(context),
        hosts=("*",) if flags.host not in LOOPBACK or not doorkeeper.open else (*LOOPBACK, "[::1]"),
        cors=flags.cors,
        manageable=flags.host in LOOPBACK,
    )
    if flags.page:
        mount_pages(app, context)
    names = [one.name for one in catalogue.hosted()]
    server = _server(
        app,
        flags.host,
        port,
        closing=context.closing,
        ready=lambda: _say_where(flags, port, names, doorkeeper.open),
    )
    try:
        if begin is not None:
            context.work.append(begin(context))
        with suppress(KeyboardInterrupt):  # uvicorn raises it again once it is down
            server.run()
    finally:
        for one in context.work:
            one.stop()
    return 0


def voice_of(model: ServedModel, person: str) -> Callable[[str, str, Cancel | None], str]:
    """How somebody of a model's book tells what another app has found."""
    from ..apps.cosplay.service import responder_of
    from ..apps.cosplay.wording import words_of

    return words_of(responder_of(model), person)


def speaker_of(model: ServedModel, part: Part) -> Speaker:
    """How a model plays somebody of another app's story."""
    from ..apps.cosplay import wording
    from ..apps.cosplay.service import responder_of

    return wording.speaker_of(lambda card: responder_of(model, {card.name: card}), part)


def _may_make(flags: Serve) -> bool:
    """May pages build corpora and train? A key to talk is no key to this computer, so only from here, or when asked for."""
    return flags.workshop == "on" or (flags.workshop == "auto" and flags.host in LOOPBACK)


def _say_where(flags: Serve, port: int, names: list[str], is_open: bool) -> None:
    shown = f"[{flags.host}]" if ":" in flags.host else flags.host
    what = "聊天页已打开" if flags.page else "API 已打开"
    address = f"http://{shown}:{port}/"
    served = "、".join(names) or "还没有；在页面上带一本书来"
    print(f"{what}：{address}　API：{address}v1　模型：{served}", flush=True)
    if flags.host not in LOOPBACK and is_open:
        print("注意：这个地址不只本机可见，没有密钥，谁都能用", flush=True)
    print("按 Ctrl-C 结束", flush=True)


def _server(
    app: FastAPI,
    host: str,
    port: int,
    *,
    closing: Sequence[Callable[[], None]],
    ready: Callable[[], None],
) -> uvicorn.Server:
    """A uvicorn that says when it answers, and lets go of the pages' streams first when it is told to end."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=GRACE_S,
        access_log=False,
        server_header=False,
        ws_per_message_deflate=False,  # half of what a few words cost
    )
    server = Server(config)
    stop = server.handle_exit

    def handle_exit(number: int, frame: FrameType | None) -> None:
        for let_go in closing:
            let_go()
        stop(number, frame)

    server.handle_exit = handle_exit  # type: ignore[assignment, method-assign]
    # else uvicorn, once it is down, ends the process with it
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return server


def serve_run(run: str, model: EngineOptions, *, host: str, port: int | None) -> int:
    """`custome serve RUN`, for a command that has one at hand."""
    flags = Serve(runs=(run,), host=host, port=port, model=model)
    return run_flags(flags)


def serve_pages(add: Callable[[Shell], None], *, host: str, port: int | None, what: str) -> int:
    """Pages without an API or a model, until Ctrl-C.

    Args:
        add: registers them.
        what: they are called.
    """
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from ..apps.context import AppContext
    from ..conversations.store import open_store
    from ..webui.shell import Shell

    port = free_port(host, port)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if host in LOOPBACK:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "[::1]"])
    context = AppContext(hosted=lambda: (), store=functools.cache(open_store))
    shell = Shell(app, context)
    add(shell)
    shell.mount()

    def say() -> None:
        shown = f"[{host}]" if ":" in host else host
        print(f"{what}已打开：http://{shown}:{port}/", flush=True)
        if host not in LOOPBACK:
            print("注意：这个地址不只本机可见，页面没有口令", flush=True)
        print("按 Ctrl-C 结束", flush=True)

    with suppress(KeyboardInterrupt):
        _server(app, host, port, closing=context.closing, ready=say).run()
    return 0
