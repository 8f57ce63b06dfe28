"""The conversations at the left: when, with whom, the last words; found, renamed, deleted, exported and imported."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from nicegui import events, run, ui

from ..apps.context import LARGEST_FILE
from ..apps.cosplay import transcript
from ..apps.cosplay.prompt import GUEST
from ..apps.cosplay.scene import Scene
from ..apps.cosplay.service import TITLE
from ..conversations.records import ChatInfo, Turn
from ..errors import CustomeError

if TYPE_CHECKING:
    from .chat_page import ChatPage

SHOWN = 100
EXCERPT = 40
"""Characters of the last words."""
DAY_S = 86_400


class ChatList:
    """The list and what can be done with what is in it."""

    def __init__(self, page: ChatPage) -> None:
        self._page = page
        self._rows: dict[str, Any] = {}
        self._drawn: dict[str, Hashable] = {}
        """Conversation → what its row shows: one that shows the same is left alone."""
        self._selected: set[str] | None = None
        """Ids that are ticked; None while nothing can be ticked."""
        self._renaming = False

    def build(self) -> None:
        page, t = self._page, self._page.t
        with page.frame.things:
            ui.button(t("新对话"), icon="add", on_click=self._begin).props(
                "unelevated no-caps"
            ).classes("new").mark("new")
            self._search = ui.input(placeholder=t("搜对话里的话"), on_change=lambda: self.refresh())
            self._search.props(
                f'outlined dense clearable debounce=200 aria-label="{t("搜对话里的话")}"'
            ).mark("search")
            with ui.element("div").classes("tools"):
                page.frame.icon_button("checklist", t("选几段"), self._tick).mark("tick")
                page.frame.icon_button("file_upload", t("导入对话"), self._ask_file).mark("import")
                page.frame.icon_button(
                    "restore_from_trash", t("找回删掉的对话"), self._bring_back
                ).mark("restore")
            self._ticked = ui.element("div").classes("ticked")
            with self._ticked:
                self._count = ui.label("")
                ui.button(t("删除"), on_click=self._remove_ticked).props("flat no-caps").mark(
                    "remove_ticked"
                )
                ui.button(t("算了"), on_click=self._tick).props("flat no-caps")
            self._upload = ui.upload(
                on_upload=self._take_file,
                auto_upload=True,
                max_file_size=LARGEST_FILE,
                on_rejected=lambda: page.frame.tell(t("这个文件太大"), wrong=True),
            )
            self._upload.classes("hidden").props('accept=".jsonl,.json,.txt,.md"').mark(
                "upload_chat"
            )
            self._list = ui.element("div").classes("chats").props("role=list").mark("chats")
            with self._list:
                self._nothing = ui.label("").classes("nothing").props("role=listitem")
        self.refresh()

    # -- what is there -----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        page, search = self._page, (self._search.value or "").strip()
        if self._renaming:
            return  # somebody is writing in the list
        self._ticked.set_visibility(self._selected is not None)
        found = page.service.store.chats(page.tab.owner, search, SHOWN)
        for gone in set(self._rows) - {one.id for one in found}:
            self._take_out(gone)
        for place, one in enumerate(found):
            ticked = None if self._selected is None else one.id in self._selected
            shows = (one.title, self._when(one.updated), _excerpt(one, search), search, ticked)
            if self._drawn.get(one.id) != shows:
                self._take_out(one.id)
                with self._list:
                    self._row(one, search)
                self._drawn[one.id] = shows
            row = self._rows[one.id]
            if self._list.default_slot.children[place] is not row:
                row.move(target_index=place)
        self._nothing.set_text(page.t("没有找到") if search else page.t("还没有对话"))
        self._nothing.set_visibility(not found)
        self.mark(page.tab.chat)

    def _take_out(self, chat: str) -> None:
        self._drawn.pop(chat, None)
        if (row := self._rows.pop(chat, None)) is not None:
            row.delete()

    def _row(self, one: ChatInfo, search: str) -> None:
        page = self._page
        row = ui.element("div").classes("chat_row").props("role=listitem").mark("chat_row")
        self._rows[one.id] = row
        with row:
            if self._selected is not None:
                ui.checkbox(
                    value=one.id in self._selected,
                    on_change=lambda event: self._change(one.id, event.value),
                ).props(f'dense aria-label="{page.t("选这段")}"').mark("tick_one")
            link = ui.element("button").props("type=button").classes("open")
            link.on("click", lambda: self._open(one.id)).mark("open_chat")
            with link:
                with ui.element("span").classes("head"):
                    ui.label(one.title).classes("title")
                    ui.label(self._when(one.updated)).classes("when")
                with ui.element("span").classes("last"):
                    _marked(_excerpt(one, search), search)
            more = page.frame.icon_button(
                "more_vert", page.t("对这段对话"), lambda: self._show_menu(more, one)
            ).mark("more_of_chat")

    def _show_menu(self, button: ui.button, one: ChatInfo) -> None:
        """Made when it is first wanted: a hundred rows would be a hundred menus."""
        if any(isinstance(child, ui.menu) for child in button.default_slot.children):
            return  # it opens by itself
        page = self._page
        with button, ui.menu() as menu:
            ui.menu_item(page.t("改名"), lambda: self._rename(one)).mark("rename")
            for form in transcript.FORMS:
                ui.menu_item(
                    page.t("导出为 {form}", form=form),
                    lambda form=form: self._export(one.id, form),
                ).mark(f"export-{form}")
            ui.menu_item(page.t("删除"), lambda: self._remove([one.id])).mark("remove")
        menu.open()

    def _when(self, updated: float) -> str:
        now, then = time.localtime(), time.localtime(updated)
        if now[:3] == then[:3]:
            return time.strftime("%H:%M", then)
        if now[0] == then[0]:
            return f"{then.tm_mon}/{then.tm_mday}"
        return time.strftime("%Y/%m/%d", then)

    def mark(self, chat: str) -> None:
        """Which one is open."""
        for one, row in self._rows.items():
            row.classes(add="here") if one == chat else row.classes(remove="here")

    # -- what is done ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._page.begin()
        self._close_on_a_phone()

    def _open(self, chat: str) -> None:
        try:
            self._page.open(chat)
        except CustomeError as error:
            self._page.frame.warn(error)
            self.refresh()
        self._close_on_a_phone()

    def _close_on_a_phone(self) -> None:
        """There the list lies over the talk; it goes when something is chosen."""
        ui.run_javascript(
            f"if (window.innerWidth < 1024) runMethod({self._page.frame.left.id}, 'hide', [])"
        )

    def _rename(self, one: ChatInfo) -> None:
        """In place: the title becomes a box."""
        page, row = self._page, self._rows[one.id]
        self._drawn.pop(one.id, None)
        row.clear()
        self._renaming = True

        def give_up() -> None:
            self._renaming = False
            self.refresh()

        def keep() -> None:
            self._renaming = False
            title = (box.value or "").strip()
            if title and title != one.title:
                page.service.store.rename(one.id, page.tab.owner, title)
                page.frame.tell(page.t("改名为“{title}”", title=title), lambda: back())
                if one.id == page.tab.chat:
                    page.refresh()
            self.refresh()

        def back() -> None:
            page.service.store.rename(one.id, page.tab.owner, one.title)
            page.refresh()

        with row:
            box = ui.input(value=one.title).props(
                f'outlined dense autofocus aria-label="{page.t("名字")}"'
            )
            box.mark("new_name").on("keydown.enter", keep).on("keydown.escape", give_up)
            page.frame.icon_button("check", page.t("保存"), keep).mark("keep_name")

    def _remove(self, chats: list[str]) -> None:
        page, store, owner = self._page, self._page.service.store, self._page.tab.owner
        for chat in chats:
            page.stop_in(chat)
            store.remove(chat, owner)
        if page.tab.chat in chats:
            page.begin()
        self.refresh()

        def undo() -> None:
            for chat in chats:
                store.bring_back(chat, owner)
            page.open(chats[0])
            self.refresh()

        page.frame.tell(page.t("删了 {count} 段对话", count=len(chats)), undo)

    def _bring_back(self) -> None:
        page = self._page
        if found := page.service.store.bring_back_latest(page.tab.owner):
            page.open(found)
            self.refresh()
        else:
            page.frame.tell(page.t("没有删过对话"))

    def _tick(self) -> None:
        self._selected = set() if self._selected is None else None
        self._count.set_text(self._page.t("选了 {count} 段", count=0))
        self.refresh()

    def _change(self, chat: str, ticked: bool) -> None:
        if self._selected is not None:
            (self._selected.add if ticked else self._selected.discard)(chat)
            self._count.set_text(self._page.t("选了 {count} 段", count=len(self._selected)))

    def _remove_ticked(self) -> None:
        chosen, self._selected = sorted(self._selected or ()), None
        self._remove(chosen) if chosen else self.refresh()

    # -- files -------------------------------------------------------------------------------------------------------

    def _export(self, chat: str, form: Any) -> None:
        page = self._page
        whole = page.service.store.read(chat, page.tab.owner)
        if not whole.turns:
            page.frame.tell(page.t("还没有说过话，没有可导出的"), wrong=True)
            return
        text = transcript.written(whole.turns, form, whole.title, GUEST)
        name = f"{whole.title or page.t('对话')}.{form}"
        page.frame.download(name, text.encode())
        page.frame.tell(page.t("导出了 {name}", name=name))

    def _ask_file(self) -> None:
        self._upload.run_method("pickFiles")

    async def _take_file(self, event: events.UploadEventArguments) -> None:
        page = self._page
        raw = await event.file.read()
        self._upload.reset()
        text = raw.decode("utf-8-sig", errors="replace")
        found = await run.io_bound(transcript.read, text, event.file.name, GUEST)
        if found is None:
            return  # the server is going down
        title, turns = found
        if known := self._same(turns):
            page.open(known)
            page.frame.tell(page.t("这段对话已经在了，没有再存一份"))
            return
        self._keep(title, turns)

    def _same(self, turns: list[Turn]) -> str:
        """A conversation of just these turns, that is there already."""
        page, texts = self._page, [turn.text.strip() for turn in turns]
        for one in page.service.store.chats(page.tab.owner):
            if one.turns == len(turns):
                there = page.service.store.read(one.id, page.tab.owner)
                if [turn.text.strip() for turn in there.turns] == texts:
                    return one.id
        return ""

    def _keep(self, title: str, turns: list[Turn]) -> None:
        page = self._page
        speakers = dict.fromkeys(turn.name for turn in turns if turn.name and not turn.by_user)
        known = set(page.names())
        scene = Scene(
            people=tuple(name for name in speakers if name in known),
            candidates=page.scene.candidates,
        )
        tab = page.service.begin(page.tab, title or turns[0].text[:TITLE], page.model, scene)
        page.service.store.fill(tab.chat, tab.owner, turns)
        page.open(tab.chat)
        self.refresh()

        def undo() -> None:
            page.service.store.remove(tab.chat, tab.owner)
            page.begin()
            self.refresh()

        page.frame.tell(page.t("导入了 {count} 句", count=len(turns)), undo)


def _excerpt(one: ChatInfo, search: str) -> str:
    """The last words, with whom; with a search the words around what was found."""
    people = "、".join(one.scene.get("people") or ())
    text = " ".join(one.last.split())
    at = text.find(search) if search else -1
    if at > EXCERPT // 2:
        text = "…" + text[at - EXCERPT // 3 :]
    if len(text) > EXCERPT:
        text = text[:EXCERPT] + "…"
    return f"{people}｜{text}" if people else text


def _marked(text: str, search: str) -> None:
    """Text with what was searched for set apart."""
    before, found, after = text.partition(search) if search else (text, "", "")
    ui.label(before)
    if found:
        with ui.element("mark"):
            ui.label(found)
        ui.label(after)
