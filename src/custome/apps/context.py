"""What an app's routes and page are given of the server they run in. Knows no app, no page and no route."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..conversations.store import Store
from ..engine.base import ServedModel
from ..errors import InputError

LARGEST_FILE = 20 << 20
"""Bytes of a file that is brought to a page; what is in it is judged where it is read."""
EVERYBODY = "everybody"
"""Who owns what is said to a server without keys, where a route asks `request.state.owner`."""
TERMINAL = "terminal"
"""Who owns what is said on the command line."""


@dataclass(frozen=True, kw_only=True)
class AppContext:
    """A running server. Routes stand behind its keys by themselves; a page asks `allowed`."""

    hosted: Callable[[], Sequence[ServedModel]]
    """What is served now."""
    store: Callable[[], Store]
    """Where conversations and things of an app are kept; opened when first asked for."""
    allowed: Callable[[str, str], bool] | None = None
    """(name, key) → may they see pages? None when everybody may."""
    progress: Callable[[], str] | None = None
    """How far the work behind the server is, in one line; None where there is none."""
    closing: list[Callable[[], None]] = field(default_factory=list)
    """Called when the server is told to end: what lets go of open streams."""

    def model(self, name: str) -> ServedModel:
        """A model by its name.

        Raises:
            InputError: it is not served; the names of those that are.
        """
        known = {one.name: one for one in self.hosted()}
        if name not in known:
            raise InputError(f"没有模型 {name!r}", f"现在有：{'、'.join(known)}")
        return known[name]
