"""Conversations in SQLite and in PostgreSQL: the same tests for both."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from custome.conversations.store import Store
from custome.errors import InputError, StoreError

ME, YOU = "me", "you"


@pytest.fixture
def store(open_store):
    return open_store()


@pytest.fixture
def chat(store):
    chat = store.begin(ME, "初见", model="sanguo", scene={"who": ["曹操"]})
    store.say(chat, ME, "客", "今夜月色如何？", by_user=True)
    store.say(chat, ME, "曹操", "月明星稀。", by_user=False)
    return chat


def texts(store, chat, owner=ME):
    return [turn.text for turn in store.read(chat, owner).turns]


def test_what_was_said_is_there_after_opening_again(open_store, store, chat):
    again = open_store().read(chat, ME)
    assert [(turn.name, turn.text, turn.by_user) for turn in again.turns] == [
        ("客", "今夜月色如何？", True),
        ("曹操", "月明星稀。", False),
    ]
    assert (again.title, again.model, again.scene) == ("初见", "sanguo", {"who": ["曹操"]})


def test_versions_are_kept_and_can_be_swiped(store, chat):
    turn = store.read(chat, ME).turns[-1].id
    assert store.another(chat, ME, turn) == 1
    store.write(chat, ME, turn, "乌鹊", finished=False)
    assert not store.read(chat, ME).turns[-1].finished
    store.write(chat, ME, turn, "乌鹊南飞。", finished=True, stats={"seed": 7})
    assert (
        store.read(chat, ME).turns[-1].versions == ("月明星稀。", "乌鹊南飞。")
        and texts(store, chat)[-1] == "乌鹊南飞。"
    )
    store.choose(chat, ME, turn, 0)
    assert texts(store, chat)[-1] == "月明星稀。"
    store.choose(chat, ME, turn, 99)
    assert store.read(chat, ME).turns[-1].chosen == 1
    number = store.another(chat, ME, turn)
    store.choose(chat, ME, turn, 0)  # in another tab
    store.write(chat, ME, turn, "半", finished=False, number=number)
    assert store.read(chat, ME).turns[-1].versions == ("月明星稀。", "乌鹊南飞。", "半")
    store.drop_version(chat, ME, turn, number)
    assert store.read(chat, ME).turns[-1].versions == ("月明星稀。", "乌鹊南飞。")


def test_a_turn_nothing_came_of_goes_with_its_only_version(store, chat):
    turn = store.say(chat, ME, "曹操", "", by_user=False, finished=False)
    store.drop_version(chat, ME, turn, 0)
    store.bring_back(chat, ME)
    assert len(texts(store, chat)) == 2


def test_deleted_turns_and_chats_come_back(store, chat):
    first = store.read(chat, ME).turns[0].id
    store.delete(chat, ME, first, following=True)
    assert texts(store, chat) == []
    store.bring_back(chat, ME)
    store.delete(chat, ME, first)
    assert texts(store, chat) == ["月明星稀。"]
    last = store.read(chat, ME).turns[0].id
    store.delete(chat, ME, last)
    store.bring_back(chat, ME)  # the latest only
    assert texts(store, chat) == ["月明星稀。"]
    store.bring_back(chat, ME)
    gone = store.say(chat, ME, "客", "没问过", by_user=True)
    store.take_back(chat, ME, gone)
    store.bring_back(chat, ME)
    store.remove(chat, ME)
    assert store.chats(ME) == []
    store.bring_back(chat, ME)
    assert len(texts(store, chat)) == 2 and len(store.chats(ME)) == 1


def test_a_branch_has_its_own_life(store, chat):
    turns = store.read(chat, ME).turns
    copy = store.branch(chat, ME, turns[0].id)
    store.say(copy, ME, "刘备", "甚好。", by_user=False)
    assert texts(store, copy) == ["今夜月色如何？", "甚好。"] and texts(store, chat) == [
        "今夜月色如何？",
        "月明星稀。",
    ]
    assert store.read(copy, ME).parent == chat
    with pytest.raises(InputError, match="没有第"):
        store.branch(chat, ME, 10**6)


def test_a_branch_keeps_how_every_version_came_about(store, chat):
    turn = store.say(chat, ME, "曹操", "据书云。", by_user=False, stats={"sources": ["甲"]})
    number = store.another(chat, ME, turn)
    store.write(chat, ME, turn, "又据书云。", finished=True, stats={"sources": ["乙"]})
    copy = store.branch(chat, ME, turn)
    copied = store.read(copy, ME).turns[-1]
    assert copied.id != turn and copied.versions == ("据书云。", "又据书云。")
    assert copied.chosen == number and copied.stats == {"sources": ["乙"]}
    store.choose(copy, ME, copied.id, 0)
    assert store.read(copy, ME).turns[-1].stats == {"sources": ["甲"]}


def test_nobody_sees_what_is_somebody_elses(store, chat):
    assert store.chats(YOU) == []
    for call in (
        lambda: store.read(chat, YOU),
        lambda: store.rename(chat, YOU, "x"),
        lambda: store.remove(chat, YOU),
        lambda: store.say(chat, YOU, "", "x", by_user=True),
    ):
        with pytest.raises(InputError, match="没有这段对话"):
            call()
    mine = store.begin(YOU, "我的")
    with pytest.raises(InputError):  # a turn of another conversation
        store.delete(mine, YOU, store.read(chat, ME).turns[0].id)


def test_listed_searched_and_renamed(store, chat):
    other = store.begin(ME, "赤壁")
    store.say(other, ME, "客", "东风何时来？", by_user=True)
    assert [one.title for one in store.chats(ME)] == ["赤壁", "初见"]
    assert [one.title for one in store.chats(ME, "月明")] == ["初见"] and store.chats(
        ME, "%"
    ) == store.chats(ME)
    store.rename(other, ME, "  借东风 ")
    assert [one.title for one in store.chats(ME, "东风")] == ["借东风"]
    with pytest.raises(InputError, match="空的"):
        store.rename(other, ME, " ")


def test_any_text_is_only_text(store, chat):
    wild = "<script>alert(1)</script> {{user}} ' ; DROP TABLE chats; -- \U0001f600 " + "长" * 50_000
    store.say(chat, ME, wild[:50], wild, by_user=True)
    assert texts(store, chat)[-1] == wild


@pytest.mark.slow
@pytest.mark.parametrize("times", [20])
def test_killed_in_the_middle_it_loses_the_tail_at_most(open_store, times):
    """A process that talks is killed again and again; every turn it called finished is there."""
    store = open_store()
    chat = store.begin(ME, "反复")
    script = (
        "import sys\nfrom custome.conversations.store import Store\n"
        f"store, chat = Store({store.url!r}), {chat!r}\n"
        "print('ready', flush=True)\n"
        "n = int(sys.argv[1])\n"
        "while True:\n"
        f"    store.say(chat, {ME!r}, '客', f'问{{n}}', by_user=True)\n"
        f"    turn = store.say(chat, {ME!r}, '曹操', '', by_user=False, finished=False)\n"
        f"    for end in (1, 2): store.write(chat, {ME!r}, turn, f'答{{n}}'[:end], finished=False)\n"
        f"    store.write(chat, {ME!r}, turn, f'答{{n}}。', finished=True)\n"
        "    print(n, flush=True)\n"
        "    n += 1\n"
    )
    said = 0
    for number in range(times):
        talker = subprocess.Popen(
            [sys.executable, "-c", script, str(said)], stdout=subprocess.PIPE, text=True
        )
        assert talker.stdout is not None and talker.stdout.readline() == "ready\n"
        talker.stdout.readline()
        time.sleep(0.003 * number)
        os.kill(talker.pid, signal.SIGKILL)
        finished = [int(line) for line in talker.stdout.read().split() if line.isdigit()]
        talker.wait()
        said = max([said, *finished]) + 1
        turns = open_store().read(chat, ME).turns
        whole = {turn.text for turn in turns if turn.finished and not turn.by_user}
        assert {f"答{n}。" for n in finished} <= whole
        assert sum(not turn.finished for turn in turns) <= number + 1
    assert said > times


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.write_bytes(b"not a database at all" * 100), "不是对话库"),
        (lambda path: path.mkdir(), "打不开"),
        (lambda path: path.parent.joinpath("file").write_text("x"), None),
    ],
)
def test_a_place_it_cannot_be_kept_in_is_named(tmp_path: Path, spoil, why):
    path = tmp_path / "chats.db"
    spoil(path)
    if why is None:
        path = tmp_path / "file" / "chats.db"
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert str(path) in caught.value.message or path.name in caught.value.message
    assert why is None or why in caught.value.message


def test_locked_and_full_are_said_and_nothing_is_lost(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("custome.conversations.database.WAIT_S", 0.1)
    store = Store(tmp_path / "chats.db")
    chat = store.begin(ME, "x")
    store.say(chat, ME, "客", "在吗？", by_user=True)
    other = sqlite3.connect(tmp_path / "chats.db")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="锁着"):
        store.say(chat, ME, "客", "喂？", by_user=True)
    other.rollback()
    other.close()
    with store._database._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.commit()
    with pytest.raises(StoreError, match="满"):
        store.say(chat, ME, "客", "长" * 500_000, by_user=True)
    assert [turn.text for turn in store.read(chat, ME).turns] == ["在吗？"]


def test_a_read_only_file_is_said(tmp_path: Path):
    Store(tmp_path / "chats.db").close()
    with pytest.raises(StoreError, match="只读"):
        Store(f"sqlite:///file:{tmp_path}/chats.db?mode=ro&uri=true")


def test_a_database_that_is_away_is_said_without_its_password():
    with pytest.raises(StoreError) as caught:
        Store("postgresql+psycopg://custome:geheim@127.0.0.1:9/nobody")
    assert (
        "127.0.0.1:9" in caught.value.message
        and "geheim" not in caught.value.message + caught.value.hint
    )
