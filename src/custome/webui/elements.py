"""The page's own elements: a turn, the column of turns, the box one writes in. What is drawn is in the .js file of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from ..apps.cosplay.service import LONGEST

Act = Callable[[str, str], Any]
"""(what, text) that was asked for."""


class TurnView(ui.element, component="turn.js"):
    """One thing said."""

    def __init__(self, number: int, on_act: Act) -> None:
        super().__init__()
        self._props["number"] = number
        self._said = ""
        self.on("act", lambda event: on_act(event.args["do"], event.args.get("text", "")))

    def show(self, **shown: Any) -> None:
        """Props as they are now; only words that were added behind what is there are sent alone."""
        text = shown["text"]
        others = {name: value for name, value in shown.items() if name != "text"}
        grown = bool(self._said) and text.startswith(self._said)
        if not grown or any(self._props.get(name) != value for name, value in others.items()):
            with self._props.suspend_updates():
                for name, value in shown.items():
                    self._props[name] = value
            self.update()
        elif text != self._said:
            with self._props.suspend_updates():
                self._props["text"] = text
            # Lengths as JavaScript counts them: an emoji is two.
            begin = len(self._said.encode("utf-16-le")) // 2
            self.run_method("grow", begin, text[len(self._said) :])
        self._said = text

    def reopen(self, draft: str) -> None:
        """Let what was not taken be edited further."""
        self.run_method("reopen", draft)

    @property
    def text(self) -> str:
        return self._said

    def shows(self, name: str) -> Any:
        """A prop, as it was shown last."""
        return self._props.get(name)

    def _displayed_contents(self, *, only_visible: bool) -> list[Any]:
        return [
            *super()._displayed_contents(only_visible=only_visible),
            self._said,
            self._props.get("name"),
            self._props.get("note"),
        ]


class Slider(ui.slider):
    """A slider that keys move as fast as they are pressed: the browser's value is not set back by an earlier one."""

    LOOPBACK = False


class Column(ui.element, component="talk.js"):
    """Turns, one under the other, followed while they grow."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self._props["label"] = label

    def follow(self) -> None:
        """Scroll to the end, wherever one was reading."""
        self.run_method("follow", True)


class Composer(ui.element, component="composer.js"):
    """Where one writes, with one button that sends or stops."""

    def __init__(
        self,
        placeholder: str,
        *,
        on_send: Callable[[str], Any],
        on_stop: Callable[[], Any],
        on_key: Callable[[str], Any],
    ) -> None:
        super().__init__()
        self._props.update(placeholder=placeholder, chat="", busy=False, longest=LONGEST)

        def send(event: GenericEventArguments) -> Any:
            return on_send(str(event.args["words"]))

        def press(event: GenericEventArguments) -> Any:
            return on_key(str(event.args["do"]))

        self.on("send", send)
        self.on("stop", lambda: on_stop())
        self.on("key", press)

    def show(self, *, chat: str, busy: bool, placeholder: str) -> None:
        """Whose draft it holds, whether somebody is answering, and what it says while it is empty."""
        wanted = {"chat": chat, "busy": busy, "placeholder": placeholder}
        for name, value in wanted.items():
            if self._props[name] != value:
                self._props[name] = value

    def shows(self, name: str) -> Any:
        """A prop, as it was shown last."""
        return self._props.get(name)

    def give_back(self, words: str) -> None:
        """Words that could not be said return to the box."""
        self.run_method("give_back", words)

    def put(self, words: str) -> None:
        self.run_method("put", words)

    async def words(self) -> str:
        """What is in the box; '' where the browser does not answer."""
        try:
            return str(await self.run_method("written") or "")
        except TimeoutError:
            return ""

    def carry(self) -> None:
        """What is in the box goes along to the conversation that is shown next."""
        self.run_method("carry")

    def focus(self) -> None:
        self.run_method("focus")
