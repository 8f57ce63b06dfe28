"""What has happened in a game, turn by turn: what was said, the dice, the words; under the last turn its versions, other words, one's own.

The pages beside it: adventure_page.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from nicegui import ui

from ..apps.adventure.game import LONGEST_WORDS, Game
from ..apps.adventure.narrating import by_author
from ..apps.adventure.rules import Outcome
from ..apps.adventure.tables import Table
from ..apps.adventure.transcript import said

if TYPE_CHECKING:
    from .adventure_page import AdventurePage

SHOWN = 60
"""Turns that are drawn."""
LINE = "display: flex; flex-wrap: wrap; gap: 8px; align-items: center"
STORY = "font-family: var(--book); font-size: 1.1rem; line-height: 1.9"
SAID = "color: var(--faint); font-size: .9rem; margin-top: 6px"
DICE = "display: inline-flex; gap: 6px; margin-right: 18px; align-items: center; color: var(--seal); font-size: .9rem; font-weight: 600"
_EYES = "⚀⚁⚂⚃⚄⚅"


class Story:
    """The turns of one game on a page."""

    def __init__(self, page: AdventurePage, dialog: ui.dialog) -> None:
        self._page, self._dialog, self._t = page, dialog, page.frame.words
        self._box = ui.element("div").props("role=log aria-live=polite").mark("story")

    def draw(self, table: Table) -> None:
        """As it is now."""
        game = table.game
        self._box.clear()
        with self._box:
            ui.label(game.world.scenario.about).style(STORY)
            for number in game.line()[1:][-SHOWN:]:
                self._turn(game, number, number in table.written)

    def _turn(self, game: Game, number: int, is_written: bool) -> None:
        turn = game.turns[number]
        ui.label(said(game, number)).style(SAID)
        _draw_dice(game.outcome(number))
        if is_written:
            with ui.element("div").style(LINE).mark("writing"):
                ui.spinner("dots", size="1.4rem")
                ui.label(self._t("在想怎么说……")).classes("hint")
        else:
            words = turn.text or "".join(fact.text for fact in game.outcome(number).facts)
            ui.label(words).style(STORY + "; white-space: pre-line").mark("told")
        if number == game.here and not is_written:
            self._tools(game, number)

    def _tools(self, game: Game, number: int) -> None:
        """Versions, other words, one's own."""
        t, page, turn = self._t, self._page, game.turns[number]
        with ui.element("div").style(LINE + "; opacity: .75").mark("tools"):
            if len(turn.texts) > 1:
                show = functools.partial(page.show_version, number)
                page.frame.icon_button(
                    "chevron_left", t("上一种说法"), functools.partial(show, turn.shown - 1)
                ).mark("version-before").set_enabled(turn.shown > 0)
                ui.label(f"{turn.shown + 1}/{len(turn.texts)}").classes("hint").mark("version")
                page.frame.icon_button(
                    "chevron_right", t("下一种说法"), functools.partial(show, turn.shown + 1)
                ).mark("version-after").set_enabled(turn.shown + 1 < len(turn.texts))
            if not by_author(game.outcome(number).facts):
                page.frame.icon_button(
                    "autorenew", t("换个说法"), functools.partial(page.say_otherwise, number)
                ).mark("otherwise")
            page.frame.icon_button(
                "edit", t("改这一段的字"), functools.partial(self._edit, number, turn.text)
            ).mark("edit-words")

    def _edit(self, number: int, text: str) -> None:
        t = self._t
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card"):
            ui.label(t("改这一段的字")).classes("headline")
            ui.label(t("只改字，不改发生过的事。")).classes("hint")
            box = ui.textarea(value=text).props(
                f'outlined autogrow maxlength={LONGEST_WORDS} aria-label="{t("这一段")}"'
            )
            box.style("width: 100%").mark("own-words")

            def keep() -> None:
                self._dialog.close()
                self._page.reword(number, str(box.value or ""))

            ui.button(t("就这样"), on_click=keep).props("unelevated no-caps").mark("keep-words")
        self._dialog.open()


def _draw_dice(outcome: Outcome) -> None:
    for roll in outcome.rolls:
        eyes = "".join(_EYES[one - 1] for one in roll.dice)
        with ui.element("div").style(DICE).mark("roll"):
            ui.label(eyes).style("font-size: 1.8rem; line-height: 1")
            ui.label(str(roll))
