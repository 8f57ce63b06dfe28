"""What is so at one moment of a game. Frozen: whoever changes something makes another one. Knows no scenario."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

ME = "我"
NOWHERE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """A person at one moment."""

    at: str
    hp: int
    relation: int
    follows: bool = False
    down: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that is so. Every thing is at one place: `things` says at which."""

    turn: int = 0
    at: str
    hp: int
    things: Mapping[str, str]
    """Thing → a place, a person, 我, or '' for nowhere."""
    people: Mapping[str, Somebody]
    counters: Mapping[str, int]
    flags: frozenset[str] = frozenset()
    opened: frozenset[tuple[str, str]] = frozenset()
    """(from, to) of ways that were locked."""
    secrets: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    """Rules and events that happen once and have happened."""
    visited: frozenset[str] = frozenset()
    ended: str = ""
    """The ending that was reached."""
    last: Mapping[str, int] = field(default_factory=dict)
    """Event that comes again → the turn it came last."""

    def bag(self) -> list[str]:
        return [thing for thing, where in self.things.items() if where == ME]

    def here(self) -> list[str]:
        """Things that lie where the player is."""
        return [thing for thing, where in self.things.items() if where == self.at]

    def held_by(self, person: str) -> list[str]:
        return [thing for thing, where in self.things.items() if where == person]

    def company(self) -> list[str]:
        """Who is where the player is and on their feet."""
        return [name for name, one in self.people.items() if one.at == self.at and not one.down]

    def key(self, *, timeless: bool = False) -> Hashable:
        """The same for states in which the same is so.

        Args:
            timeless: whatever the turn is.
        """
        return (
            0 if timeless else self.turn,
            self.at,
            self.hp,
            tuple(self.things.items()),
            tuple(self.people.items()),
            tuple(self.counters.items()),
            self.flags,
            self.opened,
            self.secrets,
            self.done,
            self.visited,
            self.ended,
            () if timeless else tuple(sorted(self.last.items())),
        )
