"""Words of the pages in two languages: Chinese as it is written in the source, English by two lists beside this file.

english.json has the words of the pages, with named slots as str.format wants them; english_errors.json the messages that
the rooms below raise, with {} where a value stands.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ..errors import CustomeError

ROOM = files("custome") / "webui"


@functools.cache
def _english() -> dict[str, str]:
    words: dict[str, str] = json.loads((ROOM / "english.json").read_text(encoding="utf-8"))
    return words


@functools.cache
def _english_errors() -> list[tuple[re.Pattern[str], str]]:
    """(what a message looks like, its English), those with most words of their own first."""
    listed: dict[str, str] = json.loads((ROOM / "english_errors.json").read_text(encoding="utf-8"))
    return [
        (re.compile("(.*?)".join(map(re.escape, split_at_slots(chinese))), re.DOTALL), english)
        for chinese, english in sorted(listed.items(), key=lambda one: -len(one[0]))
    ]


def split_at_slots(template: str) -> list[str]:
    """What stands between the slots of a message."""
    return template.split("{}")


@dataclass(frozen=True)
class Words:
    """Words of the page in one language."""

    english: bool = False

    def __call__(self, chinese: str, **values: Any) -> str:
        text = _english().get(chinese, chinese) if self.english else chinese
        return text.format(**values) if values else text

    def to(self, path: str) -> str:
        """The address of a page in this language."""
        return (("/en" if self.english else "") + path).rstrip("/") or "/"

    def error(self, error: CustomeError) -> str:
        """What is wrong and what to do next."""
        parts = [self.told(part) for part in (error.message, error.hint) if part]
        return (". " if self.english else "。").join(parts)

    def told(self, message: str) -> str:
        """One message of a room below; as it is where it has no English."""
        if not self.english:
            return message
        for pattern, english in _english_errors():
            if found := pattern.fullmatch(message):
                slots = iter(found.groups())
                return "".join(part + next(slots, "") for part in split_at_slots(english))
        return message
