"""Lines of a text in which it is written who speaks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Form = Literal["play", "subtitles", "game", "chat"]
FORMS: dict[Form, str] = {
    "play": "剧本、访谈",
    "subtitles": "字幕",
    "game": "对白表",
    "chat": "聊天记录",
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """One line; nobody says what has no name."""

    name: str = ""
    words: str
    how: str = ""
    at: datetime | None = None
    until: datetime | None = None
    """When the last of several messages in a row was sent."""


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """What was recognised."""

    form: Form
    lines: tuple[Said, ...]


LONGEST_NAME = 16
NAME = r"[^\s：:，。！？“”\"；、（）()\[\]【】<>#]{1,16}"
LINE = re.compile(
    rf"^[ \t\u3000]{{0,16}}(?P<name>{NAME}|[A-Z][A-Z .'-]{{1,24}}?)[ \t]{{0,8}}(?:[（(](?P<how>[^）)]{{1,40}})[）)])?[ \t]{{0,8}}[：:][ \t]{{0,8}}(?P<words>\S.*)$"
)
"""甲（笑）：你来了."""
BRACKETED = re.compile(
    rf"^[ \t\u3000]{{0,16}}[【\[](?P<name>{NAME})[】\]][ \t\u3000：:]{{0,8}}(?P<words>[^\s：:].*)$"
)


def clean(name: Any) -> str:
    """A name as NAME wants it, so that it can stand in front of a colon."""
    bare = re.sub(r"\s+", "", str(name or ""))
    return re.sub(r"[：:，。！？“”\"；、（）()\[\]【】<>#]+", "·", bare).strip("·")[:LONGEST_NAME]


_PART = re.compile(
    r"第?[〇零一二三四五六七八九十百千\d]+[回章节卷集部篇幕场折]?$|序幕$|尾声$|[Cc]hapter"
)


def is_part(name: str) -> bool:
    """A number or the head of a chapter, which nobody is called."""
    return _PART.match(name) is not None
