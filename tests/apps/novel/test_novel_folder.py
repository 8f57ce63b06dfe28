"""A novel on disk: what is derived knows from what, what somebody wrote by hand is never written over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from custome.apps.novel.brief import Brief, Person, Promise
from custome.apps.novel.folder import Beat, NovelFolder, Piece, Row
from custome.errors import DataError, InputError

BRIEF = Brief(
    title="夜渡",
    premise="镖师护送一只木匣过江。",
    chapters=2,
    people=(Person(name="沈青"), Person(name="阿蛮", enters=2)),
)
ROWS = (
    Row(number=1, title="接镖", people=("沈青",)),
    Row(number=2, title="过江", people=("沈青", "阿蛮")),
)


@pytest.fixture
def novel(tmp_path: Path) -> NovelFolder:
    made = NovelFolder(tmp_path / "夜渡")
    made.keep_brief(BRIEF)
    made.keep_outline(ROWS)
    for number in (1, 2):
        made.keep_beats(number, [Beat(event="走", keywords=("木匣",))])
        made.keep_pieces(number, [Piece(candidates=("沈青提着木匣。", "木匣很重。"), chosen=1)])
        made.keep_chapter(number, f"# 第{number}回\n\n木匣很重。\n")
    return made


def test_kept_and_read_again(novel: NovelFolder):
    again = NovelFolder(novel.path)
    assert again.brief() == BRIEF and again.outline() == ROWS
    assert again.beats(1)[0].keywords == ("木匣",) and again.pieces(2)[0].text == "木匣很重。"
    assert "木匣很重" in again.chapter(1) and again.chapter(9) == ""
    assert again.stale(1) == again.stale(2) == [] and not again.is_edited(1)


def test_an_edit_makes_stale_what_depends_on_it_and_nothing_else(novel: NovelFolder):
    novel.keep_outline((ROWS[0], replace(ROWS[1], event="船翻了")))
    assert novel.stale(1) == [] and novel.stale(2) == ["beats"]
    novel.keep_beats(2, [Beat(event="船翻了")])
    assert novel.stale(2) == ["passages"]
    novel.keep_pieces(2, [Piece(candidates=("船翻了。",))])
    assert novel.stale(2) == ["chapter"]
    novel.keep_chapter(2, "船翻了。")
    assert novel.stale(2) == []
    # What the plot does not read changes nothing.
    people = (BRIEF.people[0], replace(BRIEF.people[1], looks="高个子"))
    novel.keep_brief(replace(BRIEF, people=people, premise="另一个故事。"))
    assert novel.stale(1) == [] and novel.stale(2) == []
    people = (BRIEF.people[0], replace(BRIEF.people[1], gender="女"))
    novel.keep_brief(replace(BRIEF, people=people))
    assert novel.stale(1) == ["outline"] and novel.stale(2) == ["outline", "beats"]
    promise = Promise(what="船是偷来的", words=("船",), planted=1, paid=2)
    novel.keep_brief(replace(BRIEF, promises=(promise,)))
    assert novel.stale(1) == novel.stale(2) == ["beats"]


def test_versions_are_never_written_over(novel: NovelFolder):
    for text in ("一。", "二。", "三。"):
        novel.edit_chapter(1, text)
    (novel.path / "versions" / "0001" / "0001.md").unlink()
    novel.edit_chapter(1, "四。")
    assert novel.versions(1)[-2:] == ["二。", "三。"]
    novel.edit_chapter(1, "五。")
    assert novel.versions(1)[-1] == "四。"


def test_a_draft_that_was_set_back_is_somebodys_own(novel: NovelFolder):
    first = novel.chapter(1)
    novel.keep_pieces(1, [Piece(candidates=("木匣轻了。",))])
    novel.keep_chapter(1, "木匣轻了。")
    novel.edit_chapter(1, first)
    assert novel.is_edited(1)
    with pytest.raises(InputError, match="有人改过"):
        novel.keep_chapter(1, "又是我写的。")
    with pytest.raises(InputError, match="是空的"):
        novel.edit_chapter(1, " \n")
    (novel.path / "chapters" / "0001.md").write_text("\n \n")
    assert novel.chapter(1) == "" and novel.versions(1)


def test_an_outline_that_was_replaced_is_kept(novel: NovelFolder):
    novel.edit_row(ROWS[0], "我的", ROWS[0].event)
    with pytest.raises(InputError, match="在别处改过了"):
        novel.edit_row(ROWS[0], "别的", "别的事")
    novel.keep_outline(ROWS)
    (earlier,) = (novel.path / "versions" / "outline").glob("*.json")
    assert "我的" in earlier.read_text(encoding="utf-8")


def test_what_somebody_wrote_is_not_written_over(novel: NovelFolder):
    path = novel.path / "chapters" / "0001.md"
    path.write_text("我自己写的。", encoding="utf-8")
    assert novel.is_edited(1) and not novel.is_edited(2)
    with pytest.raises(InputError, match="有人改过，不会盖掉"):
        novel.keep_chapter(1, "别的。")
    assert novel.chapter(1) == "我自己写的。"
    path.unlink()
    novel.keep_chapter(1, "别的。")
    assert novel.chapter(1) == "别的。" and not novel.is_edited(1)


def test_killed_between_noting_and_writing_it_is_not_taken_for_an_edit(
    novel: NovelFolder, monkeypatch: pytest.MonkeyPatch
):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("custome.apps.novel.folder.write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        novel.keep_chapter(1, "新的。")
    monkeypatch.undo()
    assert not novel.is_edited(1) and "木匣很重" in novel.chapter(1)
    novel.keep_chapter(1, "新的。")
    assert novel.chapter(1) == "新的。"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("outline.json", "{", "outline.json 第 1 行不是 JSON"),
        ("outline.json", "[]", "不是一个对象"),
        ("outline.json", '{"chapters": {}}', "应是一列"),
        ("outline.json", '{"chapters": [3]}', "第 1 条应是一个对象"),
        ("outline.json", '{"chapters": [{"number": "一"}]}', "number 写的是 '一'"),
        ("outline.json", '{"chapters": [{"number": 1, "结局": "好"}]}', "结局"),
        ("outline.json", '{"chapters": [{"title": "接镖"}]}', "少了东西"),
        ("outline.json", '{"chapters": [{"number": 1, "people": "沈青"}]}', "people 写的是"),
    ],
)
def test_files_edited_into_nonsense_are_named(novel: NovelFolder, name: str, text: str, told: str):
    (novel.path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        novel.outline()
    assert "木匣很重" in novel.chapter(1)  # nothing else is touched


def test_there_is_no_novel_or_no_such_chapter(novel: NovelFolder, tmp_path: Path):
    with pytest.raises(InputError, match="里没有小说"):
        NovelFolder(tmp_path / "空").brief()
    with pytest.raises(InputError, match="目录里没有第 9 回"):
        novel.keep_beats(9, [])


def test_the_journal_is_only_added_to(novel: NovelFolder):
    for number in range(3):
        novel.journal.call({"step": "outline", "n": number})
    lines = (novel.path / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["n"] for line in lines] == [0, 1, 2]
