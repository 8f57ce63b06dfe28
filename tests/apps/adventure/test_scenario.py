"""A scenario's file: what is wrong is told with its line, all at once; what is right can be proved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from little import BUILT_IN, TEXT, little

from custome.apps.adventure.game import Game
from custome.apps.adventure.phrases import condition, effect
from custome.apps.adventure.problems import checked, problems
from custome.apps.adventure.proving import prove
from custome.apps.adventure.scenario import as_file, parse_scenario, read_scenario
from custome.errors import DataError, InputError


@pytest.mark.parametrize(
    "text",
    [
        "有 令箭",
        "非 到过 水寨",
        "箭 ≥ 10",
        "好感 周瑜 ≤ 2",
        "某物在 令箭 周瑜",
        "回合 ≥ 9",
        "体力 ≤ 0",
    ],
)
def test_conditions_are_read_and_written(text: str):
    (one,) = condition(text)
    assert str(one) == text


def test_one_of_several_conditions_and_other_signs():
    assert [str(one) for one in condition("有 令箭｜箭>=3 | 钱 <= 4")] == [
        "有 令箭",
        "箭 ≥ 3",
        "钱 ≤ 4",
    ]
    assert (
        str(effect("好感 周瑜 ＋ 1")) == "好感 周瑜 + 1"
        and str(effect("给 酒 甘宁")) == "给 酒 甘宁"
    )


@pytest.mark.parametrize("text", ["", "有", "有 两 个", "箭 + 3", "飞 天", "非"])
def test_what_is_no_condition_says_what_there_is(text: str):
    with pytest.raises(InputError, match="看不懂") as error:
        condition(text)
    assert "有 东西" in error.value.hint


@pytest.mark.parametrize("text", ["得", "箭 ≥ 3", "得 一 二", "变 成 龙"])
def test_what_is_no_effect(text: str):
    with pytest.raises(InputError, match="看不懂"):
        effect(text)


def test_a_file_and_back():
    scenario = little()
    assert parse_scenario(as_file(scenario))[0] == scenario
    plain = json.dumps(scenario.model_dump(mode="json"), ensure_ascii=False)
    assert parse_scenario(plain)[0] == scenario


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("体力: 9", "体力: 九", ["第 6 行", "主角.体力", "要是整数"]),
        ("题目: 雾港", "题木: 雾港", ["题目", "没有写", "第 4 行", "题木", "不认识"]),
        ("[{去: 码头, 方向: 南}", "[{方向: 南}", ["第 12 行", "地方.2.出口.1.去", "没有写"]),
        ("{名: 咸鱼,", "{名: 咸 鱼,", ["第 17 行", "不能有空格"]),
        ("编号: wugang", "编号: [wugang", ["YAML"]),
        ("编号: wugang", "编号: &a wugang\n说明: *a", ["别名"]),
        (TEXT, "- 1", ["没有剧本"]),
        (TEXT, "", ["没有剧本"]),
        ("格式: 1", "格式: 2", ["格式"]),
    ],
)
def test_a_fault_of_its_shape_is_told_with_its_line(old: str, new: str, told: list[str]):
    with pytest.raises(DataError) as error:
        parse_scenario(TEXT.replace(old, new))
    assert all(one in error.value.message for one in told), error.value.message


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "去: 地窖, 方向: 下",
            "去: 地牢, 方向: 下",
            "第 12 行 地方.2.出口.2.去：没有叫 '地牢' 的地方",
        ),
        ("在: 码头, 体力: 9", "在: 天上, 体力: 9", "主角.在：没有叫 '天上' 的地方"),
        ("钥匙: 铜钥匙", "钥匙: 金钥匙", "没有叫 '金钥匙' 的东西"),
        ("在: 老魏}", "在: 老卫}", "没有叫 '老卫' 的地方或人"),
        ("名: 灯芯", "名: 钥匙", "叫 '钥匙' 的不止一个"),
        ("名: 灯芯", "名: 我", "“我”是主角"),
        ("{名: 找暗门", "{名: 点灯", "有 2 个叫 '点灯'"),
        ("成: [记 找到暗门]", "成: [记 暗门找到]", "没有哪里“记 找到暗门”"),
        ("要: [知道 暗门]", "要: [晓得 暗门]", "看不懂"),
        ("要: [好感 老魏 ≥ 2]", "要: [好感 ≥ 2]", "没有叫 '' 的人"),
        ("成: [钱 + 4]", "成: [金 + 4]", "没有叫 '金' 的计数"),
        ("成: [钱 + 4]", "成: [回合 + 4]", "回合不能改"),
        ("本事: 口才, 难度", "本事: 轻功, 难度", "主角没有本事 '轻功'"),
        ("想要: [咸鱼]", "想要: [龙肝]", "没有叫 '龙肝' 的东西"),
        ("知道的人: [老魏]", "知道的人: [老卫]", "没有叫 '老卫' 的人"),
        ("{名: 钱, 开始: 5", "{名: 钱, 开始: 50", "不在 0 到 9 之间"),
        ("{名: 钱, 开始: 5", "{名: 体力, 开始: 5", "每一局都有"),
        ("好结局: true, ", "", "没有一个好结局"),
        ("时辰 夜], 每", "时辰 暮], 每", "没有叫 '暮' 的时辰"),
        ("[在 灯塔, 有 灯油", "[在 灯塔, 在 码头, 有 灯油", "不能同时在"),
        ("[在 灯塔, 有 灯油", "[非 有 灯油, 有 灯油", "永远不会成立"),
        ("对谁: 鱼市, 要", "对谁: 鱼店, 要", "没有叫 '鱼店' 的人、东西、地方"),
        ("用什么: 灯,", "用什么: 火,", "没有叫 '火' 的东西或话题"),
        ("谁: 鱼贩, 当", "谁: 鱼饭, 当", "没有叫 '鱼饭' 的人"),
        ("出口: [{去: 鱼市, 方向: 上}]", "出口: [{去: 地窖}]", "出口通回自己"),
        ("出口: [{去: 鱼市, 方向: 上}]", "出口: [{去: 鱼市}, {去: 鱼市}]", "出口有 2 个"),
        ("过 2]", "过 二]", "要是一个数"),
        ("过 2]", "过 ²]", "要是一个数"),
        ("成: [钱 + 4]", "成: [钱 + 99999999999]", "看不懂"),
    ],
)
def test_names_that_do_not_fit_are_told(old: str, new: str, told: str):
    assert old in TEXT
    scenario, lines = parse_scenario(TEXT.replace(old, new, 1))
    assert told in "；".join(map(str, problems(scenario, lines)))
    with pytest.raises(DataError):
        checked(scenario, lines)


def test_everything_wrong_is_told_at_once():
    text = TEXT.replace("钥匙: 铜钥匙", "钥匙: 金钥匙").replace("想要: [咸鱼]", "想要: [龙肝]")
    assert len(problems(*parse_scenario(text))) == 2 and problems(*parse_scenario(TEXT)) == []


def test_a_file_that_is_too_large_or_not_there(tmp_path: Path):
    with pytest.raises(InputError):
        read_scenario(tmp_path / "没有.yaml")
    (tmp_path / "大.yaml").write_text("a" * 2_100_000)
    with pytest.raises(DataError, match="太大"):
        read_scenario(tmp_path / "大.yaml")


def test_the_small_game_can_be_won_and_the_line_is_shown():
    proof = prove(little(), most=15_000, seconds=60)
    assert proof.line is not None and str(proof.line[-1].action) == "点灯"
    for seed in range(2_000):
        game = Game(little(), seed)
        if all(not game.act(move.action).refused for move in proof.line):
            break
    assert game.state.ended == "灯亮了"


LOCKED = """
编号: men
题目: 一道门
主角: {名: 阿舟, 在: 屋里, 本事: {手巧: 1}}
地方:
  - {名: 屋里, 出口: [{去: 院子, 钥匙: 钥匙}]}
  - {名: 院子}
  - {名: 井底}
东西: [{名: 钥匙, 在: 屋里}, {名: 石头, 在: 屋里}]
规则:
  - {名: 磨, 做: 磨, 对谁: 钥匙, 考验: {本事: 手巧, 难度: 8}, 成: [记 磨亮了], 不成: [失 钥匙]}
  - {名: 唱, 做: 唱, 要: [记得 磨亮了, 在 院子], 成: [结局 出来了]}
  - {名: 叹, 做: 叹, 要: [在 井底], 成: [记 磨亮了]}
结局:
  - {名: 出来了, 好结局: true}
  - {名: 走不动, 当: [体力 ≤ 0]}
"""


def test_dead_ends_and_what_is_never_used_are_told():
    proof = prove(parse_scenario(LOCKED)[0])
    assert proof.whole and proof.line is not None
    words = [str(move.action) for move in proof.line]
    assert sorted(words) == sorted(["拿钥匙", "磨钥匙", "用钥匙打开去院子的路", "去院子", "唱"])
    assert [move.action.verb for move in proof.line if move.lucky] == ["磨"]
    assert [str(move.action) for move in proof.dead_line] == ["磨钥匙"]
    assert set(proof.unused) == {"规则 叹", "地方 井底", "结局 走不动"}


def test_a_game_that_cannot_be_won_is_found_out():
    proof = prove(parse_scenario(LOCKED.replace("在: 屋里}, {名: 石头", "在: 井底}, {名: 石头"))[0])
    assert proof.whole and proof.line is None and proof.dead_ends and "结局 出来了" in proof.unused


@pytest.mark.parametrize("path", BUILT_IN, ids=lambda path: path.stem)
def test_every_built_in_game_fits_together(path: Path):
    scenario, lines = read_scenario(path)
    assert problems(scenario, lines) == [] and scenario.id == path.stem


@pytest.mark.parametrize("path", BUILT_IN, ids=lambda path: path.stem)
def test_every_built_in_game_can_be_won(path: Path):
    proof = prove(read_scenario(path)[0], seconds=60, first_line=True)
    assert proof.line is not None and len(proof.line) >= 10
