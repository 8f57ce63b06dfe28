"""The games of a server: one a player and scenario, the same for every tab, kept after every turn. Where a model is served, people answer
in its words: that is written behind the turn, which stands already.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...engine.base import Cancel, ServedModel
from ...errors import CustomeError, InputError
from ..context import AppContext, Part, Speaker, no_speaker
from .game import Game
from .library import AUTO, Library
from .rules import Action, Outcome
from .storyteller import Storyteller
from .telling import bag, looked_at, scene
from .understanding import LONGEST, Understood, understand

_LOG = logging.getLogger(__name__)


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
    written: dict[int, Future[None]] = field(default_factory=dict)
    """Turns whose words are being written."""
    lock: threading.RLock
    """Held for as long as something is done with it."""


class Tables:
    """All games.

    Args:
        place: the folder with scenarios of one's own and with the saves.
        hosted: what is served now; the first of it plays the people.
        speaker_of: (model, somebody to be played) → what they say.
    """

    def __init__(
        self,
        place: Path,
        hosted: Callable[[], Sequence[ServedModel]] = tuple,
        speaker_of: Callable[[ServedModel, Part], Speaker] = no_speaker,
    ) -> None:
        self._place, self._hosted, self._speaker_of = place, hosted, speaker_of
        self._pen = ThreadPoolExecutor(max_workers=1, thread_name_prefix="adventure")
        self._cancel = Cancel()
        self._lock = threading.Lock()
        self._tables: dict[tuple[str, str], Table] = {}
        self._seats: dict[tuple[str, str], threading.RLock] = {}
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
        key = player, scenario.id
        with self._seat_of(key):  # whoever opens a long save keeps nobody else waiting
            known = self._tables.get(key)
            if known is not None and known.game.world.scenario != scenario:
                del self._tables[key]  # it was changed since
            if key not in self._tables:
                there = AUTO in library.saved(scenario)
                game = library.open(scenario, AUTO) if there else Game(scenario, fresh_seed())
                self._tables[key] = Table(game=game, lock=self._seat_of(key))
            yield self._tables[key]

    def _seat_of(self, key: tuple[str, str]) -> threading.RLock:
        """The lock of a player's game."""
        with self._lock:
            return self._seats.setdefault(key, threading.RLock())

    # -- what is done ------------------------------------------------------------------------------------------------

    def act(self, player: str, name: str, action: Action, said: str = "") -> Outcome:
        """Do something."""
        with self.at(player, name) as table:
            outcome = table.game.act(action, said)
            if outcome.refused:
                self._answer(table, f"{outcome.refused}。")
                return outcome
            game, teller = table.game, self._storyteller()
            if not game.turns[game.here].texts:  # else one has been here before
                game.tell(teller.words(game, game.here))
                if teller.is_asked(game, game.here):
                    self._write(player, table, game.here, teller.answered)
            if action.target in game.world.people:
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
        with self._seat_of(key):
            if key not in self._tables:
                self.library(player).set_aside(scenario)
            table = self._tables.setdefault(key, Table(game=game, lock=self._seat_of(key)))
            table.game, table.written = game, {}
            self._keep(player, table)

    # -- words -------------------------------------------------------------------------------------------------------

    def _storyteller(self) -> Storyteller:
        """Who puts turns into words now."""
        model = next(iter(self._hosted()), None)
        if model is None:
            return Storyteller()
        return Storyteller(functools.partial(self._speaker_of, model), model.engine)

    def _write(
        self,
        player: str,
        table: Table,
        number: int,
        write: Callable[[Game, int, Cancel], str],
    ) -> None:
        """Words of a model for a turn, behind it; where none come, those it has stay."""
        game, before = table.game, table.game.turns[number].texts

        def work() -> None:
            text, why = "", ""
            try:
                text = write(game, number, self._cancel)
            except CustomeError as error:
                why = f"{error.message}：{error.hint}"
            except Exception:
                _LOG.exception("words for a turn")
                why = "出了意外的错，经过在服务器的日志里；这一回合还在"
            with table.lock:
                if table.written.get(number) is future:
                    del table.written[number]
                table.changed += 1
                is_played = self._tables.get((player, game.world.scenario.id)) is table
                if table.game is not game or not is_played or self._cancel.is_set():
                    return
                table.aside = why or table.aside
                if text:
                    now = game.turns[number]
                    game.tell(text, number)
                    if now.texts != before:  # somebody has written their own since
                        game.show(number, now.shown)
                    self.library(player).save(game, AUTO)

        future = self._pen.submit(work)  # it waits for the lock that is held here
        table.written[number] = future

    def say_otherwise(self, player: str, name: str, number: int) -> None:
        """Other words for a turn, written behind it."""
        with self.at(player, name) as table:
            _turn(table, number)
            self._write(player, table, number, self._storyteller().otherwise)
            table.changed += 1

    def wait(self, player: str, name: str) -> None:
        """Until nothing is being written for a game."""
        with self.at(player, name) as table:
            written = list(table.written.values())
        wait(written)

    def show(self, player: str, name: str, number: int, version: int) -> None:
        """Another version of a turn's words."""
        with self.at(player, name) as table:
            _turn(table, number)
            table.game.show(number, version)
            self._keep(player, table)

    def close(self) -> None:
        """Stop what is being written."""
        self._cancel.set()
        self._pen.shutdown(wait=False, cancel_futures=True)

    def reword(self, player: str, name: str, number: int, text: str) -> None:
        """Somebody's own words for a turn."""
        with self.at(player, name) as table:
            _turn(table, number)
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


def _turn(table: Table, number: int) -> None:
    if not 0 < number < len(table.game.turns):
        raise InputError(f"没有第 {number} 个回合", f"有 1 到 {len(table.game.turns) - 1}")


def tables_of(context: AppContext) -> Tables:
    """The games that all pages and routes of a server work with."""

    def made() -> Tables:
        tables = Tables(context.workplace or Path(), context.hosted, context.speaker_of)
        context.closing.append(tables.close)
        return tables

    return context.shared(Tables, made)
