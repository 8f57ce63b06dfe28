"""Which games there are: those that come with the program, those in a folder of one's own; and their saves."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ...errors import CustomeError, DataError, InputError
from ...files import disk_errors
from .game import Game, load
from .problems import checked
from .scenario import Scenario, parse_scenario, read_scenario

AUTO = "auto"
SLOTS = (AUTO, *map(str, range(1, 10)))
"""Saves of a game: one that follows by itself, and nine."""
FOLDER = "adventures"
"""Scenarios of one's own are in it, and those that come with the program in one of that name."""


def built_in() -> dict[str, Scenario]:
    """Id → game that comes with the program."""
    found = {}
    for one in sorted((files("custome") / "data" / FOLDER).iterdir(), key=lambda one: one.name):
        scenario, lines = parse_scenario(one.read_text(encoding="utf-8"), one.name)
        found[scenario.id] = checked(scenario, lines, one.name)
    return found


class Library:
    """All games of a working folder.

    Args:
        place: the folder; scenarios of one's own are in `adventures/` there.
        saves: the folder of saves in it.
    """

    def __init__(self, place: Path, saves: str = "games") -> None:
        self._read: dict[Path, tuple[tuple[int, int], Scenario | CustomeError]] = {}
        self._own, self._saves = place / FOLDER, place / saves
        self._built_in: dict[str, Scenario] | None = None

    def scenarios(self) -> tuple[dict[str, Scenario], list[CustomeError]]:
        """Id → game, one's own before those that come along; and what is wrong with the files that are none."""
        if self._built_in is None:
            self._built_in = built_in()
        found, wrong = dict(self._built_in), list[CustomeError]()
        for path in sorted(self._own.glob("*.yaml")) if self._own.is_dir() else ():
            one = self._own_one(path)
            if isinstance(one, Scenario):
                found[one.id] = one
            else:
                wrong.append(one)
        return found, wrong

    def _own_one(self, path: Path) -> Scenario | CustomeError:
        """A file of one's own, read again where it was changed; else what is wrong with it."""
        known = path.stat()
        stamp = known.st_mtime_ns, known.st_size
        if self._read.get(path, (None, None))[0] != stamp:
            try:
                scenario, lines = read_scenario(path)
                self._read[path] = stamp, checked(scenario, lines, str(path))
            except CustomeError as error:
                self._read[path] = stamp, error
        return self._read[path][1]

    def get(self, name: str) -> Scenario:
        """A game by its id or its title.

        Raises:
            InputError: there is none.
        """
        found, wrong = self.scenarios()
        for one in found.values():
            if name in (one.id, one.title):
                return one
        hint = f"有：{'、'.join(f'{one.id}（{one.title}）' for one in found.values())}"
        raise InputError(f"没有剧本 {name!r}", hint + "".join(f"；{one.message}" for one in wrong))

    def slot(self, scenario: Scenario, slot: str) -> Path:
        """Where a save is.

        Raises:
            InputError: no such slot.
        """
        if slot not in SLOTS:
            raise InputError(f"没有存档位 {slot!r}", f"有：{'、'.join(SLOTS)}")
        return self._saves / scenario.id / f"{slot}.json"

    def saved(self, scenario: Scenario) -> list[str]:
        """Slots that are taken."""
        return [one for one in SLOTS if self.slot(scenario, one).is_file()]

    def open(self, scenario: Scenario, slot: str) -> Game:
        """A saved game.

        Raises:
            InputError: nothing is saved there.
            DataError: it is damaged, or of something else; it is left as it is.
        """
        path = self.slot(scenario, slot)
        if not path.is_file():
            raise InputError(f"《{scenario.title}》的存档位 {slot} 是空的", "先开一局")

        def the_same(name: str) -> Scenario:
            if name != scenario.id:
                raise DataError(
                    f"存档 {str(path)!r} 是 {name!r} 的，不是 {scenario.id!r} 的", "换一个存档"
                )
            return scenario

        return load(path, the_same)

    def set_aside(self, scenario: Scenario) -> None:
        """Give a save that follows by itself and cannot be opened another name, so that a new one does not write over it."""
        path = self.slot(scenario, AUTO)
        try:
            if path.is_file():
                self.open(scenario, AUTO)
        except CustomeError:
            with disk_errors(path):
                path.rename(path.with_name(f"{AUTO}-{path.stat().st_mtime_ns}.bad"))

    def save(self, game: Game, slot: str) -> Path:
        """Keep a game, whole or not at all."""
        path = self.slot(game.world.scenario, slot)
        game.save(path)
        return path
