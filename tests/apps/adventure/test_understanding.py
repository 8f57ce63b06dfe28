"""What people type becomes the right thing, or a question; never something else."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from little import BUILT_IN, little

from custome.apps.adventure.game import Game
from custome.apps.adventure.rules import Action
from custome.apps.adventure.scenario import read_scenario
from custome.apps.adventure.state import ME, State
from custome.apps.adventure.understanding import Understood, understand
from custome.apps.adventure.world import World

GOLD = Path(__file__).parents[2] / "golden" / "adventure" / "typed.jsonl"
ASKED_BACK = {"nothing", "which", "refused"}


@cache
def worlds() -> tuple[World, World]:
    (path,) = [one for one in BUILT_IN if one.stem == "jiejian"]
    return World(read_scenario(path)[0]), World(little())


def situation(letter: str) -> tuple[World, State]:
    arrows, harbour = worlds()
    world = arrows if letter < "G" else harbour
    first = world.first()
    holds = {"B": ["令箭", "青布"], "C": ["令箭", "酒"], "D": ["令箭"]}.get(letter, [])
    at = {
        "B": "江边",
        "C": "水寨",
        "D": "市集",
        "E": "孔明的小船",
        "F": "江心",
        "H": "鱼市",
        "I": "地窖",
    }
    flags = {"B": {"有船", "有草"}, "E": {"船备好了"}}.get(letter, set())
    known = {"E": {"借箭的法子"}, "H": {"暗门"}}.get(letter, set())
    state = replace(
        first,
        at=at.get(letter, first.at),
        things={**first.things, **dict.fromkeys(holds, ME)},
        flags=frozenset(flags),
        secrets=frozenset(known),
    )
    if letter == "F":
        there = replace(state.people["诸葛亮"], at="江心", follows=True)
        state = replace(
            state, counters={**state.counters, "箭": 4}, people={**state.people, "诸葛亮": there}
        )
    return world, state


@cache
def later(setup: str) -> tuple[World, State]:
    """A situation that a game has come to."""
    told = json.loads((GOLD.parent / "situations.json").read_text(encoding="utf-8"))[setup]
    scenarios = [read_scenario(path)[0] for path in BUILT_IN]
    game = Game(next(one for one in scenarios if one.id == told["scenario"]), 1)
    for action in told["line"]:
        assert not game.act(Action(*action)).refused
    return game.world, game.state


def short(one: Understood) -> str:
    if one.action is not None:
        return " ".join(
            part for part in (one.action.verb, one.action.target, one.action.using) if part
        )
    return f"examine {one.what}" if one.kind == "examine" else one.kind


def meant(letter: str, typed: str) -> str:
    world, state = situation(letter) if len(letter) == 1 else later(letter)
    got = short(understand(world, state, typed))
    return "look" if got == f"examine {state.at}" else got


def right(means: str, got: str) -> bool:
    """The same, or asked back where that is all that can be done."""
    return got == means or (means in ASKED_BACK and got in ASKED_BACK)


def test_what_others_type():
    """1,000 lines by somebody who has never seen the parser, since read by whoever made it; at first sight 67, 76, 86, 90 and 90 % of
    each 200 were understood (docs/log.md)."""
    text = (GOLD.parent / "typed_by_others.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    got = [(row, meant(row["setup"], row["typed"])) for row in rows]
    wrong = [(row, did) for row, did in got if not right(row["means"], did)]
    harmless = ASKED_BACK | {"look", "bag"}
    harmful = [one for one in wrong if one[1] not in harmless and not one[1].startswith("examine")]
    assert len(rows) == 1000 and len(wrong) <= 0.08 * len(rows), wrong
    assert len(harmful) <= 0.01 * len(rows), harmful


def test_what_people_type():
    """Of all lines at least 92 % are understood, and at most 1 % do something that was not meant."""
    rows = [json.loads(line) for line in GOLD.read_text(encoding="utf-8").splitlines()]
    assert len(rows) >= 200
    wrong, harmful = [], []
    for row in rows:
        got = meant(row["setup"], row["typed"])
        if not right(row["means"], got):
            wrong.append((row["setup"], row["typed"], row["means"], got))
            if got not in ASKED_BACK | {"look", "bag"} and not got.startswith("examine"):
                harmful.append(wrong[-1])
    told = "\n".join(map(str, wrong))
    assert len(wrong) <= 0.08 * len(rows), told
    assert len(harmful) <= 0.01 * len(rows), harmful


def test_he_is_whoever_was_spoken_of_last():
    _, world = worlds()
    state = replace(world.first(), at="码头")
    both = replace(state.people["小满"], at="码头")
    state = replace(state, people={**state.people, "小满": both})
    assert understand(world, state, "跟他说话").kind != "do"
    assert understand(world, state, "跟他说话", "小满").action == Action("问", "小满")


@pytest.mark.parametrize(
    "typed",
    ["", "   ", "，。！", "😀" * 50, "去" * 10_000, "\x00\x01", "ＧＯ　ＮＯＲＴＨ", "qu yushi"],
)
def test_whatever_is_typed_something_sensible_comes_back(typed: str):
    _, world = worlds()
    one = understand(world, world.first(), typed)
    assert one.kind in ("nothing", "do", "refused", "which") and (
        one.action or one.why or one.options
    )


def test_one_wrong_character_in_a_long_name_is_overlooked():
    arrows, _ = worlds()
    assert understand(arrows, situation("B")[1], "去孔名的小船").action == Action(
        "走", "孔明的小船"
    )
