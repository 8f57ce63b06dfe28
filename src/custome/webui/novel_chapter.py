"""A chapter on the page: read while it is written, its passages turned over, edited, set back to what it said before."""

from __future__ import annotations

import functools
from typing import Any

from nicegui import ui

from ..apps.novel.export import parted
from ..apps.novel.folder import NovelFolder, Row
from ..apps.novel.service import Novels
from ..apps.novel.writing import choose
from ..errors import CustomeError
from .shell import Frame

STALE = {
    "outline": "设定改过了，目录还是旧的",
    "beats": "目录改过了，这一回还是照旧的写的",
    "passages": "情节改过了，这一回还是照旧的写的",
    "chapter": "选过别的段落，正文还是旧的",
}


class ChapterView:
    """The chapters of one novel, one at a time."""

    def __init__(self, frame: Frame, novels: Novels, name: str, dialog: Any) -> None:
        self.frame, self.novels, self.t = frame, novels, frame.words
        self._name, self._dialog = name, dialog
        self.number = 1
        self._pieces_open = False
        self._seen: Any = None
        self._client = ui.context.client
        with ui.element("div").classes("chapter_head"):
            self._arrow("chevron_left", self.t("上一回"), -1)
            self._which = ui.select({}, on_change=lambda event: self._go(event.value))
            self._which.props(f'dense borderless options-dense aria-label="{self.t("哪一回")}"')
            self._which.mark("which")
            self._arrow("chevron_right", self.t("下一回"), 1)
        self._buttons = ui.element("div").classes("buttons").mark("do")
        self._told = ui.label("").classes("hint").mark("told")
        self._bar = ui.linear_progress(0, show_value=False).props("rounded")
        self._text = ui.element("article").classes("chapter_text").mark("text")
        self._parts = ui.element("div").classes("passages").mark("passages")

    def _arrow(self, icon: str, label: str, by: int) -> None:
        # Without a tooltip: the browser looks for what it belongs to while the panel is not shown.
        self.frame.menu_button(icon, label).on_click(lambda: self.turn(by))

    @property
    def folder(self) -> NovelFolder:
        return self.novels.get(self._name)

    # -- which chapter -----------------------------------------------------------------------------------------------

    def turn(self, by: int) -> None:
        rows = self.folder.outline()
        self._go(max(1, min(self.number + by, len(rows))))

    def _go(self, number: Any) -> None:
        if number and number != self.number:
            self.number = int(number)
            self.refresh()

    def refresh(self) -> None:
        """As it is now."""
        folder = self.folder
        rows = {row.number: row for row in folder.outline()}
        job = self.novels.job
        writing = self.novels.busy(self._name)
        here = job is not None and writing and job.progress is not None
        shown: Any = (
            self.number,
            tuple(rows.values()),
            job if writing else None,
            folder.chapter(self.number),
            folder.stale(self.number) if self.number in rows else [],
            folder.is_edited(self.number),
            self._pieces_open,
            [piece.chosen for piece in folder.pieces(self.number)],
        )
        if shown == self._seen:
            return
        self._seen = shown
        if here and job is not None and job.progress is not None and not self._was_writing:
            self.number = job.progress.chapter
        self._was_writing = writing
        labels = {number: self._label(folder, row) for number, row in rows.items()}
        self._which.set_options(labels, value=self.number if self.number in rows else None)
        self._draw_buttons(folder, rows)
        self._draw_progress()
        self._draw_text(folder)
        self._draw_passages(folder)

    _was_writing = False

    def _label(self, folder: NovelFolder, row: Row) -> str:
        mark = "" if folder.has_chapter(row.number) else "　…"
        return f"{self.t('第 {number} 回', number=row.number)}　{row.title}{mark}"

    # -- what can be done --------------------------------------------------------------------------------------------

    def _draw_buttons(self, folder: NovelFolder, rows: dict[int, Row]) -> None:
        t, number = self.t, self.number
        self._buttons.clear()
        with self._buttons:
            if self.novels.busy(self._name):
                self._button(t("停"), self.novels.stop, "stop")
                return
            if not rows:
                ui.label(t("先在“目录”里排目录")).classes("hint")
                return
            text = folder.chapter(number)
            stale = folder.stale(number)
            if stale:
                ui.label(t(STALE[stale[0]])).classes("stale").mark("stale")
                if stale[0] != "outline" and not folder.is_edited(number):
                    self._button(
                        t("照新的重写"), lambda: self._write([number], again=True), "again"
                    )
            elif text and folder.is_partial(number):
                self._button(t("接着写"), lambda: self._write([number]), "go-on", strong=True)
            elif not text:
                self._button(t("写这一回"), lambda: self._write([number]), "write", strong=True)
            left = [one for one in rows if not folder.has_chapter(one) and one != number]
            if left and not stale:
                every = sorted([*left, *([] if text else [number])])
                words = t("把没写的 {count} 回都写了", count=len(every))
                self._button(words, lambda: self._write(every), "write-all")
            if text:
                self._button(t("改正文"), self._edit, "edit")
                if not stale and not folder.is_edited(number):
                    words = t("收起段落") if self._pieces_open else t("一段一段看")
                    self._button(words, self._toggle, "pieces")
            if folder.versions(number):
                self._button(t("以前的稿"), self._show_versions, "versions")
            if folder.is_edited(number):
                ui.label(t("自己改过")).classes("hint").mark("edited")

    def _button(self, words: str, do: Any, mark: str, *, strong: bool = False) -> None:
        look = "unelevated no-caps" if strong else "outline no-caps"
        ui.button(words, on_click=do).props(look).mark(mark)

    def _safely(self, do: Any) -> None:
        with self._client:
            try:
                do()
            except CustomeError as error:
                self.frame.warn(error)
        self.refresh()

    def _write(self, numbers: list[int], *, again: bool = False) -> None:
        self._was_writing = False
        self._safely(lambda: self.novels.begin(self._name, numbers, again=again))

    def _toggle(self) -> None:
        self._pieces_open = not self._pieces_open
        self.refresh()

    # -- the words ---------------------------------------------------------------------------------------------------

    def _draw_progress(self) -> None:
        job = self.novels.job
        now = job.progress if job is not None and self.novels.busy(self._name) else None
        self._bar.set_visibility(now is not None)
        self._told.set_text(self.novels.told() if now is not None else "")
        if now is not None:
            self._bar.set_value(now.done / now.whole)

    def _draw_text(self, folder: NovelFolder) -> None:
        job, t = self.novels.job, self.t
        now = job.progress if job is not None and self.novels.busy(self._name) else None
        self._text.clear()
        with self._text:
            if now is not None and now.chapter == self.number:
                ui.label(folder.row(self.number).title).classes("chapter_title")
                so_far = "".join(piece.text for piece in folder.pieces(self.number))
                growing = "" if now.finished else now.text
                with ui.element("p"):
                    ui.label(so_far).classes("inline_text")
                    ui.label(growing).classes("inline_text growing")
                return
            text = folder.chapter(self.number)
            if not text:
                ui.label(t("这一回还没有写")).classes("hint")
                return
            read = parted(text)
            ui.label(read.title or folder.row(self.number).title).classes("chapter_title").props(
                "role=heading aria-level=2"
            )
            for paragraph in read.paragraphs:
                with ui.element("p"):
                    ui.label(paragraph).classes("inline_text")

    def _draw_passages(self, folder: NovelFolder) -> None:
        t = self.t
        self._parts.clear()
        if not self._pieces_open or self.novels.busy(self._name):
            return
        with self._parts:
            for at, (beat, piece) in enumerate(
                zip(folder.beats(self.number), folder.pieces(self.number), strict=False)
            ):
                with ui.element("div").classes("passage").mark(f"passage-{at}"):
                    ui.label(beat.event).classes("hint")
                    ui.label(piece.text).classes("words")
                    count = len(piece.candidates)
                    if count > 1:
                        following = (piece.chosen + 1) % count
                        turn = functools.partial(self._choose, at, following)
                        words = t("换一遍（{now}/{count}）", now=piece.chosen + 1, count=count)
                        self._button(words, turn, f"turn-{at}")

    def _choose(self, at: int, chosen: int) -> None:
        self._safely(lambda: choose(self.folder, self.number, at, chosen))

    # -- by hand -----------------------------------------------------------------------------------------------------

    def _edit(self) -> None:
        t, folder, number = self.t, self.folder, self.number
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card wide"):
            ui.label(t("改正文")).classes("heading")
            words = ui.textarea(value=folder.chapter(number)).props("outlined autogrow")
            words.classes("chapter_editor").mark("editor")

            def save() -> None:
                text = str(words.value).strip()
                if text:
                    self._dialog.close()
                    self._safely(lambda: folder.edit_chapter(number, text + "\n"))

            with ui.element("div").classes("buttons"):
                self._button(t("存下"), save, "save", strong=True)
                self._button(t("算了"), self._dialog.close, "cancel")
        self._dialog.open()

    def _show_versions(self) -> None:
        t, folder, number = self.t, self.folder, self.number
        now = folder.chapter(number)
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card wide"):
            ui.label(t("以前的稿")).classes("heading")
            for at, text in reversed(list(enumerate(folder.versions(number), 1))):

                def restore(text: str = text) -> None:
                    self._dialog.close()
                    self._safely(lambda: folder.edit_chapter(number, text))

                with ui.element("div").classes("version").mark(f"version-{at}"):
                    with ui.element("div").classes("side"):
                        ui.label(t("第 {number} 稿", number=at)).classes("label")
                        ui.label(text).classes("words")
                        self._button(t("用这一稿"), restore, f"restore-{at}")
                    with ui.element("div").classes("side"):
                        ui.label(t("现在")).classes("label")
                        ui.label(now).classes("words")
            if folder.is_edited(number):

                def let_go() -> None:
                    self._dialog.close()
                    self._safely(lambda: folder.let_go_of(number))

                self._button(t("放下自己的改动，让它重写"), let_go, "let-go")
        self._dialog.open()
