"""What is kept of a conversation, as values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What happened before the turns that a model is still shown."""

    text: str = ""
    made: str = ""
    """The one that was made without being asked for; it is the user's own where `text` is another."""
    made_before: str = ""
    """The one made before that."""
    turns: int = 0
    """How many turns, from the first one on, `made` tells of."""

    @property
    def by_user(self) -> bool:
        return self.text not in ("", self.made)

    def worded(self, text: str) -> Summary:
        """With other words of the user's."""
        return dataclasses.replace(self, text=text)


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What an app keeps for somebody beside conversations."""

    name: str
    content: dict[str, Any]
    data: bytes = b""
    """A file that belongs to it."""
    updated: float = 0.0
    """When it was last written, in seconds; set by the store."""


@dataclass(frozen=True, kw_only=True)
class ChatInfo:
    """A conversation in a list."""

    id: str
    title: str
    updated: float
    """Seconds since 1970."""
    turns: int
    scene: dict[str, Any] = field(default_factory=dict)
    """What the app keeps with it."""
    last: str = ""
    """What was said last; with a search the first words it was found in."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One thing said, in all its versions."""

    id: int
    name: str
    by_user: bool
    versions: tuple[str, ...]
    chosen: int = 0
    finished: bool = True
    """The chosen version was written to its end."""
    present: tuple[str, ...] | None = None
    """Who was there to hear it; None for everybody."""
    stats: dict[str, Any] = field(default_factory=dict)
    """How the chosen version came about, and what an app keeps beside its words."""

    @property
    def text(self) -> str:
        return self.versions[self.chosen] if self.versions else ""


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A conversation, whole."""

    id: str
    title: str
    app: str = "cosplay"
    model: str = ""
    scene: dict[str, Any] = field(default_factory=dict)
    """What the app keeps with it."""
    summary: Summary = field(default_factory=Summary)
    turns: tuple[Turn, ...] = ()
    parent: str | None = None
