"""The page of games: which there are at the left; where one is, what has happened, what can be done, a line to type into.

Everything shown is read from the player's table, which is kept after every turn, so the page can be closed at any time.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable
from typing import Any

from nicegui import ui

from ..apps.adventure.game import Game
from ..apps.adventure.library import AUTO
from ..apps.adventure.rules import Action
from ..apps.adventure.tables import Table, Tables, tables_of
from ..apps.adventure.telling import suggestions
from ..errors import CustomeError
from . import adventure_editor
from .adventure_dialogs import Dialogs
from .adventure_story import LINE, STORY, Story
from .seal import seal_svg
from .shell import Frame, Shell

LOOK_EVERY_S = 0.5
ROOM = "max-width: 46rem; margin: 0 auto; width: 100%; display: flex; flex-direction: column; gap: 14px; padding: 12px 12px 24px"
CARD = "border: 1px solid var(--line); background: var(--sheet); border-radius: 14px; padding: 14px 16px; display: flex; flex-direction: column; gap: 10px"
PLACE = "font-family: var(--book); font-size: 1.5rem; font-weight: 600"
BAR = "position: sticky; bottom: 0; background: var(--paper); padding: 8px 0; display: flex; flex-direction: column; gap: 8px"
CHIP = "border: 1px solid var(--line); border-radius: 20px; padding: 2px 14px; background: var(--sheet)"


def add_pages(shell: Shell) -> None:
    """The page of games, where pages may keep things."""
    if shell.context.workplace is None:
        return
    tables = tables_of(shell.context)

    def draw(frame: Frame) -> None:
        AdventurePage(frame, tables)

    shell.page("/adventure", "冒险", icon="explore")(draw)
    adventure_editor.add_pages(shell)


class AdventurePage:
    """One tab of a browser."""

    def __init__(self, frame: Frame, tables: Tables) -> None:
        self.frame, self.tables, self.t = frame, tables, frame.words
        self.player = f"page-{frame.owner}"
        self._seen: Any = None
        self._client = ui.context.client
        self._dialog = ui.dialog().classes("gallery")
        found, wrong = tables.library(self.player).scenarios()
        asked = frame.request.query_params.get("game", "")
        self.name = asked if asked in found else next(iter(found))
        self._build()
        for error in wrong:
            frame.warn(error)
        self.refresh()
        ui.timer(LOOK_EVERY_S, self._look)

    # -- layout ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        t, frame = self.t, self.frame
        with frame.title:
            self._title = ui.label(t("冒险")).classes("chat_title").mark("title")
        with frame.things:
            self._games = ui.element("div").classes("chats").mark("games")
        with ui.element("div").style(ROOM):
            self._story = Story(self, self._dialog)
            self._dialogs = Dialogs(self, self._dialog)
            self._scene = ui.element("section").style(CARD).mark("scene")
            with ui.element("div").style(BAR):
                self._aside = ui.element("div").mark("aside")
                self._offers = ui.element("div").style(LINE).mark("offers")
                with ui.element("div").style(LINE):
                    self._box = ui.input(placeholder=t("想做什么，写一句")).props(
                        f'outlined dense maxlength=200 aria-label="{t("想做什么")}"'
                    )
                    self._box.style("flex: 1; min-width: 12rem").mark("typed")
                    self._box.on("keydown.enter", self._type)
                    ui.button(t("做"), on_click=self._type).props("unelevated no-caps").mark("do")
                with ui.element("div").style(LINE):
                    frame.icon_button("undo", t("退一步"), self._undo).mark("undo-turn")
                    frame.icon_button("redo", t("进一步"), self._redo).mark("redo-turn")
                    frame.icon_button(
                        "map", t("地图"), lambda: self.safely(self._dialogs.show_map)
                    ).mark("show-map")
                    frame.icon_button(
                        "account_tree", t("走过的路"), lambda: self.safely(self._dialogs.show_tree)
                    ).mark("tree")
                    frame.icon_button(
                        "save", t("存档"), lambda: self.safely(self._dialogs.show_slots)
                    ).mark("slots")
                    frame.icon_button("restart_alt", t("从头来"), self._dialogs.ask_again).mark(
                        "again"
                    )

    # -- what is done ------------------------------------------------------------------------------------------------

    def safely(self, do: Callable[[], Any]) -> bool:
        """Do it; where it cannot be done, say why."""
        try:
            do()
        except CustomeError as error:
            with self._client:
                self.frame.warn(error)
            return False
        return True

    def done(self, do: Callable[[], Any]) -> bool:
        done = self.safely(do)
        self.refresh()
        return done

    def _type(self) -> None:
        text = str(self._box.value or "").strip()
        if text:
            self._box.set_value("")
            self.done(lambda: self.tables.typed(self.player, self.name, text))

    def do(self, action: Action) -> None:
        self.done(lambda: self.tables.act(self.player, self.name, action))

    def _undo(self) -> None:
        self.done(lambda: self.tables.undo(self.player, self.name))

    def _redo(self) -> None:
        self.done(lambda: self.tables.redo(self.player, self.name))

    def say_otherwise(self, number: int) -> None:
        """A turn in other words."""
        self.done(lambda: self.tables.say_otherwise(self.player, self.name, number))

    def show_version(self, number: int, version: int) -> None:
        """Another version of a turn's words."""
        self.done(lambda: self.tables.show(self.player, self.name, number, version))

    def reword(self, number: int, text: str) -> None:
        """One's own words for a turn."""
        self.done(lambda: self.tables.reword(self.player, self.name, number, text))

    def open(self, name: str) -> None:
        """Another game."""
        self.name = name
        self.refresh()
        with self._client:
            self.frame.put_list_away()

    # -- what is shown -----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """What another tab has done."""
        try:
            seen = self._now()
        except CustomeError:
            return  # told when it was opened
        if seen != self._seen:
            self.refresh()

    def _now(self) -> tuple[str, int]:
        with self.tables.at(self.player, self.name) as table:
            return self.name, table.changed

    def refresh(self) -> None:
        """As it is now."""
        with self._client:  # what was pressed may be drawn away
            self.safely(self._draw)

    def _draw(self) -> None:
        self._draw_games()
        with self.tables.at(self.player, self.name) as table:
            self._seen = self.name, table.changed
            game = table.game
            self._title.set_text(game.world.scenario.title)
            self._draw_scene(game)
            self._story.draw(table)
            self._draw_offers(table)
        self._client.run_javascript("window.scrollTo({top: document.body.scrollHeight})")

    def _draw_games(self) -> None:
        library = self.tables.library(self.player)
        self._games.clear()
        with self._games:
            for one in library.scenarios()[0].values():
                here = one.id == self.name
                with ui.element("div").classes("chat_row here" if here else "chat_row"):
                    open_it = functools.partial(self.open, one.id)
                    with ui.element("button").classes("open").on("click", open_it) as row:
                        with ui.element("div").classes("head"):
                            ui.label(one.title).classes("title")
                            if AUTO in library.saved(one):
                                ui.label(self.t("玩着")).classes("when")
                        ui.label(one.about).classes("last")
                    row.mark(f"game-{one.id}")
            target = self.t.to("/adventure/edit")
            with ui.element("div").style(LINE + "; padding: 8px"):
                ui.link(self.t("写一个自己的"), target).mark("write")
                ui.link(self.t("改这一个"), f"{target}?game={self.name}").mark("change")

    def _draw_scene(self, game: Game) -> None:
        t, world, state = self.t, game.world, game.state
        place = world.places[state.at]
        self._scene.clear()
        with self._scene:
            with ui.element("div").style(LINE):
                ui.label(place.name).style(PLACE).mark("place").props("role=heading aria-level=1")
                if hour := world.hour(state):
                    ui.label(hour).classes("hint")
            ui.label(place.about)
            if company := state.company():
                with ui.element("div").style(LINE).mark("company"):
                    for name in company:
                        self._person(game, name)
            if state.here():
                with ui.element("div").style(LINE):
                    ui.label(t("这里有")).classes("hint")
                    for thing in state.here():
                        ui.label(thing).tooltip(world.items[thing].about)
            self._draw_ways(game)
            self._draw_self(game)

    def _person(self, game: Game, name: str) -> None:
        one, state = game.world.people[name], game.state.people[name]
        with ui.element("div").style("display: inline-flex; gap: 6px; align-items: center"):
            drawn = base64.b64encode(seal_svg(name).encode()).decode()
            ui.element("img").props(
                f'src="data:image/svg+xml;base64,{drawn}" alt="" width=30 height=30'
            )
            words = name + (self.t("（跟着你）") if state.follows else "")
            hearts = "♥" * max(0, min(3, state.relation)) + "♡" * max(0, min(3, -state.relation))
            ui.label(f"{words} {hearts}".strip()).tooltip(one.about)

    def _draw_ways(self, game: Game) -> None:
        world, state = game.world, game.state
        with ui.element("div").style(LINE).mark("ways"):
            ui.icon("signpost").props("aria-hidden=true")
            for way in world.places[state.at].exits:
                words = f"{way.way}·{way.to}" if way.way else way.to
                button = ui.button(
                    words, on_click=functools.partial(self.do, Action("走", way.to)), color=None
                ).props("outline no-caps dense")
                button.mark(f"way-{way.to}").set_enabled(
                    world.is_open(state, way.to) and not state.ended
                )

    def _draw_self(self, game: Game) -> None:
        t, world, state = self.t, game.world, game.state
        with ui.element("div").style(
            LINE + "; border-top: 1px solid var(--line); padding-top: 8px"
        ):
            ui.label(f"{world.scenario.player.name}").classes("label")
            ui.label(t("体力 {now}/{most}", now=state.hp, most=world.scenario.player.hp)).classes(
                "hint"
            ).mark("hp")
            for name, figure in state.counters.items():
                ui.label(f"{name} {figure}").classes("hint")
            ui.label(t("身上：") + ("、".join(state.bag()) or t("什么也没有"))).mark("bag")
        for name in sorted(state.secrets):
            ui.label(t("你知道：") + world.secrets[name].what).classes("hint")

    def _draw_offers(self, table: Table) -> None:
        t, game = self.t, table.game
        self._aside.clear()
        if table.aside:
            with self._aside:
                ui.label(table.aside).style(
                    STORY + "; white-space: pre-line; color: var(--faint)"
                ).mark("answer")
        self._offers.clear()
        with self._offers:
            if game.state.ended:
                ui.label(t("这一局完了")).classes("heading")
                ui.button(t("退一步"), on_click=self._undo).props("outline no-caps dense")
                ui.button(t("从头来"), on_click=self._dialogs.ask_again).props(
                    "outline no-caps dense"
                )
            for action in table.offered or suggestions(game):
                ui.button(
                    str(action), on_click=functools.partial(self.do, action), color=None
                ).props("flat no-caps dense").style(CHIP).mark("offer")
