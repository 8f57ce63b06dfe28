"""Opening a page on a port."""

from __future__ import annotations

import socket
from collections.abc import Callable
from importlib.resources import files

import gradio as gr

from ..errors import ServeError

FIRST_PORT, LAST_PORT = 7860, 7959
MOST_WAITING = 64
"""People who may wait in the queue; the next one is told to come back."""
LARGEST_FILE = "2mb"
"""Of a conversation that is loaded."""


def free_port(host: str, wanted: int | None) -> int:
    """`wanted` if it is free, or the first free one of the usual range.

    Raises:
        ServeError: the wanted port is taken, or the host is not one of this machine's.
    """
    for port in [wanted] if wanted else range(FIRST_PORT, LAST_PORT + 1):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except socket.gaierror as error:
                raise ServeError(
                    f"不认识的地址 {host!r}：{error.strerror}", "本机用 127.0.0.1，对外用 0.0.0.0"
                ) from error
            except OverflowError as error:
                raise ServeError(f"端口 {port!r} 不在 1–65535 之间", "换一个端口：--port 7860") from error
            except PermissionError as error:
                raise ServeError(f"没有权限用端口 {port}", "换一个 1024 以上的端口：--port 7860") from error
            except OSError as error:
                if wanted:
                    raise ServeError(f"{host}:{port} 用不了：{error.strerror}", f"换一个端口：--port {port + 1}，或不给 --port 自动找") from error  # fmt: skip
                continue
            return port
    raise ServeError(f"{FIRST_PORT}–{LAST_PORT} 的端口都被占用", "指定一个空闲端口：--port 9000")


def open_page(
    page: gr.Blocks,
    *,
    host: str,
    port: int | None,
    share: bool,
    say: Callable[[str], None],
    block: bool = True,
    what: str = "聊天页",
) -> str:
    """Serve a page and return its address; with `block` only after Ctrl-C.

    Raises:
        ServeError: see free_port; or no public address could be had for `share`.
    """
    port = free_port(host, port)
    css = (files("custome") / "webui" / "page.css").read_text(encoding="utf-8")
    page.queue(max_size=MOST_WAITING)
    try:
        _, address, public = page.launch(
            server_name=host, server_port=port, share=share, prevent_thread_lock=True, quiet=True, show_error=True,
            ssr_mode=False, css=css, theme=gr.themes.Default(primary_hue="indigo"), footer_links=[], run_history=False, max_file_size=LARGEST_FILE,
        )  # fmt: skip
    except Exception as error:  # gradio asks its own address through any proxy that is set, and fails in a dozen ways
        raise ServeError(
            f"{what}打不开：{error}", "设了代理的话，让本机不走代理：export no_proxy=127.0.0.1,localhost"
        ) from error
    say(f"{what}已打开：{address}" + (f"　公网：{public}" if public else ""))
    if host not in ("127.0.0.1", "localhost", "::1"):
        say("注意：这个地址不只本机可见，页面没有口令")
    if block:
        say("按 Ctrl-C 结束")
        try:
            page.block_thread()
        finally:
            page.close()
    return str(address)
