"""An answer on the page of the bases: its words, the places they stand on beside it, why these passages, what one thinks of it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from nicegui import ui

from ..apps.knowledge.service import Working
from ..conversations.records import Turn
from .words import Words

if TYPE_CHECKING:
    from .knowledge_page import KnowledgePage

FIRST_WORDS = 90
"""Characters of the best passage that are shown while the answer is written."""


class AnswerView:
    """A finished answer."""

    def __init__(self, page: KnowledgePage, turn: Turn, question: str) -> None:
        self._page, self._turn, self.t = page, turn, page.t
        told = turn.stats
        with ui.element("article").classes("turn theirs answer").mark("answer"):
            with ui.element("div").classes("body"):
                if turn.name:
                    ui.label(turn.name).classes("name")
                if not turn.finished or not turn.text:
                    ui.label(self.t("没有答完")).classes("note")
                    again = ui.button(self.t("再问一次"), on_click=lambda: page.again(question))
                    again.props("outline no-caps").mark("again")
                    return
                if told.get("question") and told["question"] != question.strip():
                    ui.label(self.t("当作在问：{question}", question=told["question"])).classes(
                        "note"
                    )
                ui.label(turn.text).classes("words")
                self._show_tools(question)
            with ui.element("aside").classes("sources").props(f'aria-label="{self.t("出处")}"'):
                for number, one in enumerate(told.get("citations", ()), 1):
                    self._show_citation(number, one)
                self._show_hits(told.get("hits", ()))

    def _show_tools(self, question: str) -> None:
        frame, t = self._page.frame, self.t
        with ui.element("div").classes("judging"):
            for icon, label, right in (
                ("thumb_up", t("答得对"), True),
                ("thumb_down", t("答得不对"), False),
            ):
                frame.icon_button(
                    icon, label, functools.partial(self._page.rate, self._turn, question, right)
                ).mark(icon)
            if self._turn.stats.get("kind") == "checked":
                ui.label(t("引文、数目、人名都和原文核对过")).classes("hint")

    def _show_citation(self, number: int, one: dict[str, Any]) -> None:
        with ui.element("button").props("type=button").classes("source") as card:
            card.on(
                "click",
                functools.partial(
                    self._page.open_place, one["document"], one["start"], one["end"], one["quote"]
                ),
            ).mark("citation")
            ui.label(f"{number}　{_where(one, self.t)}").classes("place")
            ui.label(one["quote"]).classes("quote")

    def _show_hits(self, hits: Any) -> None:
        """Which passages were looked at, and for which words."""
        if not hits:
            return
        t = self.t
        with ui.expansion(t("为什么找到这些")).classes("fold").mark("why"):
            for one in hits:
                with ui.element("button").props("type=button").classes("source") as card:
                    card.on(
                        "click",
                        functools.partial(
                            self._page.open_place, one["document"], one["start"], one["end"]
                        ),
                    )
                    ui.label(_where(one, t)).classes("place")
                    with ui.element("div").classes("matched"):
                        for word in one["words"][:8]:
                            ui.label(word).classes("chip_word")
                    if one.get("meant"):
                        meant = f"{one['meant']:.2f}"
                        said = t("用词 {own} 分，意思相近 {meant}", own=one["own"], meant=meant)
                    else:
                        said = t(
                            "这一段 {own} 分，连前后共 {score} 分",
                            own=one["own"],
                            score=one["score"],
                        )
                    ui.label(said).classes("hint")


def show_waiting(working: Working, t: Words) -> None:
    """An answer that is being written: what was found is shown at once."""
    with ui.element("article").classes("turn theirs answer").mark("waiting"):
        with (
            ui.element("div").classes("body"),
            ui.element("p").classes("thinking").props("role=status"),
        ):
            stage = (
                t("正在换成他的口吻") if working.stage == "wording" else t("正在读这几段，核对原文")
            )
            ui.label(stage if working.hits else t("正在找"))
            with ui.element("span").classes("dots").props("aria-hidden=true"):
                for _ in range(3):
                    ui.element("i")
        with ui.element("aside").classes("sources"):
            for hit in working.hits[:3]:
                with ui.element("div").classes("source"):
                    ui.label("　".join([hit.passage.name, *hit.passage.heading])).classes("place")
                    ui.label(hit.passage.text[:FIRST_WORDS] + "…").classes("quote")


def _where(one: dict[str, Any], t: Words) -> str:
    page = f"　{t('第 {page} 页', page=one['page'])}" if one.get("page") else ""
    return "　".join([one["document"], *one["heading"]]) + page
