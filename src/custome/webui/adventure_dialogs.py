"""What opens over the page of a game: the map, the ways that were gone, the saves, the beginning of another game."""

from __future__ import annotations

import functools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nicegui import ui

from ..apps.adventure.library import SLOTS
from ..apps.adventure.rules import GO, Action
from ..apps.adventure.transcript import ENDINGS, write_game
from ..errors import CustomeError
from .adventure_map import known_map
from .adventure_story import LINE

if TYPE_CHECKING:
    from .adventure_page import AdventurePage

TREE = 300
"""Turns of the tree that are drawn."""


class Dialogs:
    """They share one box."""

    def __init__(self, page: AdventurePage, dialog: ui.dialog) -> None:
        self._page, self._dialog = page, dialog
        self.t, self.tables, self.player = page.t, page.tables, page.player

    def _at(self) -> Any:
        return self.tables.at(self.player, self._page.name)

    def show_map(self) -> None:
        """Where one has been, and where one can go from there; a place next to this one is gone to."""
        with self._at() as table:
            game = table.game

        def go(name: str) -> None:
            self._dialog.close()
            self._page.do(Action(GO, name))

        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card"):
            ui.label(self.t("地图")).classes("headline")
            known_map(game.world, game.state, go).mark("map")
            ui.label(self.t("走过的和看得见的；点一处挨着的就去")).classes("hint")
        self._dialog.open()

    def _download(self, ending: str) -> None:
        self._dialog.close()

        def take() -> None:
            with (
                TemporaryDirectory() as folder,
                self.tables.at(self.player, self._page.name) as table,
            ):
                game = table.game
                content = write_game(game, Path(folder) / f"game{ending}").read_bytes()
            ui.download.content(content, f"{game.world.scenario.title}{ending}")

        self._page.safely(take)

    def show_tree(self) -> None:
        with self._at() as table:
            game, here = table.game, set(table.game.line())
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card"):
            ui.label(self.t("走过的路")).classes("headline")
            rows: list[tuple[int, int]] = [(0, 0)]
            for _ in range(TREE):
                if not rows:
                    break
                number, depth = rows.pop()
                turn = game.turns[number]
                words = str(turn.action) if turn.action else self.t("开头")
                button = ui.button(
                    words, on_click=functools.partial(self._go, number, game.seed), color=None
                ).props("flat no-caps dense align=left")
                button.style(
                    f"margin-left: {depth}rem; font-weight: {600 if number in here else 400}"
                )
                button.mark(f"turn-{number}")
                after = game.branches(number)
                rows += [(one, depth + (len(after) > 1)) for one in reversed(after)]
        self._dialog.open()

    def _go(self, number: int, seed: int) -> None:
        self._dialog.close()
        with self._at() as table:
            if table.game.seed != seed:  # another tab has begun another game
                return
        self._page.done(lambda: self.tables.go(self.player, self._page.name, number))

    def show_slots(self) -> None:
        library = self.tables.library(self.player)
        with self._at() as table:
            taken = library.saved(table.game.world.scenario)
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card"):
            ui.label(self.t("存档")).classes("headline")
            ui.label(self.t("每一回合都自己存着；想留住这一刻，再存一份。")).classes("hint")
            for slot in SLOTS[1:]:
                with ui.element("div").style(LINE):
                    ui.label(slot)
                    ui.button(
                        self.t("存在这里"), on_click=functools.partial(self._keep, slot)
                    ).props("outline no-caps dense").mark(f"keep-{slot}")
                    if slot in taken:
                        ui.button(
                            self.t("接着玩"), on_click=functools.partial(self._take_up, slot)
                        ).props("outline no-caps dense").mark(f"take-{slot}")
            ui.label(self.t("存成书")).classes("heading")
            with ui.element("div").style(LINE):
                for ending in ENDINGS:
                    ui.button(ending[1:], on_click=functools.partial(self._download, ending)).props(
                        "outline no-caps dense"
                    ).mark(f"export-{ending[1:]}")
        self._dialog.open()

    def _keep(self, slot: str) -> None:
        self._dialog.close()
        if self._page.done(lambda: self.tables.keep(self.player, self._page.name, slot)):
            self._page.frame.tell(self.t("存好了"))

    def _take_up(self, slot: str) -> None:
        self._dialog.close()
        self._page.done(lambda: self.tables.take_up(self.player, self._page.name, slot))

    def ask_again(self) -> None:
        seed: int | None = None
        try:
            with self._at() as table:
                seed = table.game.seed
        except CustomeError:
            pass  # a save that cannot be opened: another game can be begun
        self._dialog.clear()
        with self._dialog, ui.card().classes("gallery_card"):
            ui.label(self.t("从头来")).classes("headline")
            ui.label(self.t("现在这一局会被盖掉；要留住它，先存档。")).classes("hint")
            with ui.element("div").style(LINE):
                for words, mark, dice in (
                    (self.t("换一副骰子"), "fresh", None),
                    (self.t("同样的骰子"), "same", seed),
                ):
                    ui.button(words, on_click=functools.partial(self._begin, dice)).props(
                        "outline no-caps"
                    ).mark(f"again-{mark}")
        self._dialog.open()

    def _begin(self, seed: int | None) -> None:
        self._dialog.close()
        self._page.done(lambda: self.tables.begin(self.player, self._page.name, seed))
