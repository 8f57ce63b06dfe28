"""A person at the prompt of `custome chat`, on the scripted engine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from custome.apps.cosplay.card import Card, write_json
from custome.apps.cosplay.scene import Scene
from custome.apps.cosplay.service import ConversationService
from custome.cli.app import main
from custome.cli.terminal_chat import terminal_chat
from custome.conversations.store import Store
from custome.corpus.cast import Cast, write_cast
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.types import Character, GenerateOptions, Portrait

PEOPLE = tuple(Character(name=name, cue=name) for name in ("曹操", "刘备"))


@pytest.fixture
def typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, str, ScriptedEngine]]:
    """Types lines at a fresh prompt on the same conversations; what is printed, told as wrong, and asked."""

    def type_(
        *lines: str, context: int = 4096, replies: tuple[str, ...] = ("一。", "二。", "三。")
    ) -> tuple[str, str, ScriptedEngine]:
        engine, left = ScriptedEngine(replies), list(lines)
        engine.max_context = context
        play = ConversationService(
            lambda: [ServedModel(name="m", engine=engine, people=PEOPLE)],
            Store(tmp_path / "chats.db"),
        )
        monkeypatch.setattr("builtins.input", lambda _: left.pop(0) if left else "/退出")
        assert terminal_chat(play, "m", ["曹操"], Scene(), GenerateOptions()) == 0
        play.store.close()
        captured = capsys.readouterr()
        return captured.out, captured.err, engine

    return type_


def test_what_no_longer_fits_is_remembered(typed):
    _, _, engine = typed(
        *[f"第{n}问：" + "如何？" * 12 for n in range(10)], context=400, replies=("好。" * 30,)
    )
    told = engine.requests[-1].messages[0].content
    assert told.startswith("前情：") and "第5问" in told


def test_a_conversation_is_opened_with_its_own_scene(typed):
    typed("/在场 刘备", "/我是 鲁肃 鲁肃从江东来。", "/第几回 45", "荆州何时还？")
    typed("别的话")
    out, err, engine = typed("/对话 荆州", "/打开 1", "如何？", "/打开 7")
    assert "荆州何时还？（2 句）" in out and "（我是鲁肃）" in out and "没有第 '7' 段" in err
    assert (
        engine.requests[-1].speaker == "刘备"
        and "鲁肃从江东来。" in engine.requests[-1].messages[0].content
    )
    _, _, engine = typed("/对话 荆州", "/打开 1", "/提示", "又如何？")
    assert (
        engine.requests[-1].speaker == "刘备"
    )  # it was not overwritten by what the prompt had before


def test_versions_edits_branches_names_and_deletions(typed):
    out, err, _ = typed(
        "问",
        "/重试",
        "/上一版",
        "/下一版",
        "/改 改过的。",
        "/分支",
        "/删除",
        "/找回",
        "/改名 好名字",
        "/对话",
        "/删对话",
        "/找回",
        "/谁来答 乱",
    )
    assert "第 1/2 版" in out and "第 2/2 版" in out and "曹操：改过的。" in out
    assert "好名字（2 句）" in out and "问（2 句）" in out and "/找回 能找回来" in out
    assert out.rstrip().endswith("曹操：改过的。") and "'乱'" in err


def test_a_card_comes_in_and_speaks_first(typed, tmp_path: Path):
    path = tmp_path / "card.json"
    path.write_bytes(
        write_json(Card(name="掌柜", greeting="客官住店么？", description="掌柜姓王。"))
    )
    out, err, engine = typed(
        "/开场", f"/人物卡 {path}", "/开场", "住。", f"/人物卡 {tmp_path}/no.png"
    )
    assert (
        "没有开场白" in err
        and "no.png" in err
        and "掌柜 来了" in out
        and "掌柜：客官住店么？" in out
    )
    assert (
        "掌柜姓王。" in engine.requests[0].messages[0].content
        and "客官住店么？" in engine.requests[0].messages[0].content
    )


def test_they_take_turns(typed):
    _, _, engine = typed("/在场 曹操 刘备", "/谁来答 轮流", "一", "二", "三")
    assert [request.speaker for request in engine.requests] == ["曹操", "刘备", "曹操"]


def test_on_a_terminal_lines_begin_and_end_as_in_a_book(typed, monkeypatch: pytest.MonkeyPatch):
    reply = "吾有一计，可取荆州，诸君且听。“兵不厌诈”也。"
    as_it_is, _, _ = typed("问", replies=(reply,))
    assert f"曹操：“{reply}”\n" in as_it_is
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown, _, _ = typed("问", "/重试", "/上一版", replies=(reply,))
    lines = ["曹操：“吾有一计，可", "取荆州，诸君且听。", "“兵不厌诈”也。”"]
    assert shown.count("\n".join(lines)) == 3


def test_a_name_mistyped_is_said_before_a_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """诸葛 is 诸葛亮, who talks most, not 诸葛瑾, who stands first in the alphabet."""
    people = tuple(
        Portrait(
            name=name, cue=name, utterances=said, aliases=(), chapters=9, speaks_to=(), openings=()
        )
        for name, said in (("诸葛亮", 700), ("曹操", 600), ("诸葛瑾", 20))
    )
    write_cast(tmp_path, Cast(people=people, lines=()))
    assert main(["chat", str(tmp_path), "--with", "诸葛"]) == 2
    assert "是不是 '诸葛亮'" in capsys.readouterr().err
