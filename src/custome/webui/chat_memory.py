"""In the drawer of settings: what each person of the scene remembers of the user; read, changed, pinned, forgotten."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from nicegui import ui

from ..apps.cosplay.memory import Memories, Memory

if TYPE_CHECKING:
    from .chat_page import ChatPage


class PeoplesMemory:
    """The memories of the people one talks to."""

    def __init__(self, page: ChatPage) -> None:
        self._page, self._memories = page, Memories(page.service.store)
        self._seen: object = None
        self._box = ui.element("div").classes("memories").mark("memories")

    def refresh(self) -> None:
        """As they are now; drawn anew where something changed."""
        owner = self._page.tab.owner
        known = [(name, self._memories.of(owner, name)) for name in self._page.scene.people]
        if known == self._seen:
            return
        self._seen = known
        self._box.clear()
        with self._box:
            for name, memories in known:
                ui.label(self._page.t("{name}记得你说过", name=name)).classes("label")
                for memory in memories:
                    self._show(name, memory)
                self._add_box(name)

    def _show(self, name: str, memory: Memory) -> None:
        t, frame = self._page.t, self._page.frame
        with ui.element("div").classes("memory").mark("memory"):
            box = ui.input(value=memory.text).props(f'dense outlined aria-label="{t("记得的话")}"')
            box.mark("memory_text").on(
                "blur", lambda: self._write(name, memory, str(box.value or "").strip())
            )
            pin = frame.icon_button(
                "push_pin",
                t("松开") if memory.pinned else t("钉住：每次都记得"),
                functools.partial(self._pin, name, memory),
            )
            pin.classes("pinned" if memory.pinned else "").mark("pin")
            frame.icon_button(
                "close", t("忘掉"), functools.partial(self._forget, name, memory)
            ).mark("forget_memory")

    def _add_box(self, name: str) -> None:
        t = self._page.t

        def add() -> None:
            if text := str(box.value or "").strip():
                self._memories.add(self._page.tab.owner, name, Memories.new(text))
                self.refresh()

        box = ui.input(placeholder=t("告诉他一件要记住的事，回车")).props("dense outlined")
        box.on("keydown.enter", add).mark("new_memory")

    def _write(self, name: str, memory: Memory, text: str) -> None:
        if text and text != memory.text:
            self._memories.change(self._page.tab.owner, name, memory.id, text=text)
            self.refresh()

    def _pin(self, name: str, memory: Memory) -> None:
        self._memories.change(self._page.tab.owner, name, memory.id, pinned=not memory.pinned)
        self.refresh()

    def _forget(self, name: str, memory: Memory) -> None:
        owner, page = self._page.tab.owner, self._page
        self._memories.forget(owner, name, memory.id)
        self.refresh()

        def undo() -> None:
            self._memories.add(owner, name, memory)
            self.refresh()

        page.frame.tell(page.t("{name}忘掉了一句", name=name), undo)
