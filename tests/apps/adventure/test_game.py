"""A game is a tree of turns: back, forward, elsewhere; its saves are whole, and a damaged one is left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from little import TEXT, little

from custome.apps.adventure.game import Game, fingerprint, game_of, load
from custome.apps.adventure.rules import Action
from custome.apps.adventure.scenario import Scenario, parse_scenario
from custome.errors import DataError, InputError

GO_NORTH, GO_BACK, TAKE = Action("走", "鱼市"), Action("走", "码头"), Action("拿", "咸鱼")


def scenarios(_: str) -> Scenario:
    return little()


@pytest.fixture
def game() -> Game:
    made = Game(little(), 7)
    for action in (GO_NORTH, TAKE, GO_BACK):
        made.act(action, f"我要{action}")
        made.tell(f"（{action}）")
    return made


def test_back_forward_and_another_way(game: Game):
    assert game.line() == [0, 1, 2, 3] and game.turns[3].said == "我要去码头"
    assert game.undo() and game.undo() and game.state.at == "鱼市" and game.here == 1
    game.act(Action("等"))
    assert game.here == 4 and game.branches(1) == [2, 4] and game.line() == [0, 1, 4]
    assert game.undo() and game.redo() and game.here == 4
    game.go(3)
    assert game.undo() and game.undo() and game.redo() and game.here == 2
    assert Game(little(), 1).undo() is False and Game(little(), 1).redo() is False
    with pytest.raises(InputError, match="没有第 99 个回合"):
        game.go(99)


def test_the_same_thing_done_again_is_the_same_turn(game: Game):
    game.go(0)
    game.act(GO_NORTH)
    assert game.here == 1 and len(game.turns) == 4


def test_words_have_versions_and_change_nothing(game: Game):
    before = game.state
    game.tell("另一种说法")
    assert (
        game.turns[3].texts == ("（去码头）", "另一种说法") and game.turns[3].text == "另一种说法"
    )
    game.show(3, 0)
    assert game.turns[3].text == "（去码头）" and game.state is before
    game.say("我捡到一百两银子。")
    assert game.state.counters == before.counters and game.state.turn == before.turn
    for wrong in (lambda: game.show(3, 5), lambda: game.tell("长" * 20_001)):
        with pytest.raises(InputError):
            wrong()


def test_saved_and_opened_it_is_the_same(game: Game, tmp_path: Path):
    game.undo()
    game.save(tmp_path / "一.json")
    again = load(tmp_path / "一.json", scenarios)
    assert again.turns == game.turns and again.here == 2 and again.state == game.state
    assert again.as_json() == game.as_json()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda raw: raw.update(format=2), "格式 2"),
        (lambda raw: raw.pop("seed"), "坏了"),
        (lambda raw: raw.update(seed=float("inf")), "坏了"),
        (lambda raw: raw["turns"][2].update(before=9), "坏了"),
        (lambda raw: raw["turns"][1].update(do=["飞", "天", ""]), "第 1 个回合走不下去"),
        (lambda raw: raw["turns"][1].update(do=["飞"] * 9), "坏了"),
        (lambda raw: raw.update(here=99), "对不上"),
        (lambda raw: raw.update(turns=[]), "对不上"),
        (lambda raw: raw["turns"][1].update(shown=7), "没有第 8 稿"),
        (lambda raw: raw.update(turns={"a": 1}), "坏了"),
    ],
)
def test_a_damaged_save_is_told_and_left_alone(game: Game, tmp_path: Path, change, told: str):
    raw = game.as_json()
    change(raw)
    path = tmp_path / "一.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(DataError, match=told):
        load(path, scenarios)
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[]", "null", '"x"', "\x00"])
def test_what_is_no_save_at_all(tmp_path: Path, text: str):
    (tmp_path / "一.json").write_text(text)
    with pytest.raises(DataError):
        load(tmp_path / "一.json", scenarios)


def test_a_scenario_that_plays_otherwise_now(game: Game):
    other = parse_scenario(TEXT.replace("咸鱼, 在: 鱼市", "咸鱼, 在: 地窖"))[0]
    with pytest.raises(DataError, match="剧本改过了"):
        game_of(game.as_json(), lambda _: other)
    worded = parse_scenario(TEXT.replace("满地是水", "地上是水"))[0]
    assert fingerprint(worded) == fingerprint(little()) != fingerprint(other)
    assert game_of(game.as_json(), lambda _: worded).here == 3


PLAY = """
import sys
from pathlib import Path
from custome.apps.adventure.game import Game, load
from custome.apps.adventure.rules import admissible
from custome.apps.adventure.scenario import parse_scenario
scenario = parse_scenario(Path(sys.argv[1]).read_text())[0]
path = Path(sys.argv[2])
game = load(path, lambda _: scenario) if path.exists() else Game(scenario, 7)
print("begun", flush=True)
while True:
    possible = admissible(game.world, game.state)
    if not possible:
        game.go(0)
        continue
    game.act(possible[len(game.turns) % len(possible)])
    game.tell("走到哪里是哪里。" * 9)
    game.save(path)
    print(len(game.turns), flush=True)
"""


def test_killed_at_twenty_moments_a_save_is_whole_and_loses_at_most_the_last_turn(tmp_path: Path):
    (tmp_path / "剧本.yaml").write_text(TEXT, encoding="utf-8")
    path = tmp_path / "一.json"
    for kill in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", PLAY, str(tmp_path / "剧本.yaml"), str(path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        time.sleep(0.01 + 0.007 * kill)
        os.kill(process.pid, signal.SIGKILL)
        said = [int(line) for line in process.stdout if line.endswith("\n")]
        process.wait()
        if said or path.exists():
            kept = len(load(path, scenarios).turns)
            assert not said or said[-1] <= kept <= said[-1] + 1
    assert kept > 20
