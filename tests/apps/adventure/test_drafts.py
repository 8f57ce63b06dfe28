"""Scenarios that are being written: kept whatever they are, games only when everything fits together, renamed everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from little import TEXT, little
from test_building import NOVEL

from custome.apps.adventure.drafts import Drafts, faults, rename
from custome.apps.adventure.library import Library
from custome.apps.adventure.problems import problems
from custome.apps.adventure.scenario import as_file, scenario_of
from custome.errors import DataError, InputError


def test_one_is_begun_kept_wrong_mended_and_becomes_a_game(tmp_path: Path):
    drafts = Drafts(tmp_path)
    name = drafts.begin("一道 门！")
    assert name == "一道门" and drafts.names() == {"一道门": "一道 门！"}
    raw = drafts.open(name)
    raw["places"].append({"name": "院子", "exits": [{"to": "没有的地方"}]})
    drafts.save(name, raw)
    assert any("没有的地方" in one for one in faults(raw))
    with pytest.raises(DataError, match="没有的地方"):
        drafts.publish(raw)
    assert Drafts(tmp_path).open(name) == raw and not list(tmp_path.glob("adventures/*.yaml"))
    raw["places"][0]["exits"] = [{"to": "院子"}]
    raw["places"][1]["exits"] = []
    raw["endings"][0]["when"] = ["在 院子"]
    assert faults(raw) == []
    assert drafts.publish(raw).id == name
    assert Library(tmp_path).get(name).title == "一道 门！"
    assert not list(tmp_path.glob("adventures/drafts/*")) and drafts.names() == {name: "一道 门！"}
    assert drafts.open(name)["places"][1]["name"] == "院子"


def test_a_game_that_comes_along_is_changed_as_a_copy(tmp_path: Path):
    drafts = Drafts(tmp_path)
    raw = drafts.open("jiejian")
    assert raw["id"] == "jiejian-改" and drafts.publish(raw).id == "jiejian-改"
    assert {"jiejian", "jiejian-改"} <= set(Library(tmp_path).scenarios()[0])
    raw["about"] = "我改过的。"
    assert drafts.publish(raw) and drafts.open("jiejian")["about"] == "我改过的。"
    raw["about"] = "又改了。"
    drafts.save(raw["id"], raw)
    assert drafts.open("jiejian")["about"] == "又改了。"


def test_what_somebody_else_has_changed_is_not_written_over(tmp_path: Path):
    drafts = Drafts(tmp_path)
    name = drafts.begin("两个人")
    mine, theirs = drafts.open(name), drafts.open(name)
    drafts.save(name, theirs | {"about": "他写的"}, theirs)
    with pytest.raises(InputError, match="别处改过"):
        drafts.save(name, mine | {"about": "我写的"}, mine)
    assert drafts.open(name)["about"] == "他写的"


def test_a_name_is_changed_wherever_it_is_spoken_of_and_nowhere_else():
    raw = little().model_dump(mode="json", exclude_defaults=True)
    raw["places"][0]["name"] = raw["player"]["at"]
    for section, old, new in (
        ("people", "老魏", "老卫"),
        ("places", "鱼市", "集市"),
        ("items", "铜钥匙", "铁钥匙"),
        ("secrets", "暗门", "地道"),
    ):
        part = next(row for row in raw[section] if row["name"] == old)
        part["name"] = new
        rename(raw, section, old, new)
        assert [str(one) for one in problems(scenario_of(raw))] == [], old
    text = json.dumps(raw, ensure_ascii=False)
    rename(raw, "places", "wugang", "别处")
    assert raw["id"] == "wugang"
    counted = {
        "rules": [{"name": "疑心", "needs": ["疑心 ≥ 1 | 非 记得 疑心"], "success": ["疑心 + 1"]}]
    }
    rename(counted, "counters", "疑心", "戒心")
    assert counted["rules"][0]["needs"] == ["戒心 ≥ 1 | 非 记得 疑心"]
    assert counted["rules"][0]["success"] == ["戒心 + 1"]
    assert "鱼市底下有一道暗门" in text  # what is said stays said
    assert '"target": "老卫"' in text and "好感 老卫 + 1" in text and "知道 地道" in text


def test_one_that_somebody_was_given(tmp_path: Path):
    drafts = Drafts(tmp_path)
    with pytest.raises(InputError, match="已经有剧本"):
        drafts.take(TEXT.encode())  # a game of that id comes along
    mine = as_file(little()).replace("编号: wugang", "编号: mine")
    assert drafts.take(mine.encode("utf-8-sig")) == "mine"
    with pytest.raises(InputError, match="已经有剧本"):
        drafts.take(mine.encode())
    for wrong in (b"\xff\xfe\x00", b"[1, 2]", b"a: *b", mine.replace("鱼市", "鱼", 1).encode()):
        with pytest.raises(DataError):
            drafts.take(wrong.replace(b"mine", b"other"))
    assert set(drafts.names()) == {"mine"}


def test_a_chapter_of_a_book_is_a_draft_with_its_words(tmp_path: Path):
    drafts = Drafts(tmp_path)
    name = drafts.build("../盐灯.txt", NOVEL.text.encode(), 1)
    raw = drafts.open(name)
    assert name == "盐灯-1" and all(row["source"]["quote"] for row in raw["places"])
    assert faults(raw) == [] and not (tmp_path.parent / "盐灯.txt").exists()
    with pytest.raises(InputError, match="已经有剧本"):
        drafts.build("盐灯.txt", NOVEL.text.encode(), 1)


@pytest.mark.parametrize("name", ["../x", "", "a/b", "长" * 41])
def test_no_draft_lies_elsewhere(name: str, tmp_path: Path):
    with pytest.raises(InputError):
        Drafts(tmp_path).save(name, {})
    with pytest.raises(InputError):
        Drafts(tmp_path).open(name)


def test_a_damaged_draft_says_so_and_is_left(tmp_path: Path):
    drafts = Drafts(tmp_path)
    name = drafts.begin("坏")
    path = tmp_path / "adventures" / "drafts" / f"{name}.json"
    for content in (
        "{",
        "[1]",
        '{"id": "坏", "places": ["a"]}',
        '{"id": "坏", "player": []}',
        '{"id": "坏", "places": [{"exits": ["b"]}]}',
        '{"id": "别的"}',
        '{"id": "坏", "rules": {}}',
    ):
        path.write_text(content, encoding="utf-8")
        assert name in drafts.names()
        with pytest.raises(DataError, match="坏了"):
            drafts.open(name)
        assert path.read_text(encoding="utf-8") == content
