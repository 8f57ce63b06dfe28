"""A chapter becomes a game: its places, people, things and what its title says, each with its words; it can be won."""

from __future__ import annotations

from pathlib import Path

import pytest

from custome.apps.adventure.building import built
from custome.apps.adventure.finding import Stage, stage_of
from custome.apps.adventure.problems import checked
from custome.apps.adventure.proving import prove
from custome.apps.adventure.scenario import as_file, parse_scenario
from custome.cli.app import main
from custome.corpus.text import Novel
from custome.errors import InputError

CHAPTER = """第一回　沈青夜走盐场　郑云渡口设计

却说沈青收了账簿，悄悄来到盐场。周掌柜正在盐场外等候，见了沈青，问道：“账簿可曾带来？若是没有，今夜谁也走不脱。”沈青道：“账簿在我身上，一页也没有少，只是有人跟着我。”周掌柜道：“既然如此，你从后面小路走，我在这里替你挡一挡。”

沈青离了盐场，一路走到渡口。郑云在渡口的船边等他。郑云道：“你来得正好。我有一计，须要借你的灯笼一用。”沈青把灯笼递了过去，道：“郑云有什么计策，尽管吩咐，我听着便是。”郑云道：“把灯笼挂在芦苇里，他们自然往那边去。”

二人说罢，来到破庙。老和尚迎出破庙，合掌道：“施主半夜来此，必有急事。庙里有热茶，先坐下再说。”沈青道：“多谢师父，借宿一夜，天明便走。”老和尚道：“账簿藏在佛像后面，谁也想不到那里。”
"""
REST = """第二回　众人议事

次日众人又到盐场。渡口无人，破庙也空了。有人在盐场说起渡口，有人说起破庙。灯笼还挂着，灯笼的火灭了，灯笼下没有人。账簿不见了，账簿不在，账簿呢。周掌柜道：“昨夜的事，一个字也不许说出去。”
"""
NOVEL = Novel(name="盐灯", text=CHAPTER + REST)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return stage_of(NOVEL, 1)


def test_what_a_chapter_has_stands_where_it_says(stage: Stage):
    assert [one.name for one in stage.places] == ["盐场", "渡口", "破庙"]
    assert {"沈青", "周掌柜", "郑云", "老和尚"} == {one.name for one in stage.people}
    assert stage.events == ("沈青夜走盐场", "郑云渡口设计")
    for one in (*stage.places, *stage.things):
        assert (
            one.quote.split("，")[0] in NOVEL.text and one.name in NOVEL.text[one.offset - 2 :][:9]
        )
    at = {one.name: stage.place_of(said.offset for said in one.said) for one in stage.people}
    assert (at["周掌柜"], at["郑云"], at["老和尚"]) == ("盐场", "渡口", "破庙")


def test_it_is_a_scenario_that_is_written_read_and_won(stage: Stage):
    scenario = built(stage)
    assert scenario.player.name == "沈青"
    again, lines = parse_scenario(as_file(scenario))
    assert checked(again, lines) == scenario
    proof = prove(scenario, most=100_000, seconds=20, first_line=True)
    assert proof.line is not None and len(proof.line) >= 5
    said = [rule for rule in scenario.rules if rule.target == "郑云"]
    assert said and all(rule.source and rule.source.quote in NOVEL.text for rule in said)
    assert {place.name for place in scenario.places if not place.exits} == set()


def test_one_can_be_somebody_else_and_strike_out(stage: Stage):
    assert built(stage, "郑云").player.name == "郑云"
    with pytest.raises(InputError, match="没有叫 '张飞' 的人"):
        built(stage, "张飞")
    less = stage_of(NOVEL, 1, without=("破庙", "老和尚"))
    assert "破庙" not in {one.name for one in less.places}
    assert "老和尚" not in {one.name for one in less.people}
    assert prove(built(less), most=100_000, seconds=20, first_line=True).line


@pytest.mark.parametrize(
    ("text", "number", "wrong"),
    [
        (NOVEL.text, 7, "没有第 7 章"),
        ("第一回　空山\n\n一句话也没有的一章，只有山。\n", 1, "没有人说话"),
        (
            "第一回　说话\n\n张三道：“说起来，这件事我早就知道了，只是没有说。”李四道：“我也一样，一直没有说。”\n",
            1,
            "认不出地方",
        ),
    ],
)
def test_a_chapter_of_which_no_game_comes_says_why(text: str, number: int, wrong: str):
    with pytest.raises(InputError, match=wrong):
        stage_of(Novel(name="书", text=text), number)


def test_the_command_writes_a_game_and_covers_none(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "盐灯.txt").write_text(NOVEL.text, encoding="utf-8")
    assert main(["adventure", "build", "盐灯.txt", "--chapter", "1"]) == 0
    said = capsys.readouterr().out
    assert "渡口" in said and "能赢" in said and "沈青夜走盐场" in said
    made = tmp_path / "adventures" / "盐灯-1.yaml"
    made.write_text(made.read_text(encoding="utf-8") + "# 我改过\n", encoding="utf-8")
    assert main(["adventure", "build", "盐灯.txt"]) == 2 and "我改过" in made.read_text("utf-8")
    assert main(["adventure", "build", "盐灯.txt", "--again", "--without", "破庙"]) == 0
    assert "破庙" not in made.read_text("utf-8").replace("来到破庙", "")
    assert main(["adventure", "list"]) == 0 and "盐灯-1" in capsys.readouterr().out
