"""The fields of a part of a scenario as inputs, made from their types: a line, a text, a number, a switch, lines."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable
from typing import Any

from nicegui import ui

from ..apps.adventure.drafts import Raw
from ..apps.adventure.scenario import KEYS, Part
from .shell import Frame

LONG = ("about", "text", "failure_text", "what")


class Form:
    """Inputs for parts of a scenario.

    Args:
        keep: (part, field, value), called when somebody leaves a field that they have changed.
    """

    def __init__(self, frame: Frame, keep: Callable[[Raw, str, Any], None]) -> None:
        self._frame, self._t, self._keep = frame, frame.words, keep
        self._boxes: list[tuple[Any, list[Any], Callable[[], Any]]] = []
        """(input, [what it showed last], what it is to show)."""

    def forget(self) -> None:
        """All inputs are to be drawn anew."""
        self._boxes.clear()

    def refresh(self) -> None:
        """Show what has changed elsewhere; a field that somebody is writing in stays as it is."""
        for box, drawn, show in self._boxes:
            now = show()
            if box.value == drawn[0] and now != drawn[0]:
                drawn[0] = now
                box.set_value(now)

    def draw(self, row: Raw, part: type[Part], marks: str = "") -> None:
        """All fields of a part, but where it comes from."""
        hints = typing.get_type_hints(part)
        for name, field in part.model_fields.items():
            if name == "exits":
                self._exits(row)
            elif name == "check":
                self._check(row)
            elif name != "source":
                default = field.default if isinstance(field.default, bool | int) else None
                self.one(row, name, hints[name], marks + name, default)

    def one(self, row: Raw, name: str, kind: Any, mark: str, default: Any = None) -> None:
        """One field, as its type asks for."""
        label = self._t(KEYS[name])
        if kind is bool:
            switch = ui.switch(label, value=bool(row.get(name, default))).mark(mark)
            switch.on_value_change(lambda event: self._keep(row, name, bool(event.value)))
        elif kind is int:
            number = ui.number(label, value=row.get(name, default), precision=0)
            number.props("outlined dense").mark(mark)
            self._on_leaving(
                number, row, name, lambda value: int(value or 0), lambda: row.get(name, default)
            )
        elif kind is str or typing.get_origin(kind) is typing.Literal:
            made = ui.textarea if name in LONG else ui.input
            text: Any = made(label, value=str(row.get(name) or default or ""))
            text.props("outlined dense autogrow").mark(mark)
            self._on_leaving(
                text,
                row,
                name,
                lambda value: str(value or "").strip(),
                lambda: str(row.get(name) or default or ""),
            )
        else:
            lines = ui.textarea(label, value=_as_lines(row.get(name)))
            lines.props(f'outlined dense autogrow hint="{self._t("一行一个")}"').mark(mark)
            is_dict = typing.get_origin(kind) is dict
            self._on_leaving(
                lines,
                row,
                name,
                lambda value: _from_lines(str(value or ""), is_dict),
                lambda: _as_lines(row.get(name)),
            )

    def _on_leaving(
        self,
        box: Any,
        row: Raw,
        name: str,
        read: Callable[[Any], Any],
        show: Callable[[], Any],
    ) -> None:
        """Keep what somebody has written into a field, and nothing that they only passed.

        Args:
            read: what stands in the input → the field.
            show: the field, as it is now → what is to stand in the input.
        """
        drawn = [box.value]
        self._boxes.append((box, drawn, show))

        def leave() -> None:
            if box.value != drawn[0]:
                drawn[0] = box.value
                self._keep(row, name, read(box.value))

        box.on("blur", leave)

    def _exits(self, row: Raw) -> None:
        """Ways out of a place, one to a line: where, how it is called, its key; - for no direction."""

        def show() -> str:
            return "\n".join(_as_way(one) for one in row.get("exits", []))

        box = ui.textarea(self._t("出口"), value=show()).mark("exits")
        box.props(
            f'outlined dense autogrow hint="{self._t("一行一个：去哪里 方向 钥匙；没有方向写 -")}"'
        )

        def read(value: Any) -> list[Raw]:
            known = {one.get("to"): one for one in row.get("exits", [])}
            now = []
            for line in str(value or "").splitlines():
                to, way, key, *_ = [*line.split(), "", "", ""]
                if to:
                    way = "" if way == "-" else way
                    now.append({**known.get(to, {}), "to": to, "way": way, "key": key})
            return now

        self._on_leaving(box, row, "exits", read, show)

    def _check(self, row: Raw) -> None:
        now = row.get("check") or {}
        value = f"{now.get('skill', '')} {now.get('difficulty', '')}".strip()
        box = ui.input(self._t(KEYS["check"]), value=value).mark("check")
        box.props(f'outlined dense hint="{self._t("本事 难度，如 口才 8；空着就不掷骰子")}"')

        def keep() -> None:
            skill, difficulty, *_ = [*str(box.value or "").split(), "", ""]
            if skill and not re.fullmatch("[0-9]{1,2}", difficulty):
                self._frame.tell(self._t("难度要是一个数，如 口才 8"), wrong=True)
                return
            check = {"skill": skill, "difficulty": int(difficulty)} if skill else None
            if check != (row.get("check") or None):
                self._keep(row, "check", check)

        box.on("blur", keep)


def _as_way(way: Raw) -> str:
    key = str(way.get("key") or "")
    direction = str(way.get("way") or ("-" if key else ""))
    return " ".join(filter(None, (str(way.get("to", "")), direction, key)))


def _as_lines(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(
            f"{key}={one if isinstance(one, int) else '、'.join(one)}" for key, one in value.items()
        )
    return "\n".join(str(one) for one in value or ())


def _from_lines(text: str, is_dict: bool) -> Any:
    """Lines; of a dict 口才=1 to a line, or 箭=箭枝、造箭."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not is_dict:
        return lines
    pairs = [line.replace("＝", "=").partition("=") for line in lines]
    return {
        key.strip(): int(one) if re.fullmatch(r"\s*-?\d{1,4}\s*", one) else _listed(one)
        for key, _, one in pairs
    }


def _listed(text: str) -> list[str]:
    return [one.strip() for one in re.split("[、，,]", text) if one.strip()]
