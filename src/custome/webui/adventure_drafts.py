"""The list of scenarios that are being written, at the left: begin one, bring one, make one from a chapter of a book."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nicegui import run, ui

from ..apps.adventure.drafts import Drafts
from ..apps.context import LARGEST_FILE
from ..errors import CustomeError
from .shell import Frame

LINE = "display: flex; flex-wrap: wrap; gap: 8px; align-items: center"


class DraftList:
    """The list.

    Args:
        opened: called with the id of the one that was chosen.
    """

    def __init__(self, frame: Frame, drafts: Drafts, opened: Callable[[str], None]) -> None:
        self.frame, self.drafts, self._opened, self.t = frame, drafts, opened, frame.words
        self._dialog = ui.dialog().classes("gallery")
        self._box = ui.element("div").classes("chats").mark("drafts")

    def _begin(self, title: str) -> None:
        if not title.strip():
            self.frame.tell(self.t("先写一个题目"), wrong=True)
            return
        try:
            name = self.drafts.begin(title)
        except CustomeError as error:
            self.frame.warn(error)
            return
        self._opened(name)

    async def _take(self, event: Any) -> None:
        try:
            name = self.drafts.take(await event.file.read())
        except CustomeError as error:
            self.frame.warn(error)
            return
        self._opened(name)

    def _ask_for_book(self) -> None:
        """A book and a chapter of it."""
        t = self.t
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card"):
            ui.label(t("把书里的一回做成剧本")).classes("headline")
            ui.label(t("去过的地方、说话的人、题目里的事，都带着原文；认错的去掉就行。")).classes(
                "hint"
            )
            chapter = ui.number(t("第几回（章）"), value=1, min=1, precision=0).props(
                "outlined dense"
            )
            chapter.mark("chapter")

            async def take(event: Any) -> None:
                content, name = await event.file.read(), event.file.name
                self._dialog.close()
                self.frame.tell(self.t("正在读《{name}》……", name=Path(name).stem))
                try:
                    made = str(
                        await run.io_bound(
                            self.drafts.build, name, content, int(chapter.value or 1)
                        )
                    )
                except CustomeError as error:
                    self.frame.warn(error)
                    return
                self._opened(made)

            upload = ui.upload(on_upload=take, auto_upload=True, max_file_size=LARGEST_FILE)
            upload.classes("hidden").props('accept=".txt,.epub,.md,.html,.json"').mark("book")
            ui.button(t("选一本书"), on_click=lambda: upload.run_method("pickFiles")).props(
                "unelevated no-caps"
            )
        self._dialog.open()

    def draw(self, here: str) -> None:
        """As it is now.

        Args:
            here: id of the one that is open.
        """
        t = self.t
        self._box.clear()
        with self._box:
            title = (
                ui.input(placeholder=t("新剧本的题目")).props("outlined dense").mark("new-title")
            )
            with ui.element("div").style(LINE):
                ui.button(
                    t("新写一个"), on_click=lambda: self._begin(str(title.value or ""))
                ).props("unelevated no-caps dense").mark("begin")
                upload = ui.upload(on_upload=self._take, auto_upload=True, max_file_size=2_000_000)
                upload.classes("hidden").props('accept=".yaml,.yml,.json"').mark("upload")
                ui.button(t("带一个来"), on_click=lambda: upload.run_method("pickFiles")).props(
                    "outline no-caps dense"
                ).mark("bring")
                ui.button(t("从书里做一个"), on_click=self._ask_for_book).props(
                    "outline no-caps dense"
                ).mark("from-book")
            for name, called in self.drafts.names().items():
                row_classes = "chat_row here" if name == here else "chat_row"
                with ui.element("div").classes(row_classes):
                    open_it = functools.partial(self._opened, name)
                    with ui.element("button").classes("open").on("click", open_it) as row:
                        ui.label(called).classes("title")
                    row.mark(f"draft-{name}")
            ui.link(t("回去玩"), t.to("/adventure")).classes("to")
