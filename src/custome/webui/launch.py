"""Opening a page on a port."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.routing import Mount

from ..apps.context import AppContext
from ..errors import ServeError
from ..ports import free_port
from .chat_page import build_chat_page

MOST_WAITING = 64
"""People who may wait in the queue; the next one is told to come back."""
LARGEST_FILE = "20mb"
"""Of what is uploaded: a long conversation, a card with its picture. What is in it is judged where it is read."""


def open_page(
    page: gr.Blocks,
    *,
    host: str,
    port: int | None,
    share: bool,
    say: Callable[[str], None],
    block: bool = True,
    what: str = "聊天页",
    check: Callable[[str, str], bool] | None = None,
) -> str:
    """Serve a page and return its address; with `block` only after Ctrl-C.

    Args:
        check: (name, key) → may they see it? None when everybody may.

    Raises:
        ServeError: see free_port; or no public address could be had for `share`.
    """
    port = free_port(host, port)
    page.queue(max_size=MOST_WAITING)
    try:
        _, address, public = page.launch(
            server_name=host,
            server_port=port,
            share=share,
            prevent_thread_lock=True,
            quiet=True,
            show_error=True,
            ssr_mode=False,
            css=_css(),
            theme=_theme(),
            auth=check,
            auth_message=_LOGIN if check else None,
            footer_links=[],
            run_history=False,
            max_file_size=LARGEST_FILE,
        )
    except Exception as error:  # gradio asks its own address through any proxy that is set, and fails in a dozen ways
        raise ServeError(
            f"{what}打不开：{error}",
            "设了代理的话，让本机不走代理：export no_proxy=127.0.0.1,localhost",
        ) from error
    say(f"{what}已打开：{address}" + (f"　公网：{public}" if public else ""))
    if host not in ("127.0.0.1", "localhost", "::1"):
        say("注意：这个地址不只本机可见" + ("" if check else "，页面没有口令"))
    if block:
        say("按 Ctrl-C 结束")
        try:
            page.block_thread()
        finally:
            page.close()
    return str(address)


def mount_page(
    app: Any, page: gr.Blocks, check: Callable[[str, str], bool] | None
) -> Callable[[], None]:
    """Put the page at the root of an API's application; what is returned lets go of open tabs, which would hold up a shutdown.

    Args:
        check: (name, key) → may they see it? None when everybody may.
    """
    page.queue(max_size=MOST_WAITING)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        auth=check,
        auth_message=_LOGIN if check else None,
        ssr_mode=False,
        css=_css(),
        theme=_theme(),
        footer_links=[],
        max_file_size=LARGEST_FILE,
        show_error=True,
    )
    mounted: Any = next(route.app for route in app.routes if isinstance(route, Mount))
    return lambda: mounted.stop_event.set()


def mount_chat_page(server: FastAPI, context: AppContext) -> None:
    """Put the chat page at the root of a server."""
    page = build_chat_page(context.hosted, context.store(), context.progress)
    context.closing.append(mount_page(server, page, context.allowed))


_LOGIN = "名字随意，密码处填密钥（sk-custome-…）"


def _css() -> str:
    return (files("custome") / "webui" / "page.css").read_text(encoding="utf-8")


def _theme() -> gr.themes.Base:
    return gr.themes.Default(primary_hue="indigo")
