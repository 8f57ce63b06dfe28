"""A document while it is read: its text as it grows, and where its headings, pages and rows begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .chunks import Place


class Writing:
    """Text and places of one document."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._places: list[Place] = []
        self._headings: list[tuple[int, str]] = []
        self.page = 0
        """The page, slide or sheet that is being read, from 1."""

    def heading(self, text: str, level: int) -> None:
        """A heading; those below the one before it of its level end."""
        text = " ".join(text.split())
        if text:
            self._headings = [one for one in self._headings if one[0] < level] + [(level, text)]
            self._mark()
            self._put(f"{text}\n")

    def turn(self, page: int) -> None:
        """The next page begins."""
        self.page = page
        self._mark()

    def say(self, text: str) -> None:
        """A paragraph."""
        if text.strip():
            if not self._places:
                self._mark()
            self._put(f"{text.strip()}\n")

    def row(self, cells: Mapping[str, Any]) -> None:
        """A row of a table with its header, kept in one piece: 列：值；列：值."""
        told = [
            f"{name}：{value}" if name else str(value)
            for name, value in cells.items()
            if str(value).strip()
        ]
        if told:
            self._mark(whole=True)
            self._put("；".join(told) + "\n")
            self._mark()

    def finished(self) -> tuple[str, tuple[Place, ...]]:
        """(text, places)"""
        kept: list[Place] = []
        for place in self._places:
            if kept and kept[-1].start == place.start:
                kept[-1] = place
            else:
                kept.append(place)
        return "".join(self._parts), tuple(place for place in kept if place.start < self._size)

    def _put(self, text: str) -> None:
        text = text.encode("utf-8", "replace").decode()  # half a character of JSON is none
        self._parts.append(text)
        self._size += len(text)

    def _mark(self, *, whole: bool = False) -> None:
        self._places.append(
            Place(
                start=self._size,
                heading=tuple(text for _, text in self._headings),
                page=self.page,
                whole=whole,
            )
        )


def table(writing: Writing, rows: Sequence[Sequence[Any]]) -> None:
    """Rows of cells, the first that has any being the header."""
    filled = [[_cell(value) for value in row] for row in rows if any(_cell(value) for value in row)]
    if not filled:
        return
    header, *body = filled
    if not body:
        writing.say("；".join(cell for cell in header if cell))
    names = [name or f"第{place}列" for place, name in enumerate(header, 1)]
    for row in body:
        cells: dict[str, str] = {}
        for name, value in zip(
            [*names, *(f"第{n}列" for n in range(len(names) + 1, len(row) + 1))], row, strict=False
        ):
            again = sum(one == name or one.startswith(f"{name}（") for one in cells)
            cells[f"{name}（{again + 1}）" if again else name] = value
        writing.row(cells)


def _cell(value: Any) -> str:
    """A cell's value as people write it: 128 for 128.0, a day without midnight."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).removesuffix(" 00:00:00").split())
