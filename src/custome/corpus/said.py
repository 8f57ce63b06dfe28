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


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """What was recognised."""

    form: Form
    lines: tuple[Said, ...]


LONGEST_NAME = 16
NAME = r"[^\s：:，。！？“”\"；、（）()\[\]【】<>#]{1,16}"
LINE = re.compile(
    rf"^[ \t\u3000]*(?P<name>{NAME}|[A-Z][A-Z .'-]{{1,24}}?)[ \t]*(?:[（(](?P<how>[^）)]{{1,40}})[）)])?[ \t]*[：:][ \t]*(?P<words>\S.*)$"
)
"""甲（笑）：你来了."""
BRACKETED = re.compile(
    rf"^[ \t\u3000]*[【\[](?P<name>{NAME})[】\]][ \t\u3000：:]*(?P<words>[^\s：:].*)$"
)


def clean(name: Any) -> str:
    """A name as NAME wants it, so that it can stand in front of a colon."""
    bare = re.sub(r"\s+", "", str(name or ""))
    return re.sub(r"[：:，。！？“”\"；、（）()\[\]【】<>#]+", "·", bare).strip("·")[:LONGEST_NAME]
