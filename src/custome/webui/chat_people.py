"""Whom one talks to: a row of people above the box, and a gallery to choose from. One tap changes who answers; several are
there only when a scene is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

from ..apps.cosplay.starters import starters
from ..errors import CustomeError

if TYPE_CHECKING:
    from .chat_page import ChatPage

IN_A_ROW = 8
"""People in the row above the box."""
IN_A_GALLERY = 120
MOST_IN_A_SCENE = 8
TRIOS = (
    ("刘备", "曹操", "孙权"),
    ("刘备", "关羽", "张飞"),
    ("诸葛亮", "荀彧", "周瑜"),
    ("孙悟空", "猪八戒", "唐僧"),
    ("贾宝玉", "林黛玉", "薛宝钗"),
    ("宋江", "李逵", "武松"),
)
"""Scenes of three in one tap: the original project's, and one of each other classic."""
ABOUT = 60
"""Characters that tell who somebody is."""


class People:
    """The row and the gallery."""

    def __init__(self, page: ChatPage) -> None:
        self._page = page

    def build(self) -> None:
        t = self._page.t
        self._row = ui.element("div").classes("people")
        self._row.props(f'role="group" aria-label="{t("和谁说话")}"')
        with ui.dialog().classes("gallery") as self._dialog, ui.card().classes("gallery_card"):
            ui.label(t("和谁说话")).classes("heading")
            with ui.element("div").classes("tools"):
                self._search = ui.input(
                    placeholder=t("找人"), on_change=lambda: self._fill()
                ).props(f'outlined dense clearable aria-label="{t("找人")}"')
                self._search.mark("search_people")
                self._several = ui.switch(
                    t("几个人同场"), on_change=lambda event: self._change_several(event.value)
                ).mark("several")
            self._trios = ui.element("div").classes("trios")
            self._grid = ui.element("div").classes("grid")
            with ui.element("div").classes("row"):
                ui.button(t("好了"), on_click=self._dialog.close).props("unelevated no-caps").mark(
                    "done"
                )

    # -- the row -----------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Who is there, and who else could be."""
        page, t = self._page, self._page.t
        there, names = page.scene.people, page.names()
        row = list(dict.fromkeys([*there, *names]))[: max(IN_A_ROW, len(there))]
        self._row.clear()
        with self._row:
            for name in row:
                chip = ui.button(on_click=lambda name=name: self.talk_to(name), color=None)
                chip.props(f'flat no-caps aria-pressed="{str(name in there).lower()}"')
                chip.classes("chip here" if name in there else "chip").mark("chip", f"chip-{name}")
                with chip:
                    ui.element("img").props(
                        f'src="{page.portraits.address(name)}" alt="" width=28 height=28'
                    )
                    ui.label(name)
            more = ui.button(t("选人…"), on_click=self.choose, color=None)
            more.props("flat no-caps").classes("chip").mark("choose")

    def talk_to(self, name: str) -> None:
        """From now on this one answers, and nobody else."""
        self._page.set_scene(people=(name,), answers=1)
        self._changed()
        self._page.composer.focus()

    def _changed(self) -> None:
        page = self._page
        page.settings.take(page.scene)
        self.show()
        # whoever was chosen stands first
        ui.run_javascript(f"getHtmlElement({self._row.id})?.scrollTo(0, 0)")
        page.show(page.service.chat(page.tab))

    # -- the gallery -------------------------------------------------------------------------------------------------

    def choose(self) -> None:
        self._several.set_value(len(self._page.scene.people) > 1)
        self._search.set_value("")
        self._fill()
        self._dialog.open()

    def _change_several(self, several: bool) -> None:
        if not several and len(self._page.scene.people) > 1:
            self.talk_to(self._page.scene.people[0])
        self._fill()

    def _fill(self) -> None:
        page, wanted = self._page, (self._search.value or "").strip()
        meant = self._meant(wanted)
        names = [name for name in page.names() if wanted in name or name == meant]
        known, there = set(page.names()), page.scene.people
        self._trios.clear()
        self._grid.clear()
        with self._trios:
            for trio in TRIOS:
                if not wanted and known.issuperset(trio):
                    ui.button(
                        "、".join(trio), on_click=lambda trio=trio: self._together(trio)
                    ).props("outline no-caps").mark("trio")
        with self._grid:
            for name in names[:IN_A_GALLERY]:
                self._tile(name, name in there)
            if not names:
                ui.label(page.t("没有这个人"))

    def _tile(self, name: str, here: bool) -> None:
        page = self._page
        tile = ui.button(on_click=lambda: self._pick(name), color=None)
        tile.props(f'flat no-caps aria-pressed="{str(here).lower()}"')
        tile.classes("tile here" if here else "tile").mark("tile", f"tile-{name}")
        with tile:
            ui.element("img").props(
                f'src="{page.portraits.address(name)}" alt="" width=56 height=56 loading=lazy'
            )
            ui.label(name).classes("who")
            if spoken := self._lines(name):
                ui.label(page.t("{count} 句", count=spoken)).classes("much")

    def _meant(self, wanted: str) -> str:
        """Whose other name it is; '' for nobody's."""
        page = self._page
        if not wanted or not page.model:
            return ""
        return page.service.responder(page.model, page.tab.owner).known_as(wanted)

    def _lines(self, name: str) -> int:
        model = self._page.service.model(self._page.model)
        return next((one.utterances for one in model.people if one.name == name), 0)

    def _pick(self, name: str) -> None:
        if not self._several.value:
            self._dialog.close()
            self.talk_to(name)
            return
        there = list(self._page.scene.people)
        there = [one for one in there if one != name] if name in there else [*there, name]
        if len(there) > MOST_IN_A_SCENE:
            self._page.frame.tell(
                self._page.t("一场最多 {count} 个人", count=MOST_IN_A_SCENE), wrong=True
            )
            return
        self._page.set_scene(people=tuple(there or [name]))
        self._changed()
        self._fill()

    def _together(self, trio: tuple[str, ...]) -> None:
        self._page.set_scene(people=trio)
        self._dialog.close()
        self._changed()

    # -- who they are ------------------------------------------------------------------------------------------------

    def about(self, name: str) -> str:
        """One line about somebody, from their card."""
        try:
            card = self._page.service.responder(self._page.model, self._page.tab.owner).card(name)
        except CustomeError:
            return ""
        text = card.description.strip().replace("\n", " ")
        return text if len(text) <= ABOUT else text[:ABOUT].rstrip("，、；") + "…"

    def starters(self) -> list[str]:
        """Three sentences to begin with, for whoever is there."""
        page = self._page
        if not page.model or not page.scene.people:
            return []
        responder = page.service.responder(page.model, page.tab.owner)
        return starters(responder.company, page.scene.people)
