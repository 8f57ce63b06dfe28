"""Values of a kind out of a JSON file that somebody may have edited: what is not as it should be is told with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from ...errors import DataError


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_words(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, (*value, *value.values())))


def _is_list_of(value: Any, is_one: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(is_one, value))


def rows_of(kind: Any, kept: Mapping[str, Any], key: str, where: str) -> tuple[Any, ...]:
    """Values of a kind out of a file.

    Raises:
        DataError: what is not as it should be, with its place.
    """
    rows = kept.get(key, [])
    known = {one.name: str(one.type) for one in fields(kind)}
    if not isinstance(rows, list):
        raise DataError(f"{where} 的 {key} 应是一列", "改回来，或用 git 取回以前的")
    found = []
    for number, row in enumerate(rows, 1):
        place = f"{where} 的第 {number} 条"
        if not isinstance(row, dict):
            raise DataError(f"{place}应是一个对象", "改回来，或用 git 取回以前的")
        for name, value in row.items():
            wanted = known.get(name)
            right = {
                None: False,
                "int": isinstance(value, int) and not isinstance(value, bool),
                "str": isinstance(value, str),
                "tuple[str, ...]": _is_list_of(value, _is_text),
            }.get(wanted, _is_list_of(value, _is_words))
            if not right:
                raise DataError(
                    f"{place}：{name} 写的是 {value!r}，不对", f"可以写 {'、'.join(known)}"
                )
        plain = {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}
        try:
            found.append(kind(**plain))
        except TypeError as error:
            raise DataError(f"{place}少了东西：{error}", f"可以写 {'、'.join(known)}") from error
    return tuple(found)
