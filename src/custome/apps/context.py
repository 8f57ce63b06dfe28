"""What an app's routes and page are given of the server they run in. Knows no app, no page and no route."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..conversations.store import Store
from ..engine.base import Cancel, ServedModel
from ..errors import InputError
from ..retrieval.vectors import EmbedderOf, no_embedder

T = TypeVar("T")

LARGEST_FILE = 20 << 20
"""Bytes of a file that is brought to a page; what is in it is judged where it is read."""
EVERYBODY = "everybody"
"""Who owns what is said to a server without keys, where a route asks `request.state.owner`."""
TERMINAL = "terminal"
"""Who owns what is said on the command line."""


def no_voice(model: ServedModel, person: str) -> Callable[[str, str, Cancel | None], str]:
    """Where nobody of a book can be had."""
    raise InputError(f"这里没有人物 {person!r}", "不指定人物再问")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Somebody whom another app has speak: who they are and in which situation."""

    name: str
    aliases: tuple[str, ...] = ()
    about: str = ""
    scene: str = ""
    to: str = ""
    """To whom they speak."""
    chapter: int | None = None
    """The chapter of their book that the story has come to."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing said."""

    text: str
    by_player: bool


Speaker = Callable[[Sequence[Line], int, Cancel | None], str]
"""(what was said, the last of it to be answered; seed; cancel) → the answer."""


def no_speaker(model: ServedModel, part: Part) -> Speaker:
    """Where nobody can be played."""
    raise InputError(f"这里没有谁能演 {part.name!r}", "不用模型来说话")


@dataclass(frozen=True, kw_only=True)
class Work:
    """Work that goes on behind a server."""

    progress: Callable[[], str]
    """How far it is, in one line; '' while there is nothing to tell."""
    stop: Callable[[], None]
    """Called when the server goes down."""


@dataclass(frozen=True, kw_only=True)
class AppContext:
    """A running server. Routes stand behind its keys by themselves; a page asks `allowed`."""

    hosted: Callable[[], Sequence[ServedModel]]
    """What is served now."""
    store: Callable[[], Store]
    """Where conversations and things of an app are kept; opened when first asked for."""
    allowed: Callable[[str, str], bool] | None = None
    """(name, key) → may they see pages? None when everybody may."""
    work: list[Work] = field(default_factory=list)
    """What goes on behind the server; whoever begins something adds it."""
    workplace: Path | None = None
    """The folder in which pages may make corpora and train; None where they may not."""
    serve_run: Callable[[Path], None] = lambda _: None
    """Serves a run, in the place of one of the same name."""
    busy: Callable[[], bool] = lambda: False
    """Is somebody being answered now?"""
    closing: list[Callable[[], None]] = field(default_factory=list)
    """Called when the server is told to end: what lets go of open streams."""
    voice_of: Callable[[ServedModel, str], Callable[[str, str, Cancel | None], str]] = no_voice
    """(model, one of its people) → (question, fact, cancel) → the fact in their words."""
    speaker_of: Callable[[ServedModel, Part], Speaker] = no_speaker
    """(model, somebody to be played) → what they say."""
    embedder_of: EmbedderOf = no_embedder
    """What a setting names → what makes vectors."""
    _shared: dict[type, Any] = field(default_factory=dict)
    _sharing: threading.RLock = field(default_factory=threading.RLock)

    def shared(self, kind: type[T], make: Callable[[], T]) -> T:
        """The one of its kind that an app's routes and pages work with; made when first asked for."""
        with self._sharing:
            if kind not in self._shared:
                self._shared[kind] = make()
            found: T = self._shared[kind]
            return found

    def progress(self) -> str:
        """How far the work behind the server is, in one line."""
        return "　".join(filter(None, (one.progress() for one in self.work)))

    def model(self, name: str) -> ServedModel:
        """A model by its name.

        Raises:
            InputError: it is not served; the names of those that are.
        """
        known = {one.name: one for one in self.hosted()}
        if name not in known:
            raise InputError(f"没有模型 {name!r}", f"现在有：{'、'.join(known)}")
        return known[name]
