"""The page of novels: which there are at the left; the brief, the outline, the chapters while they are written, checks, books to take away.

Everything shown is read from the novel's folder, so the page can be closed while it is written.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nicegui import ui

from ..apps.novel.checking import check, letters_written
from ..apps.novel.export import export
from ..apps.novel.folder import NovelFolder, Row
from ..apps.novel.ledger import ledger, promises
from ..apps.novel.service import Novels, novels_of
from ..apps.novel.writing import plan
from ..errors import CustomeError
from ..report.books import FORMS
from .novel_brief import BriefForm, ask_for_novel
from .novel_chapter import ChapterView
from .shell import Frame, Shell

LOOK_EVERY_S = 0.5
TABS = ("设定", "目录", "写作", "事实", "检查")
FACTS = 600
"""Facts that are drawn."""
DAYS = 14
"""Days whose letters are drawn."""
DAYS_LOOK = "display: flex; gap: 14px; align-items: flex-end; overflow-x: auto"
DAY_LOOK = "display: flex; flex-direction: column; align-items: center; gap: 3px"
BAR_LOOK = "width: 22px; border-radius: 4px 4px 0 0; background: var(--seal)"
ROWS = 60
"""Rows of an outline that are drawn at once."""


def add_pages(shell: Shell) -> None:
    """The page of novels, where pages may make things."""
    if shell.context.workplace is None:
        return
    novels = novels_of(shell.context)

    def draw(frame: Frame) -> None:
        NovelPage(frame, novels)

    shell.page("/novel", "小说", icon="edit_note")(draw)


class NovelPage:
    """One tab of a browser."""

    def __init__(self, frame: Frame, novels: Novels) -> None:
        self.frame, self.novels, self.t = frame, novels, frame.words
        self.name = ""
        self._first = 0
        """First row of the outline that is drawn."""
        self._seen: Any = None
        self._form: BriefForm | None = None
        """Drawn when it is looked at."""
        self._client = ui.context.client
        self._dialog = ui.dialog().classes("gallery")
        self._build()
        names = novels.names()
        asked = frame.request.query_params.get("name", "")
        self.open(asked if asked in names else next(iter(names), ""))
        ui.timer(LOOK_EVERY_S, self._look)

    # -- layout ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        t, frame = self.t, self.frame
        with frame.title:
            self._title = ui.label(t("小说")).classes("chat_title").mark("title")
        with frame.things:
            ui.button(t("新开一本"), on_click=self._ask_for_one).props("outline no-caps").mark(
                "new"
            )
            self._books = ui.element("div").classes("chats").mark("books")
        with ui.element("div").classes("novel"):
            self._empty = ui.element("div").classes("empty")
            with self._empty:
                ui.icon("edit_note").classes("big")
                ui.label(t("写一本小说")).classes("who")
                ui.label(
                    t("先说一句要写什么；人物、目录、正文都会替你起个头，哪一个字都能改。")
                ).classes("about")
                ui.button(t("新开一本"), on_click=self._ask_for_one).props("unelevated no-caps")
            with ui.element("div").classes("novel_open") as self._open:
                with ui.tabs().props("no-caps align=left inline-label") as self._tabs:
                    for tab in TABS:
                        ui.tab(tab, label=t(tab)).mark(f"tab-{tab}")
                with ui.tab_panels(self._tabs, value="写作", animated=False).classes("panels"):
                    panels = {}
                    for tab in TABS:
                        with ui.tab_panel(tab):
                            panels[tab] = ui.element("div").classes("novel_panel").mark(tab)
            self._panels = panels
        self._tabs.on_value_change(lambda _: self.refresh())

    # -- which novel -------------------------------------------------------------------------------------------------

    def _ask_for_one(self) -> None:
        ask_for_novel(self._dialog, self.frame, self.novels, self._begun)

    async def _begun(self, name: str) -> None:
        try:
            await asyncio.to_thread(plan, self.novels.get(name))
        except CustomeError as error:
            self.frame.warn(error)
        self.open(name)
        self._tabs.set_value("目录")

    def open(self, name: str) -> None:
        """Show a novel."""
        self.name, self._first = name, 0
        self._seen = None
        self._empty.set_visibility(not name)
        self._open.set_visibility(bool(name))
        for panel in self._panels.values():
            panel.clear()
        if name:
            self._form = None
            with self._panels["写作"]:
                self._chapter = ChapterView(self.frame, self.novels, name, self._dialog)
        self.refresh()

    @property
    def folder(self) -> NovelFolder:
        return self.novels.get(self.name)

    def _safely(self, do: Callable[[], Any]) -> Any:
        try:
            return do()
        except CustomeError as error:
            with self._client:
                self.frame.warn(error)
            return None

    # -- what is shown -----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """As it is now."""
        self._draw_books()
        self._title.set_text(self.name or self.t("小说"))
        if not self.name:
            return
        tab = str(self._tabs.value or "写作")
        draw = {
            "目录": self._draw_outline,
            "写作": self._chapter.refresh,
            "事实": self._draw_facts,
            "设定": self._draw_form,
            "检查": self._draw_checks,
        }
        if tab in draw:
            self._safely(draw[tab])

    def _draw_form(self) -> None:
        if self._form is None:
            with self._panels["设定"]:
                self._form = BriefForm(self.frame, self.folder, self.refresh)
        self._form.refresh()

    def _look(self) -> None:
        """What has changed since."""
        names, job = self.novels.names(), self.novels.job
        seen = names, job
        if seen == self._seen:
            return
        ended = (
            self._seen is not None
            and job is not None
            and not job.running
            and self._seen[1] is not None
            and self._seen[1].running
        )
        self._seen = seen
        self._draw_books()
        if self.name and self._tabs.value == "写作":
            self._safely(self._chapter.refresh)
        if ended and job is not None and job.error is not None:
            self.frame.warn(job.error)

    def _draw_books(self) -> None:
        self._books.clear()
        with self._books:
            for name in self.novels.names():
                open_it = functools.partial(self.open, name)
                with ui.element("div").classes(
                    "chat_row here" if name == self.name else "chat_row"
                ):
                    with ui.element("button").classes("open").on("click", open_it) as row:
                        ui.label(name).classes("title")
                    row.mark(f"novel-{name}")

    # -- the outline -------------------------------------------------------------------------------------------------

    def _draw_outline(self) -> None:
        t, folder, panel = self.t, self.folder, self._panels["目录"]
        rows = folder.outline()
        panel.clear()
        with panel:
            stale = bool(rows) and folder.outline_is_stale()
            if stale:
                ui.label(t("设定改过了，目录还是照旧的设定排的")).classes("stale").mark("stale")
            with ui.element("div").classes("buttons"):
                words = t("重排目录") if rows else t("排目录")
                ui.button(words, on_click=self._plan).props("outline no-caps").mark("plan")
                if len(rows) > ROWS:
                    self._pager(len(rows))
            for row in rows[self._first : self._first + ROWS]:
                self._draw_row(folder, row)

    def _pager(self, count: int) -> None:
        t = self.t

        def turn(by: int) -> None:
            self._first = max(0, min(self._first + by, (count - 1) // ROWS * ROWS))
            self.refresh()

        self.frame.icon_button("chevron_left", t("前面的"), lambda: turn(-ROWS))
        last = min(count, self._first + ROWS)
        ui.label(f"{self._first + 1}–{last} / {count}").classes("hint")
        self.frame.icon_button("chevron_right", t("后面的"), lambda: turn(ROWS))

    def _draw_row(self, folder: NovelFolder, row: Row) -> None:
        t = self.t
        with ui.element("div").classes("outline_row").mark(f"row-{row.number}"):
            with ui.element("div").classes("about"):
                ui.label(t("第 {number} 回", number=row.number)).classes("label")
                title = ui.input(value=row.title).props(
                    f'dense borderless aria-label="{t("回目")}"'
                )
                title.classes("outline_title").mark("row-title")
            event = ui.textarea(value=row.event).props(
                f'dense borderless autogrow aria-label="{t("这一回的事")}"'
            )
            event.mark("row-event")
            ui.label("、".join(row.people)).classes("hint")

        def save() -> None:
            worded = str(title.value).strip(), str(event.value).strip()
            if worded != (row.title, row.event):
                self._safely(lambda: folder.edit_row(row, *worded))
                self.refresh()

        title.on("blur", save)
        event.on("blur", save)

    async def _plan(self) -> None:
        try:
            await asyncio.to_thread(plan, self.folder, again=True)
        except CustomeError as error:
            self.frame.warn(error)
        self.refresh()
        self.frame.tell(self.t("目录排好了；以前的在 versions/outline 里"))

    # -- what is so --------------------------------------------------------------------------------------------------

    def _draw_facts(self) -> None:
        t, folder, panel = self.t, self.folder, self._panels["事实"]
        facts, kept = ledger(folder), promises(folder)
        panel.clear()
        with panel:
            if kept:
                ui.label(t("伏笔")).classes("headline").props("role=heading aria-level=2")
            for one in kept:
                marks = [
                    t("第 {number} 回埋", number=one.planted) + ("　✓" if one.shown else ""),
                    t("第 {number} 回收", number=one.paid) + ("　✓" if one.made_good else ""),
                ]
                with ui.element("div").classes("fact").mark("promise"):
                    ui.label(one.what)
                    ui.label("　".join(marks)).classes("hint")
            ui.label(t("每一回以后是什么样")).classes("headline").props("role=heading aria-level=2")
            if not facts:
                ui.label(t("先在“目录”里排目录")).classes("hint")
            for number, some in itertools.groupby(facts[:FACTS], key=lambda one: one.chapter):
                with ui.element("div").classes("fact").mark(f"facts-{number}"):
                    ui.label(t("第 {number} 回", number=number)).classes("hint")
                    for fact in some:
                        ui.label(fact.text).tooltip(fact.quote)

    # -- checks and books --------------------------------------------------------------------------------------------

    def _draw_checks(self) -> None:
        t, folder, panel = self.t, self.folder, self._panels["检查"]
        panel.clear()
        with panel:
            written = folder.written()
            if not written:
                ui.label(t("还没有写好的一回")).classes("hint")
                return
            ui.label(
                t(
                    "写好 {count} 回，{letters} 字",
                    count=len(written),
                    letters=f"{letters_written(folder):,}",
                )
            ).classes("label")
            self._draw_days(folder)
            with ui.element("div").classes("buttons"):
                for form in FORMS:
                    take = functools.partial(self._take_away, form)
                    ui.button(form[1:], icon="download", on_click=take).props(
                        "outline no-caps"
                    ).mark(f"export{form}")
            for number in written:
                some = check(folder, number)
                broken = [one for one in some if not one.passed]
                with ui.element("div").classes("checked").mark(f"checks-{number}"):
                    ui.label(t("第 {number} 回", number=number)).classes("label")
                    if not broken:
                        ui.label(t("{count} 项都对", count=len(some))).classes("hint")
                    for one in broken:
                        ui.label(f"✗ {one.what}　{one.found}").classes("broken")

    def _draw_days(self, folder: NovelFolder) -> None:
        """Letters of the last days, as bars."""
        days = list(folder.journal.letters_a_day().items())[-DAYS:]
        most = max((count for _, count in days), default=0)
        with ui.element("div").style(DAYS_LOOK).mark("days"):
            for day, count in days:
                with ui.element("div").style(DAY_LOOK):
                    ui.label(f"{count:,}").classes("hint")
                    height = max(2, 60 * count / most) if most > 0 else 2
                    ui.element("div").style(f"{BAR_LOOK}; height: {height:.0f}px")
                    ui.label(day[5:]).classes("hint")

    async def _take_away(self, form: str) -> None:
        folder, name = self.folder, f"{self.name}{form}"
        with tempfile.TemporaryDirectory() as place:
            try:
                path = await asyncio.to_thread(export, folder, Path(place) / name)
            except CustomeError as error:
                self.frame.warn(error)
                return
            self.frame.download(name, path.read_bytes())
