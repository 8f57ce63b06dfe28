"""The frame around every page: who looks at it, its language and theme, drawers, the list of pages, messages, files.

A page is a function that draws into a Frame; an app registers its pages with `Shell.page`. Every page exists twice, in
Chinese at its path and in English under /en. Knows no app.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Form
from fastapi.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from nicegui import core, ui
from starlette.requests import Request

from ..apps.context import AppContext
from ..errors import CustomeError
from ..report import render
from .seal import seal_svg
from .words import ROOM, Words

OWNER, KEY, THEME, FACE = "custome_owner", "custome_key", "custome_theme", "custome_face"
"""Cookies: whose conversations they are, that somebody has shown a key, light or dark, in which typeface books are set."""
THEMES = {"auto": None, "light": False, "dark": True}
FACES = {"song": "宋体", "kai": "楷体", "hei": "黑体"}
"""Typefaces for what comes out of a book; style.css has a class for each."""
TOLD_EVERY_S = 3.0
"""How often a page says how far the work behind it is."""
KEPT_S = 31_536_000
"""A cookie, in seconds: a year."""
MESSAGE_S = 6.0
UNDO_S = 12.0


@dataclass(frozen=True)
class Entry:
    """A page in the list of pages."""

    path: str
    title: str
    icon: str


@dataclass(kw_only=True)
class Frame:
    """One page that somebody has open."""

    owner: str
    words: Words
    request: Request
    context: AppContext
    entries: list[Entry]
    path: str
    _toasts: Any = None
    left: Any = None
    """The drawer at the left; what a page puts into `things` stands in it between the list of pages and the foot."""
    things: Any = None
    title: Any = None
    """Of the header; what a page puts into it stands behind the menu button."""
    closing: list[Callable[[], None]] = field(default_factory=list)

    # -- messages ----------------------------------------------------------------------------------------------------

    def tell(
        self, text: str, undo: Callable[[], Any] | None = None, *, wrong: bool = False
    ) -> None:
        """A message that goes by itself; with `undo` it has a button."""
        with self._toasts:
            one = ui.element("div").classes("toast wrong" if wrong else "toast")
            one.props(f"role={'alert' if wrong else 'status'}")
            with one:
                ui.label(text)
                if undo is not None:
                    ui.button(self.words("撤销"), on_click=lambda: self._undone(one, undo)).props(
                        "flat dense no-caps"
                    ).mark("undo")
            ui.timer(UNDO_S if undo else MESSAGE_S, one.delete, once=True)

    def _undone(self, toast: Any, undo: Callable[[], Any]) -> Any:
        toast.set_visibility(False)
        return undo()

    def warn(self, error: Exception) -> None:
        """What the user can mend, in its own words; anything else is in the log."""
        if isinstance(error, CustomeError):
            self.tell(self.words.error(error), wrong=True)
        else:
            self.tell(self.words("出了意外的错，经过在服务器的日志里；话都还在"), wrong=True)

    # -- the rest ----------------------------------------------------------------------------------------------------

    def put_list_away(self) -> None:
        """Where the list lies over the page, as on a phone: somebody has chosen from it."""
        self.left.client.run_javascript(
            "document.querySelector('.q-drawer__backdrop:not(.hidden)')?.click()"
        )

    def download(self, name: str, data: bytes, kind: str = "text/plain") -> None:
        ui.download(data, name, kind)

    def icon_button(self, icon: str, label: str, on_click: Callable[[], Any]) -> ui.button:
        """A round button that says what it is, also to whoever cannot see it."""
        return self._round(icon, label, on_click).tooltip(label)

    def menu_button(self, icon: str, label: str) -> ui.button:
        """A round button whose menu stands where its tooltip would."""
        return self._round(icon, label, None)

    def _round(self, icon: str, label: str, on_click: Callable[[], Any] | None) -> ui.button:
        button = ui.button(icon=icon, on_click=on_click, color=None)
        return button.props(f'flat round dense aria-label="{label}"')


class Shell:
    """All pages of a server.

    Args:
        server: pages are put at its root, behind its own routes.
    """

    def __init__(self, server: FastAPI, context: AppContext) -> None:
        self.server, self.context = server, context
        self.entries: list[Entry] = []
        self._add_login()

    def page(
        self, path: str, title: str, *, icon: str = ""
    ) -> Callable[[Callable[[Frame], Any]], None]:
        """Register a page; with an icon it stands in the list of pages."""

        def register(draw: Callable[[Frame], Any]) -> None:
            if icon:
                self.entries.append(Entry(path, title, icon))
            for words in (Words(), Words(english=True)):
                self._put(words, path, title, draw)

        return register

    def _put(self, words: Words, path: str, title: str, draw: Callable[[Frame], Any]) -> None:
        async def show(request: Request) -> Response | None:
            answer = self._turned_away(request, words)
            if answer is not None:
                return answer
            frame = Frame(
                owner=request.cookies[OWNER],
                words=words,
                request=request,
                context=self.context,
                entries=self.entries,
                path=path,
            )
            _furnish(frame)
            draw(frame)
            ui.context.client.on_delete(lambda: [close() for close in frame.closing])
            return None

        ui.page(
            words.to(path),
            title=f"{words(title)} · {words('大模型定制化')}",
            language="en-US" if words.english else "zh-CN",
            response_timeout=15,
        )(show)

    def document(self, path: str, make: Callable[[Request], Path]) -> None:
        """A file to be read in the browser, behind the same key; what the user can mend is told in words."""

        async def show(request: Request) -> Response:
            if (answer := self._turned_away(request, Words())) is not None:
                return answer
            try:
                return FileResponse(await asyncio.to_thread(make, request))
            except CustomeError as error:
                return PlainTextResponse(Words().error(error), status_code=404)

        self.server.add_api_route(path, show, include_in_schema=False, response_model=None)

    # -- who comes in ------------------------------------------------------------------------------------------------

    def _turned_away(self, request: Request, words: Words) -> Response | None:
        """The way to the login, or the page that gives a browser its name; None for who may come in."""
        if not self._has_key(request):
            return RedirectResponse(words.to("/login"), status_code=303)
        if not re.fullmatch(r"[0-9a-f]{32}", request.cookies.get(OWNER, "")):
            return HTMLResponse(render.page("name.html", t=words))
        return None

    def _has_key(self, request: Request) -> bool:
        allowed = self.context.allowed
        return allowed is None or allowed("", request.cookies.get(KEY, ""))

    def _add_login(self) -> None:
        """GET and POST /login: whoever shows a key keeps it in a cookie that scripts cannot read."""
        for words in (Words(), Words(english=True)):
            for method, answer in (("GET", self._ask_key), ("POST", self._look_at_key)):
                self.server.add_api_route(
                    words.to("/login"),
                    functools.partial(answer, words),
                    methods=[method],
                    include_in_schema=False,
                    response_model=None,
                )

    def _ask_key(self, words: Words) -> Response:
        return HTMLResponse(render.page("login.html", t=words, wrong=False))

    def _look_at_key(self, words: Words, key: Annotated[str, Form()] = "") -> Response:
        allowed = self.context.allowed
        if allowed is not None and not allowed("", key.strip()):
            return HTMLResponse(render.page("login.html", t=words, wrong=True))
        response = RedirectResponse(words.to("/"), status_code=303)
        response.set_cookie(KEY, key.strip(), max_age=KEPT_S, httponly=True, samesite="lax")
        return response

    # -- onto the server ---------------------------------------------------------------------------------------------

    def mount(self) -> None:
        """Put the pages at the root of the server; to be called once, behind all `page`."""

        def lost() -> None:
            ui.add_head_html(f"<style>{_style()}</style>")
            ui.dark_mode(None)
            ui.label("没有这一页 · There is no such page").classes("lost")
            ui.link("回到对话 · Back", "/").classes("lost")

        ui.run_with(
            self.server,
            root=lost,
            title="大模型定制化",
            favicon=seal_svg("书"),
            language="zh-CN",
            binding_refresh_interval=None,
            reconnect_timeout=30.0,
            tailwind=False,
            show_welcome_message=False,
        )
        logging.getLogger("nicegui").addFilter(_Unexpected())
        self.context.closing.append(_let_go)


def _let_go() -> None:
    """Close the streams of open pages, which would hold up a shutdown."""
    loop = core.loop
    if loop is not None and loop.is_running():
        asyncio.run_coroutine_threadsafe(core.sio.shutdown(), loop)


class _Unexpected(logging.Filter):
    """Keeps out of the log what the user can mend: the page has told them."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, CustomeError)


@functools.cache
def _style() -> str:
    return (ROOM / "style.css").read_text(encoding="utf-8")


def _furnish(frame: Frame) -> None:
    """Header, drawers, theme, messages."""
    t = frame.words
    ui.add_head_html(f"<style>{_style()}</style>")
    spoken = {name: t(chinese) for name, chinese in SCRIPT_WORDS.items()}
    ui.add_head_html(
        f"<script>window.customeWords = {json.dumps(spoken, ensure_ascii=False)}</script>"
    )
    theme = frame.request.cookies.get(THEME, "auto")
    ui.on_exception(frame.warn)
    dark = ui.dark_mode(THEMES.get(theme))
    frame._toasts = ui.element("div").classes("toasts")
    with ui.header().classes("top"):
        frame.icon_button("menu", t("列表"), lambda: frame.left.toggle()).mark("menu")
        frame.title = ui.element("div").classes("title")
    # Quasar opens it where there is room. NiceGUI's own way asks the browser, and fails where that is slow to answer.
    frame.left = ui.left_drawer(value=False, bordered=True).classes("left")
    frame.left.props("show-if-above :width=300")
    with frame.left:
        with ui.element("nav").classes("pages").props(f'aria-label="{t("各页")}"'):
            for entry in frame.entries:
                here = " here" if entry.path == frame.path else ""
                with ui.link(target=t.to(entry.path)).classes(f"to{here}"):
                    ui.icon(entry.icon)
                    ui.label(t(entry.title))
        frame.things = ui.element("div").classes("things")
    _tell_progress(frame)
    _foot(frame, dark)


def _tell_progress(frame: Frame) -> None:
    line = ui.label("").classes("behind").mark("behind")

    def tell() -> None:
        text = frame.context.progress()
        line.set_text(text)
        line.set_visibility(bool(text))

    tell()
    ui.timer(TOLD_EVERY_S, tell)


def _foot(frame: Frame, dark: Any) -> None:
    """Theme and language, at the foot of the left drawer."""
    t = frame.words

    def wear(theme: str) -> None:
        dark.set_value(THEMES[theme])
        _remember(THEME, theme)

    with frame.left, ui.element("div").classes("foot"):
        for theme, icon, label in (
            ("auto", "brightness_auto", t("跟随系统")),
            ("light", "light_mode", t("浅色")),
            ("dark", "dark_mode", t("深色")),
        ):
            frame.icon_button(icon, label, functools.partial(wear, theme)).mark(theme)
        _choose_face(frame)
        other = Words(not t.english).to(frame.path)
        if chat := frame.request.query_params.get("chat"):
            other += f"?chat={quote(chat)}"
        ui.link("中文" if t.english else "English", other).classes("language")


def _choose_face(frame: Frame) -> None:
    """Song, Kai or sans for what comes out of a book: people's words, passages."""
    t, chosen = frame.words, frame.request.cookies.get(FACE, "")
    body = ui.query("body").classes(f"face_{chosen if chosen in FACES else next(iter(FACES))}")

    def set_in(face: str) -> None:
        body.classes(add=f"face_{face}", remove=" ".join(f"face_{one}" for one in FACES))
        _remember(FACE, face)

    with frame.menu_button("text_fields", t("字体")).mark("face"), ui.menu():
        for face, name in FACES.items():
            item = ui.menu_item(t(name), functools.partial(set_in, face))
            item.classes(f"face_{face} set_in").mark(face)


def _remember(cookie: str, value: str) -> None:
    """A choice of this browser's, for every page of it from now on."""
    ui.run_javascript(
        f"document.cookie = '{cookie}={value}; path=/; max-age={KEPT_S}; SameSite=Lax'"
    )


SCRIPT_WORDS = {
    "send": "发送",
    "stop": "停下",
    "copy": "复制",
    "copied": "已复制",
    "edit": "修改",
    "save": "保存",
    "resend": "保存并重新回答",
    "cancel": "取消",
    "retry": "换一个说法",
    "go_on": "接着说",
    "branch": "从这里另开一段",
    "delete": "删掉这句",
    "older": "上一个说法",
    "newer": "下一个说法",
    "actions": "对这句话",
    "down": "到最新一句",
}
"""Words of the .js files."""
