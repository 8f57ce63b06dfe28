"""Who was there to hear a turn."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from custome.conversations.records import Turn
from custome.conversations.store import Store


def test_a_database_of_before_opens_and_everybody_heard_what_is_in_it(tmp_path: Path):
    path = tmp_path / "chats.db"
    store = Store(path)
    chat = store.begin("o", "旧")
    store.say(chat, "o", "客", "一", by_user=True)
    store.close()
    with sqlite3.connect(path) as there:  # as the program before 0003 left it
        there.execute("ALTER TABLE turns DROP COLUMN present")
        there.execute("UPDATE alembic_version SET version_num = '0002'")
    there.close()
    for _ in range(2):  # and once more, when it is one of today's
        store = Store(path)
        (turn,) = store.read(chat, "o").turns[:1]
        assert turn.text == "一" and turn.present is None
        store.say(chat, "o", "客", "二", by_user=True, present=("曹操",))
        assert store.read(chat, "o").turns[-1].present == ("曹操",)
        store.close()
    assert path.with_name("chats.db.0002").is_file(), "a copy of what it was"


def test_a_branch_keeps_who_heard_what(tmp_path: Path):
    store = Store(tmp_path / "chats.db")
    chat = store.begin("o", "一")
    turn = Turn(id=0, name="客", by_user=True, versions=("密",), present=("曹操", "荀彧"))
    store.fill(chat, "o", [turn])
    copy = store.branch(chat, "o", store.read(chat, "o").turns[0].id)
    assert store.read(copy, "o").turns[0].present == ("曹操", "荀彧")
    store.close()
