"""The turns of a conversation on the page; with none, an invitation to begin."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from nicegui import ui

from ..conversations.records import Chat, Turn
from .elements import Column, TurnView

if TYPE_CHECKING:
    from .chat_page import ChatPage

SHOWN = 80
"""Turns that are shown at first; the earlier ones when they are asked for."""


class Talk:
    """The column in the middle."""

    def __init__(self, page: ChatPage, on_act: Callable[[Turn, str, str], None]) -> None:
        self._page, self._on_act = page, on_act
        self._views: dict[int, TurnView] = {}
        self.turns: tuple[Turn, ...] = ()
        self._chat, self._shown = "", SHOWN
        self._waiting: list[TurnView] = []
        self.column = Column(page.t("对话")).mark("talk")
        with self.column:
            self._earlier = ui.button(page.t("更早的话"), on_click=self._more).props("flat no-caps")
            self._earlier.classes("earlier").mark("earlier")
            self._empty = ui.element("div").classes("empty")
            self._list = ui.element("div").classes("turns")
            self._behind = ui.element("div").classes("turns")
        self._for: tuple[str, ...] | None = None
        self._drawn: dict[int, tuple[object, ...]] = {}
        """Turn → what it was drawn of last: while one is written, the others are left alone."""

    def show(self, chat: Chat, *, busy: bool, waiting: list[str], ahead: int = 0) -> None:
        """The conversation as it is now; what is shown already is changed, not drawn anew."""
        if chat.id != self._chat:
            self._chat, self._shown = chat.id, SHOWN
        self.turns = chat.turns
        seen = chat.turns[-self._shown :]
        self._earlier.set_visibility(len(seen) < len(chat.turns))
        wanted = [turn.id for turn in seen]
        for number in set(self._views) - set(wanted):
            self._views.pop(number).delete()
            self._drawn.pop(number, None)
        if list(self._views)[: len(wanted)] != wanted[: len(self._views)]:
            self._list.clear()
            self._views.clear()
            self._drawn.clear()
        for turn in seen:
            if turn.id not in self._views:
                with self._list:
                    self._views[turn.id] = TurnView(
                        turn.id, functools.partial(self.act, turn.id)
                    ).mark("mine" if turn.by_user else "theirs", f"turn-{turn.id}")
            last = turn is seen[-1]
            state = (turn, last, busy, ahead, self._page.scene.candidates)
            if self._drawn.get(turn.id) != state:
                self._drawn[turn.id] = state
                self._draw(turn, last=last, busy=busy, ahead=ahead)
        self._show_waiting(waiting)
        self._invite(not chat.turns and not busy)

    def _draw(self, turn: Turn, *, last: bool, busy: bool, ahead: int) -> None:
        page, t = self._page, self._page.t
        writing = last and busy and not turn.by_user
        can = ["copy"]
        if not busy:  # nothing is changed under a reply that is being written
            can += ["edit", *(["retry", "go_on"] if last and not turn.by_user else [])]
            can += ["branch", "delete"]
        several = page.scene.candidates > 1
        note = ""
        if not turn.text:
            thinking = t("斟酌中") if several else t("正在想")
            if ahead:
                thinking = t("前面还有 {count} 个人在等回答", count=ahead)
            note = thinking if writing else t("没有说完")
        elif not writing and not turn.finished:
            note = t("没有说完")
        self._views[turn.id].show(
            text=turn.text,
            name="" if turn.by_user else turn.name,
            portrait="" if turn.by_user else page.portraits.address(turn.name),
            mine=turn.by_user,
            versions=len(turn.versions),
            chosen=turn.chosen,
            state="writing" if writing else "",
            note=note,
            last=last,
            can=[] if writing else can,
        )

    def _show_waiting(self, waiting: list[str]) -> None:
        if [view.text for view in self._waiting] == waiting:
            return
        self._behind.clear()
        self._waiting.clear()
        with self._behind:
            for place, words in enumerate(waiting, 1):
                view = TurnView(-place, lambda what, text: None).mark("waiting")
                view.show(
                    text=words,
                    name="",
                    portrait="",
                    mine=True,
                    versions=1,
                    chosen=0,
                    state="waiting",
                    note=self._page.t("排在第 {place} 个，等前面答完", place=place),
                    last=False,
                    can=[],
                )
                self._waiting.append(view)

    def act(self, number: int, what: str, text: str) -> None:
        """Something is to be done with one of the turns."""
        turn = next((one for one in self.turns if one.id == number), None)
        if turn is not None:
            self._on_act(turn, what, text)

    def reopen(self, number: int, draft: str) -> None:
        """A change that was refused can be worked on further."""
        if number in self._views:
            self._views[number].reopen(draft)

    def _more(self) -> None:
        self._shown += SHOWN
        self._page.refresh()

    def _invite(self, wanted: bool) -> None:
        """On an empty page: who is there, and three sentences to begin with."""
        page, people = self._page, self._page.scene.people
        self._empty.set_visibility(wanted)
        if not wanted or people == self._for:
            return
        self._for = people
        self._empty.clear()
        t = page.t
        with self._empty:
            with ui.element("div").classes("faces"):
                for name in people[:3]:
                    face = ui.image(page.portraits.address(name)).props("no-spinner")
                    face.props["alt"] = name  # as text: a name may hold anything
            ui.label("、".join(people) or t("自己写提示")).classes("who")
            about = page.people.about(people[0]) if len(people) == 1 else ""
            ui.label(about or t("选一个人，说一句话。")).classes("about")
            with ui.element("div").classes("starters"):
                for words in page.people.starters():
                    ui.button(words, on_click=lambda words=words: page.send(words)).props(
                        "flat no-caps"
                    ).mark("starter")
