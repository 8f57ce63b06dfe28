"""When people of a shop answer: “周一至周五 9:00-18:00；周六 10:00-16:00”, read and asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

_DAYS = "一二三四五六日"
_SPAN = re.compile(
    r"^(?:每天|(?:周|星期)(?P<first>[一二三四五六日天])(?:\s*(?:至|到|-|－|—|~)\s*(?:周|星期)?(?P<last>[一二三四五六日天]))?)"
    r"\s*(?P<hour>\d{1,2})[:：](?P<minute>\d{2})\s*(?:至|到|-|－|—|~)\s*(?P<until>\d{1,2})[:：](?P<past>\d{2})$"
)


@dataclass(frozen=True, kw_only=True)
class Span:
    """Some days of the week, from one time of the day to another."""

    days: frozenset[int]
    """0 is Monday."""
    start: int
    end: int
    """Minutes since midnight; an end before the start is of the next day."""


def read_hours(text: str) -> tuple[Span, ...]:
    """What somebody wrote.

    Raises:
        ValueError: the part that cannot be read.
    """
    return tuple(_span(part.strip()) for part in re.split(r"[；;，,、\n]", text) if part.strip())


def _span(text: str) -> Span:
    found = _SPAN.match(text)
    if found is None:
        raise ValueError(text)
    start = int(found["hour"]) * 60 + int(found["minute"])
    end = int(found["until"]) * 60 + int(found["past"])
    if max(start, end) > 24 * 60 or start == end or int(found["minute"]) > 59:
        raise ValueError(text)
    days = range(7)
    if found["first"]:
        first = _DAYS.index(found["first"].replace("天", "日"))
        last = _DAYS.index((found["last"] or found["first"]).replace("天", "日"))
        days = range(first, last + 1 if last >= first else last + 8)
    return Span(days=frozenset(day % 7 for day in days), start=start, end=end)


def is_open(spans: Sequence[Span], now: datetime) -> bool:
    """Is somebody there? Always, where nothing was written."""
    if not spans:
        return True
    minute, day = now.hour * 60 + now.minute, now.weekday()
    for one in spans:
        if one.start < one.end:
            if day in one.days and one.start <= minute < one.end:
                return True
        elif (day in one.days and minute >= one.start) or (
            (day - 1) % 7 in one.days and minute < one.end
        ):
            return True
    return False
