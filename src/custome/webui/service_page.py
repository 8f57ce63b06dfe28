"""The page of a shop's own people: who waits and why, the talk with what the assistant looked up, and taking, answering, giving back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from nicegui import ui

from ..apps.service.desk import BOT, SYSTEM, Case, Desk
from ..apps.service.desks import Desks, desks_of
from ..conversations.records import Turn
from ..errors import CustomeError
from .elements import Column, Composer
from .shell import Frame, Shell

LOOK_EVERY_S = 1.5
SHOWN = 80
STATES = {"queued": "在等", "human": "接待中", "bot": "助手在答", "closed": "结束了"}
CANNED = (
    "您好，我是人工客服，请稍等，我看一下。",
    "已经为您登记，处理好会联系您。",
    "请提供照片和订单号，谢谢。",
    "感谢耐心等待，还有别的可以帮您吗？",
)
"""Answers one does not want to type again."""


def add_pages(shell: Shell) -> None:
    """The page for agents."""
    desks = desks_of(shell.context)

    def draw(frame: Frame) -> None:
        ServicePage(frame, desks)

    shell.page("/service", "客服", icon="support_agent")(draw)


class ServicePage:
    """One tab of one agent."""

    def __init__(self, frame: Frame, desks: Desks) -> None:
        self.frame, self._desks, self.t = frame, desks, frame.words
        self.shop, self.chat = "", ""
        self._seen: Any = None
        self._client = ui.context.client
        self._dialog = ui.dialog().classes("gallery")
        self._build()
        names = desks.names()
        self.shop = next(iter(names), "")
        self._shops.set_options(names, value=self.shop or None)
        self._shops.set_visibility(len(names) > 1)
        self.refresh()
        ui.timer(LOOK_EVERY_S, self._look)

    # -- layout ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        t, frame = self.t, self.frame
        with frame.title:
            self._title = ui.label(t("客服")).classes("chat_title").mark("title")
        with ui.element("div").classes("chat"):
            self._column = Column(t("对话")).mark("talk")
            with self._column:
                self._empty = ui.element("div").classes("empty")
                self._summary = ui.element("div").classes("summary").mark("summary")
                self._list = ui.element("div").classes("turns")
            with ui.element("div").classes("below"):
                self._actions = ui.element("div").classes("people").mark("actions")
                self._composer = Composer(
                    "", on_send=self.send, on_stop=lambda: None, on_key=lambda _: None
                ).mark("composer")
        with frame.things:
            self._shops = ui.select([], label=t("商店"), on_change=lambda e: self._choose(e.value))
            self._shops.props("dense outlined options-dense").mark("shop")
            self._name = ui.input(t("我是（客人看得到）"), value=t("客服")).props("dense outlined")
            self._name.mark("agent")
            self._cases = ui.element("div").classes("chats").mark("cases")

    def _desk(self) -> Desk | None:
        return self._desks.get(self.shop) if self.shop else None

    def _agent(self) -> str:
        return str(self._name.value or "").strip() or self.t("客服")

    def _choose(self, name: str | None) -> None:
        if name and name != self.shop:
            self.shop, self.chat = name, ""
            self.refresh()

    # -- what is done ------------------------------------------------------------------------------------------------

    def _act(self, do: Callable[[Desk], None]) -> None:
        desk = self._desk()
        if desk is None:
            return
        with self._client:
            try:
                do(desk)
            except CustomeError as error:
                self.frame.warn(error)
        self.refresh()

    def take(self) -> None:
        self._act(lambda desk: desk.take(self.chat, self._agent()))

    def give_back(self) -> None:
        self._act(lambda desk: desk.give_back(self.chat, self._agent()))

    def close(self) -> None:
        self._act(lambda desk: desk.close(self.chat, self._agent()))

    def send(self, words: str) -> None:
        desk = self._desk()
        if desk is None or not self.chat:
            return
        try:
            desk.answer_as(self.chat, self._agent(), words)
        except CustomeError as error:
            self._composer.give_back(words)
            self.frame.warn(error)
            return
        self.refresh()
        self._column.follow()

    def _save_faq(self) -> None:
        """What was asked and answered last, as a question for the assistant; both can be worded anew."""
        t, desk = self.t, self._desk()
        if desk is None:
            return
        turns = desk.turns(self.chat)
        asked = next((turn.text for turn in reversed(turns) if turn.by_user), "")
        told = next((turn.text for turn in reversed(turns) if turn.stats.get("agent")), "")
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card"):
            ui.label(t("存成问答")).classes("heading")
            question = (
                ui.input(t("客人怎么问"), value=asked).props("outlined dense").mark("question")
            )
            answer = (
                ui.textarea(t("怎么答"), value=told).props("outlined dense autogrow").mark("answer")
            )

            def save() -> None:
                desk.save_as_faq(self.chat, str(question.value), str(answer.value))
                self._dialog.close()
                self.frame.tell(t("存好了；再有人这么问，助手就会答"))

            with ui.element("div").classes("row"):
                ui.button(t("算了"), on_click=self._dialog.close).props("outline no-caps")
                ui.button(t("保存"), on_click=save).props("unelevated no-caps").mark("save_faq")
        self._dialog.open()

    def _open(self, chat: str) -> None:
        self.chat = chat
        self.refresh()
        self._column.follow()

    # -- what is shown -----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Draw anew where something has changed."""
        desk = self._desk()
        if desk is None and (names := self._desks.names()):
            self.shop = names[0]
            self._shops.set_options(names, value=self.shop)
        if self._now() != self._seen:
            self.refresh()

    def _now(self) -> Any:
        desk = self._desk()
        if desk is None:
            return None
        cases = [
            (one.chat, one.state, one.assignee, one.last, int(one.waiting_s // 60))
            for one in desk.cases()
        ]
        return cases, self.chat, len(desk.turns(self.chat)) if self.chat else 0

    def refresh(self) -> None:
        """Everything as it is now; also called by buttons that this draws anew."""
        with self._client:
            self._seen = self._now()
            desk = self._desk()
            cases = desk.cases() if desk else []
            here = next((one for one in cases if one.chat == self.chat), None)
            self._show_cases(cases)
            self._show_talk(desk, here)
            self._show_actions(here)

    def _show_cases(self, cases: list[Case]) -> None:
        t = self.t
        order = list(STATES)
        self._cases.clear()
        with self._cases:
            for one in sorted(cases, key=lambda one: order.index(one.state)):
                classes = "chat_row" + (" here" if one.chat == self.chat else "")
                row = ui.element("div").classes(f"{classes} {one.state}").mark("case")
                with row, ui.element("button").props("type=button").classes("open") as link:
                    link.on("click", functools.partial(self._open, one.chat)).mark("open_case")
                    with ui.element("span").classes("head"):
                        ui.label(one.customer[:9]).classes("title")
                        ui.label(self._state(one)).classes(f"when {one.state}")
                    ui.label(one.reason or one.last).classes("last")
            if not cases:
                ui.label(t("还没有客人")).classes("nothing")

    def _state(self, one: Case) -> str:
        t = self.t
        if one.state == "queued":
            return t("等了 {minutes} 分钟", minutes=int(one.waiting_s // 60))
        return one.assignee if one.state == "human" else t(STATES[one.state])

    def _show_talk(self, desk: Desk | None, here: Case | None) -> None:
        t = self.t
        self._list.clear()
        self._summary.clear()
        self._empty.clear()
        self._empty.set_visibility(here is None)
        self._summary.set_visibility(here is not None)
        self._title.set_text(here.customer[:9] if here else self.shop or t("客服"))
        if desk is None or here is None:
            self._invite(desk)
            return
        with self._summary:
            for line in desk.summary(here.chat):
                ui.label(line)
        with self._list:
            assistant = desk.profile().assistant or t("助手")
            for turn in desk.turns(here.chat)[-SHOWN:]:
                self._show_turn(turn, assistant)

    def _show_turn(self, turn: Turn, assistant: str) -> None:
        if turn.name == SYSTEM:
            ui.label(f"— {turn.text} —").classes("hint centred")
            return
        mine = not turn.by_user
        box = ui.element("article").classes("turn mine" if mine else "turn theirs")
        with box, ui.element("div").classes("body"):
            if mine:
                ui.label(assistant if turn.name == BOT else turn.name).classes("note")
            ui.label(turn.text).classes("words")
            if sources := turn.stats.get("sources"):
                what = "、".join(map(str, sources[:4]))
                ui.label(self.t("出自：{what}", what=what)).classes("note")

    def _invite(self, desk: Desk | None) -> None:
        t = self.t
        with self._empty:
            ui.icon("support_agent").classes("big")
            if desk is None:
                ui.label(t("还没有商店")).classes("who")
                ui.label(
                    t(
                        "先导入商品和问答：custome service import 店名 文件夹；想先看看：custome demo service"
                    )
                ).classes("about")
                return
            ui.label(self.shop).classes("who")
            ui.label(t("左边选一位客人。助手答不了的、客人要找人的，会排在最前面。")).classes(
                "about"
            )
            address = f"/shop/{quote(self.shop)}"
            ui.link(t("去当一回客人"), address, new_tab=True).classes("to_read")
            ui.label(t("放到自己的网页上，加这一行：")).classes("about")
            root = str(self.frame.request.base_url)
            ui.label(
                f'<script src="{root}shop/widget.js" data-shop="{self.shop}"></script>'
            ).classes("code")

    def _show_actions(self, here: Case | None) -> None:
        t = self.t
        self._actions.clear()
        mine = here is not None and here.state == "human" and here.assignee == self._agent()
        with self._actions:
            if here is not None and not mine and here.state != "closed":
                ui.button(t("接手"), on_click=self.take).props("unelevated no-caps").mark("take")
            if mine:
                ui.button(t("交回给助手"), on_click=self.give_back).props("outline no-caps").mark(
                    "give_back"
                )
                ui.button(t("结束"), on_click=self.close).props("outline no-caps").mark(
                    "close_case"
                )
                ui.button(t("存成问答"), on_click=self._save_faq).props("outline no-caps").mark(
                    "save_as_faq"
                )
                for words in CANNED:
                    ui.button(words, on_click=functools.partial(self._composer.put, words)).props(
                        "flat no-caps"
                    ).classes("chip").mark("canned")
        hint = t("对客人说…") if mine else t("接手以后才能说话")
        self._composer.show(chat=self.chat, busy=False, placeholder=hint)
        self._composer.set_visibility(here is not None)
