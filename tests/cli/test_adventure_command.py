"""A game in the terminal, from nothing to its end and on after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from custome.cli.app import main

WON = """拿船桨
去茶棚
买姜汤
买火镰
回码头
把姜汤给老魏
讨钥匙
问老魏
往北走
掀木板
下去
拿灯油
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    lines = iter(text.splitlines())

    def typed(*_: object, **__: object) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("rich.console.Console.input", typed)


def test_a_game_is_played_undone_and_gone_on_with(monkeypatch, capsys, place: Path):
    typing(monkeypatch, WON + "包\n看看疤脸\n飞\n去灯室\n")
    assert main(["adventure", "play", "wugang", "--seed", "3"]) == 0
    said = capsys.readouterr().out
    assert "你掀" not in said.split("掀木板")[0] and "灯油" in said and "从地窖去不了灯室" in said
    assert "身上：" in said and "没有听懂要做什么" in said and "疤脸：" in said
    typing(monkeypatch, "撤销\n包\n重做\n退出\n")
    assert main(["adventure", "play", "雾港"]) == 0
    said = capsys.readouterr().out
    assert "【地窖】" in said and "船桨、姜汤" not in said
    assert main(["adventure", "list"]) == 0
    assert "auto" in capsys.readouterr().out
    assert (place / "games" / "wugang" / "auto.json").is_file()


def test_a_number_takes_what_is_offered_and_at_the_beginning_there_is_nothing_to_undo(
    monkeypatch, capsys
):
    typing(monkeypatch, "撤销\n1\n99\n①\n²\n重来\nq\n")
    assert main(["adventure", "play", "jiejian", "--again", "--seed", "1"]) == 0
    said = capsys.readouterr().out
    assert "没有可以撤销的了" in said and "墨迹" in said


def test_a_scenario_of_ones_own_is_looked_over(capsys, place: Path):
    (place / "adventures").mkdir()
    mine = place / "adventures" / "men.yaml"
    text = (Path(__file__).parents[2] / "docs" / "adventure.md").read_text(encoding="utf-8")
    mine.write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert main(["adventure", "check", "men"]) == 0
    said = capsys.readouterr().out
    assert "能赢，3 步：拿钥匙 → 用钥匙打开去院子的路 → 去院子" in said.replace("\n", "")
    mine.write_text(
        mine.read_text(encoding="utf-8").replace("在: 屋里}]", "在: 屋外}]"), encoding="utf-8"
    )
    assert main(["adventure", "check", str(mine)]) == 2
    assert "第 7 行 东西.1.在：没有叫 '屋外' 的地方或人" in capsys.readouterr().err.replace(
        "\n", ""
    )
    assert main(["adventure", "list"]) == 0 and "屋外" in capsys.readouterr().out
    assert main(["adventure", "play", "没有的"]) == 2


def test_a_damaged_save_stops_it_with_a_word_and_is_left_alone(capsys, place: Path):
    save = place / "games" / "jiejian" / "auto.json"
    save.parent.mkdir(parents=True)
    save.write_text("{", encoding="utf-8")
    assert main(["adventure", "play", "jiejian"]) == 2
    assert "坏了" in capsys.readouterr().err and save.read_text(encoding="utf-8") == "{"
