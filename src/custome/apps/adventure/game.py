"""A game that is being played: a tree of turns. What is so is found by playing the turns again, so a save is who did what and in which
words, and nothing in it can contradict itself. Words never touch what is so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import DataError, InputError
from ...files import read_text, write_json
from .rules import Action, Outcome, step
from .scenario import Scenario
from .state import State
from .world import World

FORMAT = 1
MOST_TURNS = 20_000
LONGEST_WORDS = 20_000
"""Characters that somebody may write over a turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of the tree; its number is its place in the list."""

    before: int
    """The turn it comes after; -1 for the beginning."""
    action: Action | None = None
    """None where nothing was done but said: the beginning, and free words."""
    said: str = ""
    """What the player typed."""
    texts: tuple[str, ...] = ()
    """Its words, every version."""
    shown: int = 0
    """Which version."""

    @property
    def text(self) -> str:
        return self.texts[self.shown] if self.texts else ""


class Game:
    """One game.

    Args:
        seed: of the dice.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.world, self.seed = World(scenario), seed
        self._print = fingerprint(scenario)
        self.turns: list[Turn] = [Turn(before=-1)]
        self.here = 0
        self._outcomes: dict[int, Outcome] = {0: Outcome(state=self.world.first())}
        self._next: dict[int, int] = {}
        self._after: dict[int, list[int]] = {}

    # -- what is so --------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self.outcome(self.here).state

    def outcome(self, number: int) -> Outcome:
        """What came of a turn."""
        missing = []
        at = number
        while at not in self._outcomes:
            missing.append(at)
            at = self.turns[at].before
        for at in reversed(missing):
            turn = self.turns[at]
            before = self._outcomes[turn.before].state
            self._outcomes[at] = (
                step(self.world, before, turn.action, self.seed)
                if turn.action is not None
                else Outcome(state=before)
            )
        return self._outcomes[number]

    def line(self, number: int | None = None) -> list[int]:
        """Numbers of the turns from the beginning to here, or to another turn."""
        found = [self.here if number is None else number]
        while found[-1] != 0:
            found.append(self.turns[found[-1]].before)
        return found[::-1]

    def branches(self, number: int) -> list[int]:
        """The turns that come after one."""
        return list(self._after.get(number, ()))

    # -- what a player does --------------------------------------------------------------------------------------------

    def act(self, action: Action, said: str = "") -> Outcome:
        """Do something; what is refused leaves everything as it is."""
        outcome = step(self.world, self.state, action, self.seed)
        if not outcome.refused:
            self._add(Turn(before=self.here, action=action, said=said), outcome)
        return outcome

    def say(self, said: str) -> None:
        """Free words, of which nothing comes."""
        self._add(Turn(before=self.here, said=said), Outcome(state=self.state))

    def _add(self, turn: Turn, outcome: Outcome) -> None:
        for at in self.branches(self.here):
            if turn.action is not None and self.turns[at].action == turn.action:
                self._next[self.here], self.here = at, at  # the dice would fall the same
                return
        if len(self.turns) >= MOST_TURNS:
            raise InputError(f"这一局已经有 {MOST_TURNS:,} 个回合", "另开一局")
        number = len(self.turns)
        self.turns.append(turn)
        self._outcomes[number] = outcome
        self._after.setdefault(self.here, []).append(number)
        self._next[self.here], self.here = number, number

    def undo(self) -> bool:
        """One turn back; False at the beginning."""
        if self.here == 0:
            return False
        self.here = self.turns[self.here].before
        return True

    def redo(self) -> bool:
        """Forward again the way one came; False where there is none."""
        if self.here not in self._next:
            return False
        self.here = self._next[self.here]
        return True

    def go(self, number: int) -> None:
        """To any turn of the tree.

        Raises:
            InputError: there is no such turn.
        """
        if not 0 <= number < len(self.turns):
            raise InputError(f"没有第 {number} 个回合", f"有 0 到 {len(self.turns) - 1}")
        self.here = number
        while number != 0:
            before = self.turns[number].before
            self._next[before], number = number, before

    # -- words -------------------------------------------------------------------------------------------------------

    def tell(self, text: str, number: int | None = None) -> None:
        """One more version of a turn's words, which is shown from now on.

        Raises:
            InputError: too long.
        """
        if len(text) > LONGEST_WORDS:
            raise InputError(f"太长了：{len(text):,} 字", f"一个回合不过 {LONGEST_WORDS:,} 字")
        at = self.here if number is None else number
        turn = self.turns[at]
        self.turns[at] = replace(turn, texts=(*turn.texts, text), shown=len(turn.texts))

    def show(self, number: int, version: int) -> None:
        """Another version of a turn's words.

        Raises:
            InputError: there is none.
        """
        turn = self.turns[number]
        if not 0 <= version < len(turn.texts):
            raise InputError(
                f"第 {number} 个回合没有第 {version + 1} 稿", f"有 {len(turn.texts)} 稿"
            )
        self.turns[number] = replace(turn, shown=version)

    # -- kept --------------------------------------------------------------------------------------------------------

    def take(self, turns: Sequence[Turn]) -> None:
        """The turns of a save."""
        self.turns = list(turns)
        for number, turn in enumerate(turns[1:], 1):
            self._after.setdefault(turn.before, []).append(number)

    def as_json(self) -> dict[str, Any]:
        rows: list[dict[str, Any]] = []
        for turn in self.turns:
            row: dict[str, Any] = {"before": turn.before}
            if turn.action is not None:
                row["do"] = [turn.action.verb, turn.action.target, turn.action.using]
            if turn.said:
                row["said"] = turn.said
            if turn.texts:
                row |= {"texts": list(turn.texts), "shown": turn.shown}
            rows.append(row)
        return {
            "format": FORMAT,
            "scenario": self.world.scenario.id,
            "print": self._print,
            "seed": self.seed,
            "here": self.here,
            "turns": rows,
        }

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        write_json(path, self.as_json())


def fingerprint(scenario: Scenario) -> str:
    """The same for scenarios that play the same: words are no part of it."""
    raw = scenario.model_dump(mode="json")
    return hashlib.sha256(
        json.dumps(_without_words(raw), ensure_ascii=False, sort_keys=True).encode()
    ).hexdigest()[:16]


def _without_words(raw: Any) -> Any:
    if isinstance(raw, dict):
        dropped = {
            "about",
            "text",
            "failure_text",
            "source",
            "title",
            "way",
            "what",
            "words",
            "aliases",
        }
        return {key: _without_words(one) for key, one in raw.items() if key not in dropped}
    return [_without_words(one) for one in raw] if isinstance(raw, list) else raw


def load(path: Path, scenarios: Callable[[str], Scenario]) -> Game:
    """A saved game.

    Args:
        scenarios: gives the scenario of an id.

    Raises:
        DataError: damaged, of a newer version, or of a scenario that plays otherwise now; the file is left as it is.
    """
    where = f"存档 {str(path)!r}"
    try:
        raw = json.loads(read_text(path, "存档"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} 坏了：{error}", "换一个存档；它没有被动过") from error
    return game_of(raw, scenarios, where)


def game_of(raw: Any, scenarios: Callable[[str], Scenario], where: str = "存档") -> Game:
    """As `load`, of plain data."""
    if not isinstance(raw, dict) or "format" not in raw:
        raise DataError(f"{where} 不是存档", "换一个存档")
    if raw["format"] != FORMAT:
        raise DataError(
            f"{where} 是格式 {raw['format']!r} 的，这里读 {FORMAT}",
            "用写它的那个版本打开，或换一个存档",
        )
    try:
        scenario = scenarios(str(raw["scenario"]))
        game = Game(scenario, int(raw["seed"]))
        turns = [_turn(row, number) for number, row in enumerate(raw["turns"])]
        here = int(raw["here"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{where} 坏了：{error}", "换一个存档；它没有被动过") from error
    if not turns or turns[0].before != -1 or not 0 <= here < len(turns) or len(turns) > MOST_TURNS:
        raise DataError(f"{where} 坏了：回合对不上", "换一个存档；它没有被动过")
    game.take(turns)
    for number, turn in enumerate(turns):
        if turn.action is not None and game.outcome(number).refused:
            if raw.get("print") == fingerprint(scenario):
                raise DataError(
                    f"{where} 坏了：第 {number} 个回合走不下去（{turn.action}）",
                    "换一个存档；它没有被动过",
                )
            raise DataError(
                f"{where} 走到第 {number} 个回合走不下去（{turn.action}）：剧本改过了",
                "换回原来的剧本，或另开一局",
            )
    game.go(here)
    return game


def _turn(row: Mapping[str, Any], number: int) -> Turn:
    before, did = int(row["before"]), row.get("do")
    if not (before == -1 if number == 0 else 0 <= before < number):
        raise ValueError(f"第 {number} 个回合在第 {before} 个后面")
    texts = tuple(str(one) for one in row.get("texts", ()))
    shown = int(row.get("shown", 0))
    if texts and not 0 <= shown < len(texts):
        raise ValueError(f"第 {number} 个回合没有第 {shown + 1} 稿")
    action = Action(*(str(one) for one in did)) if did is not None else None
    return Turn(
        before=before, action=action, said=str(row.get("said", "")), texts=texts, shown=shown
    )
