"""The page on which a scenario is written: the map, its parts as forms, what is wrong, whether it can be won. Kept with every change.

The forms are made from the scenario's own fields, so what a file can say a form can.
"""

from __future__ import annotations

import copy
import functools
import typing
from typing import Any

from nicegui import run, ui

from ..apps.adventure.drafts import NAMED, Drafts, Raw, faults, rename
from ..apps.adventure.proving import prove
from ..apps.adventure.scenario import (
    KEYS,
    Counter,
    Ending,
    Event,
    Item,
    Part,
    Person,
    Place,
    Player,
    Rule,
    Scenario,
    Secret,
    as_file,
    scenario_of,
)
from ..errors import CustomeError, InputError
from .adventure_drafts import DraftList
from .adventure_fields import Form
from .adventure_map import scenario_map
from .shell import Frame, Shell

SECTIONS: dict[str, type[Part]] = {
    "places": Place,
    "people": Person,
    "items": Item,
    "rules": Rule,
    "events": Event,
    "secrets": Secret,
    "counters": Counter,
    "endings": Ending,
}
WHOLE = ("era", "clock", "hour_turns", "topics")
"""Fields of the whole that few scenarios change."""
WIDE = "max-width: 62rem; margin: 0 auto; width: 100%; display: flex; flex-direction: column; gap: 12px; padding: 12px"
LINE = "display: flex; flex-wrap: wrap; gap: 8px; align-items: center"
GRID = "display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 10px"
CARD = "border: 1px solid var(--line); background: var(--sheet); border-radius: 14px; padding: 14px 16px; display: flex; flex-direction: column; gap: 10px"
QUOTE = "font-family: var(--book); color: var(--faint); border-left: 3px solid var(--seal); padding-left: 10px"
PROVE_S = 20.0
"""Seconds that are spent on looking whether it can be won."""


def add_pages(shell: Shell) -> None:
    """The page of the workshop of games, where pages may keep things."""
    place = shell.context.workplace
    if place is None:
        return
    drafts = Drafts(place)
    shell.page("/adventure/edit", "写剧本")(lambda frame: AdventureEditor(frame, drafts) and None)


class AdventureEditor:
    """One tab of a browser."""

    def __init__(self, frame: Frame, drafts: Drafts) -> None:
        self.frame, self.drafts, self.t = frame, drafts, frame.words
        self.raw: Raw = {}
        self._before: Raw = {}
        """As it was kept last."""
        self.section, self.number = "places", 0
        self._form = Form(frame, self._set)
        self._chip_buttons: list[ui.button] = []
        with frame.title:
            self._title = ui.label(self.t("写剧本")).classes("chat_title").mark("title")
        with frame.things:
            self._list = DraftList(frame, drafts, self._open)
        self._room = ui.element("div").style(WIDE)
        if name := frame.request.query_params.get("game", ""):
            self.open(name)
        self._draw()

    # -- which one ---------------------------------------------------------------------------------------------------

    def open(self, name: str) -> None:
        """Another scenario."""
        try:
            self.raw = self.drafts.open(name)
            self._before = copy.deepcopy(self.raw)
        except CustomeError as error:
            self.frame.warn(error)
        self.section, self.number = "places", 0

    def _open(self, name: str) -> None:
        self.open(name)
        with self._room:
            self._draw()
        self.frame.put_list_away()

    # -- the page ----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        t = self.t
        self._list.draw(str(self.raw.get("id", "")))
        self._form.forget()
        self._room.clear()
        with self._room:
            if not self.raw:
                ui.label(t("写一个自己的文字冒险")).classes("headline")
                ui.label(t("左边新写一个，或打开一个接着写；每改一处都自己存着。")).classes("hint")
                return
            self._title.set_text(str(self.raw.get("title", "")))
            self._draw_whole()
            self._map = ui.element("section").style(CARD)
            self._draw_map()
            self._draw_sections()
            self._faults = ui.element("div").style(CARD).mark("faults")
            self._buttons()
        self._draw_faults()

    def _draw_whole(self) -> None:
        """What it is called, what it is about, who one is."""
        t, raw = self.t, self.raw
        with ui.element("section").style(CARD):
            with ui.element("div").style(GRID):
                self._form.one(raw, "title", str, "whole-title")
                self._form.one(raw, "about", str, "whole-about")
            with ui.element("div").style(GRID):
                self._form.draw(raw.setdefault("player", {}), Player, "player-")
            ui.label(t("你是谁，从哪里开始；本事一行一个，如 口才=1")).classes("hint")
            with ui.expansion(t("时辰和话题")).props("dense"), ui.element("div").style(GRID):
                hints = typing.get_type_hints(Scenario)
                for name in WHOLE:
                    default = Scenario.model_fields[name].default
                    default = None if isinstance(default, dict | tuple) else default
                    self._form.one(raw, name, hints[name], f"whole-{name}", default)

    def _draw_map(self) -> None:
        def chosen(name: str) -> None:
            names = [one.get("name") for one in self.raw.get("places", [])]
            if name in names:
                self.section, self.number = "places", names.index(name)
                self._draw()

        self._map.clear()
        with self._map:
            ui.label(self.t("地图")).classes("headline")
            scenario_map(self.raw, chosen).mark("map")
            ui.label(self.t("可以拖着摆；点一处地方就改它")).classes("hint")

    def _draw_sections(self) -> None:
        t = self.t
        with ui.element("section").style(CARD):
            with ui.element("div").style(LINE).props("role=tablist"):
                for section in SECTIONS:
                    count = len(self.raw.get(section, []))
                    label = f"{t(_called(section))} {count}"
                    button = ui.button(label, on_click=functools.partial(self._turn, section))
                    button.props(
                        "no-caps dense " + ("unelevated" if section == self.section else "flat")
                    ).mark(f"section-{section}")
            self._chips = ui.element("div").style(LINE)
            self._draw_chips()
            if rows := self.raw.get(self.section, []):
                self._draw_row(rows[min(self.number, len(rows) - 1)])

    def _draw_chips(self) -> None:
        t = self.t
        self._chip_buttons = []
        self._chips.clear()
        with self._chips:
            for number, row in enumerate(self.raw.get(self.section, [])):
                chosen = number == self.number
                button = ui.button(
                    str(row.get("name") or "？"),
                    on_click=functools.partial(self._choose, number),
                )
                button.props("no-caps dense " + ("outline" if chosen else "flat"))
                button.mark(f"row-{self.section}-{number}")
                self._chip_buttons.append(button)
            ui.button(t("加一个"), icon="add", on_click=self._add).props("flat no-caps dense").mark(
                "add"
            )

    def _draw_row(self, row: Raw) -> None:
        if quote := (row.get("source") or {}).get("quote"):
            ui.label(f"“{quote}”").style(QUOTE).mark("quote")
        with ui.element("div").style(GRID):
            self._form.draw(row, SECTIONS[self.section])
        with ui.element("div").style(LINE):
            ui.button(self.t("去掉这一个"), icon="delete", on_click=self._strike).props(
                "flat no-caps dense"
            ).mark("strike")

    def _buttons(self) -> None:
        t = self.t
        with ui.element("div").style(LINE):
            ui.button(t("能不能赢"), on_click=self._prove).props("outline no-caps").mark("prove")
            ui.button(t("做成，去玩"), on_click=self._publish).props("unelevated no-caps").mark(
                "publish"
            )
            ui.button(t("存成文件给别人"), on_click=self._share).props("flat no-caps").mark("share")
        self._proof = ui.label("").classes("hint").mark("proof")

    def _set(self, row: Raw, name: str, value: Any) -> None:
        """Somebody has written something into a field: the forms stay as they are."""
        old = row.get(name)
        renamed = name == "name" and self.section in NAMED and row is not self.raw.get("player")
        if renamed and (not value or self._is_taken(row, str(value))):
            self.frame.tell(self.t("名字不能空着，也不能和别的一样"), wrong=True)
            self._draw()
            return
        row[name] = value
        if renamed:
            rename(self.raw, self.section, str(old or ""), str(value))
        self._keep()
        self._form.refresh()  # other fields may speak of it; none is drawn anew under somebody's hands
        for button, one in zip(self._chip_buttons, self.raw.get(self.section, []), strict=False):
            button.set_text(str(one.get("name") or "？"))
        self._draw_map()
        self._draw_faults()

    def _is_taken(self, row: Raw, name: str) -> bool:
        rows = [one for section in NAMED for one in self.raw.get(section, [])]
        return any(one is not row and one.get("name") == name for one in rows)

    # -- what is done ------------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        try:
            self.drafts.save(str(self.raw["id"]), self.raw, self._before)
            self._before = copy.deepcopy(self.raw)
        except InputError as error:  # another tab was here
            self.frame.warn(error)
            self.open(str(self.raw["id"]))
            self._draw()
        except CustomeError as error:
            self.frame.warn(error)

    def _changed(self) -> None:
        """Keep it, and draw all of it."""
        self._keep()
        self._draw()

    def _turn(self, section: str) -> None:
        self.section, self.number = section, 0
        self._draw()

    def _choose(self, number: int) -> None:
        self.number = number
        self._draw()

    def _add(self) -> None:
        rows = self.raw.setdefault(self.section, [])
        taken = {one.get("name") for one in rows}
        name = next(
            made for at in range(1, 999) if (made := f"{_called(self.section)}{at}") not in taken
        )
        rows.append({"name": name} | ({"verb": "做"} if self.section == "rules" else {}))
        self.number = len(rows) - 1
        self._changed()

    def _strike(self) -> None:
        rows, section, name = self.raw[self.section], self.section, self.raw["id"]
        at = min(self.number, len(rows) - 1)
        gone = rows.pop(at)
        self.number = max(0, at - 1)

        def back() -> None:
            if self.raw.get("id") == name:
                self.raw.setdefault(section, []).insert(at, gone)
                self._changed()

        self._changed()
        self.frame.tell(self.t("去掉了 {name}", name=gone.get("name", "")), back)

    def _draw_faults(self) -> None:
        found = faults(self.raw)
        self._faults.clear()
        with self._faults:
            if not found:
                ui.label(self.t("名字都对得上")).classes("hint").mark("fits")
            for one in found[:20]:
                ui.label(one).classes("broken").mark("fault")

    async def _prove(self) -> None:
        try:
            scenario = scenario_of(self.raw)
        except CustomeError as error:
            self.frame.warn(error)
            return
        if found := faults(self.raw):
            self.frame.tell(found[0], wrong=True)
            return
        self._proof.set_text(self.t("正在找赢法……"))
        proof = await run.io_bound(prove, scenario, most=200_000, seconds=PROVE_S)
        if proof is None:  # the server is going down
            return
        if proof.line is None:
            told = self.t("看了 {n} 个局面，没有找到赢法", n=f"{proof.states:,}")
        else:
            told = self.t("能赢，最短 {n} 步：", n=len(proof.line))
            told += " → ".join(str(move.action) for move in proof.line)
        if proof.dead_ends:
            told += self.t("。有 {n} 个局面走进去就赢不了", n=f"{proof.dead_ends:,}")
        if proof.unused:
            told += self.t("。从来用不上：") + "、".join(proof.unused)
        self._proof.set_text(told)

    def _publish(self) -> None:
        try:
            scenario = self.drafts.publish(self.raw)
        except CustomeError as error:
            self.frame.warn(error)
            return
        ui.navigate.to(self.t.to("/adventure") + f"?game={scenario.id}")

    def _share(self) -> None:
        try:
            text = as_file(scenario_of(self.raw))
        except CustomeError as error:
            self.frame.warn(error)
            return
        self.frame.download(f"{self.raw['id']}.yaml", text.encode("utf-8"))


def labels() -> set[str]:
    """What the fields of the forms are called."""
    parts: list[type[Part]] = [Player, *SECTIONS.values()]
    named = {name for part in parts for name in part.model_fields} - {"source"}
    return {KEYS[name] for name in (*named, *SECTIONS, *WHOLE, "title")}


def _called(section: str) -> str:
    return KEYS[section]
