"""The games of a server: one a player and scenario, the same for every tab, kept after every turn."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError
from ..context import AppContext
from .game import Game
from .library import AUTO, Library
from .rules import Action, Outcome
from .telling import bag, looked_at, outcome_told, scene
from .understanding import LONGEST, Understood, understand


@dataclass(kw_only=True)
class Table:
    """A game that is being played."""

    game: Game
    aside: str = ""
    """What was answered last and is no turn: how something looks, why something cannot be done."""
    offered: tuple[Action, ...] = ()
    """What it may have meant."""
    changed: int = 0
    """Grows with everything that is done at it."""
    spoken_of: str = ""
    """Who was named last."""
    lock: threading.RLock = field(default_factory=threading.RLock)


class Tables:
    """All games.

    Args:
        place: the folder with scenarios of one's own and with the saves.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._tables: dict[tuple[str, str], Table] = {}
        self._libraries: dict[str, Library] = {}

    def library(self, player: str) -> Library:
        """The games of a player."""
        with self._lock:
            if player not in self._libraries:
                known = hashlib.sha256(player.encode()).hexdigest()[:12]
                who = re.sub(r"[^a-zA-Z0-9-]", "_", player)[:20]
                self._libraries[player] = Library(self._place, saves=f"games/{who}-{known}")
            return self._libraries[player]

    @contextmanager
    def at(self, player: str, name: str) -> Iterator[Table]:
        """The game of a player in a scenario, for as long as something is done with it; the saved one, else a new one.

        Raises:
            InputError: there is no such scenario.
            DataError: its save is damaged; it is left as it is.
        """
        library = self.library(player)
        scenario = library.get(name)
        with self._lock:
            key = player, scenario.id
            if key not in self._tables:
                there = AUTO in library.saved(scenario)
                game = library.open(scenario, AUTO) if there else Game(scenario, fresh_seed())
                self._tables[key] = Table(game=game)
            table = self._tables[key]
        with table.lock:
            yield table

    # -- what is done ------------------------------------------------------------------------------------------------

    def act(self, player: str, name: str, action: Action, said: str = "") -> Outcome:
        """Do something."""
        with self.at(player, name) as table:
            outcome = table.game.act(action, said)
            if outcome.refused:
                self._answer(table, f"{outcome.refused}。")
                return outcome
            table.game.tell(outcome_told(outcome))
            if action.target in table.game.world.people:
                table.spoken_of = action.target
            self._keep(player, table)
            return outcome

    def typed(self, player: str, name: str, text: str) -> Understood:
        """Do what somebody typed, or answer it."""
        with self.at(player, name) as table:
            game, text = table.game, text[:LONGEST]
            one = understand(game.world, game.state, text, table.spoken_of)
            if one.action is not None:
                self.act(player, name, one.action, text)
            elif one.kind == "look":
                self._answer(table, scene(game.world, game.state))
            elif one.kind == "bag":
                self._answer(table, bag(game.world, game.state))
            elif one.kind == "examine":
                self._answer(table, looked_at(game.world, game.state, one.what))
            elif one.kind == "refused":
                self._answer(table, f"{one.why}。")
            else:
                self._answer(table, one.why or "说的是哪一样？", one.options)
            return one

    def undo(self, player: str, name: str) -> bool:
        with self.at(player, name) as table:
            done = table.game.undo()
            self._keep(player, table)
            return done

    def redo(self, player: str, name: str) -> bool:
        with self.at(player, name) as table:
            done = table.game.redo()
            self._keep(player, table)
            return done

    def go(self, player: str, name: str, number: int) -> None:
        """To any turn of the tree."""
        with self.at(player, name) as table:
            table.game.go(number)
            self._keep(player, table)

    def begin(self, player: str, name: str, seed: int | None = None) -> None:
        """A new game in the place of the one that is played; with the same dice where a seed is given."""
        scenario = self.library(player).get(name)
        self._seat(player, Game(scenario, fresh_seed() if seed is None else seed))

    def keep(self, player: str, name: str, slot: str) -> None:
        """Save a copy."""
        with self.at(player, name) as table:
            self.library(player).save(table.game, slot)
            table.changed += 1

    def take_up(self, player: str, name: str, slot: str) -> None:
        """Go on with a save."""
        if slot == AUTO:
            raise InputError("这一局就是自动存着的那一局", "选 1 到 9")
        library = self.library(player)
        self._seat(player, library.open(library.get(name), slot))

    def _seat(self, player: str, game: Game) -> None:
        """A game in the place of the one that is played, also where that cannot be opened."""
        scenario = game.world.scenario
        key = player, scenario.id
        if key not in self._tables:
            self.library(player).set_aside(scenario)
        with self._lock:
            table = self._tables.setdefault(key, Table(game=game))
        with table.lock:
            table.game = game
            self._keep(player, table)

    def reword(self, player: str, name: str, number: int, text: str) -> None:
        """Somebody's own words for a turn."""
        with self.at(player, name) as table:
            table.game.tell(text, number)
            self._keep(player, table)

    def _keep(self, player: str, table: Table) -> None:
        table.aside, table.offered = "", ()
        table.changed += 1
        self.library(player).save(table.game, AUTO)

    @staticmethod
    def _answer(table: Table, text: str, offered: tuple[Action, ...] = ()) -> None:
        table.aside, table.offered = text, offered
        table.changed += 1


def fresh_seed() -> int:
    return secrets.randbelow(2**31 - 1) + 1


def tables_of(context: AppContext) -> Tables:
    """The games that all pages and routes of a server work with."""
    return context.shared(Tables, lambda: Tables(context.workplace or Path()))
