"""A database of the last release opens and loses nothing; one of the next release is left alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from custome.conversations import database
from custome.conversations.damaged import set_aside_if_damaged
from custome.conversations.database import REVISIONS
from custome.conversations.records import Summary
from custome.conversations.store import Store
from custome.conversations.tables import Base
from custome.errors import StoreError

BEFORE_MIGRATIONS = """
CREATE TABLE chats (id VARCHAR(32) NOT NULL, owner VARCHAR(80) NOT NULL, title TEXT NOT NULL, model TEXT NOT NULL,
  settings JSON NOT NULL, parent VARCHAR(32), created {float} NOT NULL, updated {float} NOT NULL, deleted {float}, PRIMARY KEY (id));
CREATE INDEX ix_chats_owner ON chats (owner);
CREATE TABLE pictures (owner VARCHAR(80) NOT NULL, name VARCHAR(80) NOT NULL, content {bytes} NOT NULL, PRIMARY KEY (owner, name));
CREATE TABLE cards (owner VARCHAR(80) NOT NULL, name VARCHAR(80) NOT NULL, content JSON NOT NULL, PRIMARY KEY (owner, name));
CREATE TABLE turns (id {number}, chat VARCHAR(32) NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, by_user BOOLEAN NOT NULL,
  chosen INTEGER NOT NULL, deleted {float}, PRIMARY KEY (id), FOREIGN KEY(chat) REFERENCES chats (id));
CREATE INDEX turns_in_order ON turns (chat, place);
CREATE TABLE versions (id {number}, turn INTEGER NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL,
  finished BOOLEAN NOT NULL, told JSON NOT NULL, created {float} NOT NULL, PRIMARY KEY (id), FOREIGN KEY(turn) REFERENCES turns (id));
CREATE INDEX ix_versions_turn ON versions (turn)
"""
"""The tables as commit e116e46 made them."""
SCENE = {"people": ["曹操"], "order": "named", "note": "短", "as_of": 50}
MADE = {
    "summary": "前情：说定了。",
    "made": "前情：说定了。",
    "made_before": "前情：旧。",
    "summed": 6,
}
CARD = {"spec": "chara_card_v2", "data": {"name": "掌柜", "first_mes": "住店么？"}}


def fill_as_before(url: str) -> None:
    """A database as the release before migrations left it: two conversations, one of them deleted, and a card."""
    engine = create_engine(url)
    kinds = {"bytes": "BLOB", "number": "INTEGER NOT NULL", "float": "DOUBLE"}
    if engine.dialect.name == "postgresql":
        kinds = {"bytes": "BYTEA", "number": "SERIAL NOT NULL", "float": "DOUBLE PRECISION"}
    rows = {
        "chats": [
            ("a" * 32, "x", "初见", "sanguo", json.dumps({**SCENE, **MADE}), None, 1.0, 2.0, None),
            ("b" * 32, "x", "删了的", "", "{}", None, 1.0, 3.0, 4.0),
        ],
        "turns": [
            (1, "a" * 32, 1, "客", False, 0, None),
            (2, "a" * 32, 2, "曹操", False, 1, None),
        ],
        "versions": [
            (1, 1, 0, "今夜月色如何？", True, "{}", 1.0),
            (2, 2, 0, "月明星稀。", True, "{}", 1.0),
            (3, 2, 1, "乌鹊南飞。", True, json.dumps({"prompt_tokens": 9}), 1.0),
        ],
        "cards": [("x", "掌柜", json.dumps(CARD)), ("y", "小二", "{}")],
        "pictures": [("x", "掌柜", b"\x89PNG")],
    }
    with engine.begin() as connection:
        for statement in BEFORE_MIGRATIONS.format(**kinds).split(";\n"):
            connection.execute(text(statement))
        for table, values in rows.items():
            for row in values:
                names = ", ".join(f":v{place}" for place in range(len(row)))
                given = {f"v{place}": value for place, value in enumerate(row)}
                connection.execute(text(f"INSERT INTO {table} VALUES ({names})"), given)
        for table in ("turns", "versions") if engine.dialect.name == "postgresql" else ():
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 9)"))
    engine.dispose()


def test_what_the_last_release_kept_is_all_there(empty_url: str):
    fill_as_before(empty_url)
    store = Store(empty_url)
    chat = store.read("a" * 32, "x")
    assert (chat.title, chat.app, chat.model, chat.scene) == ("初见", "cosplay", "sanguo", SCENE)
    assert chat.summary == Summary(
        text="前情：说定了。", made="前情：说定了。", made_before="前情：旧。", turns=6
    )
    assert [turn.versions for turn in chat.turns] == [
        ("今夜月色如何？",),
        ("月明星稀。", "乌鹊南飞。"),
    ]
    assert [one.title for one in store.chats("x")] == ["初见"]
    assert store.bring_back_latest("x") == "b" * 32
    (card,) = store.things("cosplay", "card").all("x")
    assert (card.name, card.content, card.data) == ("掌柜", CARD, b"\x89PNG")
    assert [one.name for one in store.things("cosplay", "card").all("y")] == ["小二"]
    turn = store.say("a" * 32, "x", "客", "还在么？", by_user=True)
    store.close()
    again = Store(empty_url)
    assert again.read("a" * 32, "x").turns[-1].id == turn
    again.close()


def test_migrated_tables_are_those_of_a_new_database(empty_url: str):
    fill_as_before(empty_url)
    Store(empty_url).close()
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    engine.dispose()
    assert (differences, found) == ([], REVISIONS[-1])


def test_the_file_of_before_is_kept_beside(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/chats.db"
    fill_as_before(url)
    Store(tmp_path / "chats.db").close()
    engine = create_engine(f"sqlite:///{tmp_path}/chats.db.0001")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM versions")).scalar() == 3
        assert connection.execute(text("SELECT settings FROM chats")).first() is not None
    engine.dispose()


def test_a_migration_that_fails_leaves_everything_as_it_was(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
):
    fill_as_before(empty_url)
    real: Callable[..., None] = database._migrate

    def fails(*given) -> None:
        real(*given)
        raise OSError("No space left on device")

    monkeypatch.setattr(database, "_migrate", fails)
    with pytest.raises(StoreError, match="满"):
        Store(empty_url)
    monkeypatch.setattr(database, "_migrate", real)
    store = Store(empty_url)
    assert len(store.read("a" * 32, "x").turns) == 2
    store.close()


def test_one_of_a_newer_program_is_left_alone(empty_url: str):
    Store(empty_url).close()
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0900'"))
    engine.dispose()
    with pytest.raises(StoreError, match="更新的版本") as caught:
        Store(empty_url)
    assert "升级" in caught.value.hint


@pytest.mark.parametrize("missing", [["pictures"], ["versions", "turns", "cards", "pictures"]])
def test_one_in_which_tables_are_missing_is_made_whole(empty_url: str, missing: list[str]):
    """As an earlier program left it, or one that was killed while it made them."""
    fill_as_before(empty_url)
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        for table in missing:
            connection.execute(text(f"DROP TABLE {table}"))
    engine.dispose()
    store = Store(empty_url)
    assert store.read("a" * 32, "x").title == "初见"
    assert len(store.things("cosplay", "card").all("x")) == ("cards" not in missing)
    store.close()


def test_a_copy_that_cannot_be_made_is_explained(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/chats.db"
    fill_as_before(url)
    (tmp_path / "chats.db.0001").mkdir()
    with pytest.raises(StoreError, match="打不开"):
        Store(url)


def test_a_damaged_file_is_kept_beside_and_what_can_be_read_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "chats.db"
    store = Store(path)
    chats = [store.begin("x", f"第{number}段") for number in range(40)]
    for chat in chats:
        store.say(chat, "x", "客", "救名画还是救猫？" * 60, by_user=True)
    store.close()
    with path.open("r+b") as file:  # a page in the middle
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)

    store = Store(path)
    (aside,) = [one for one in tmp_path.iterdir() if ".damaged-" in one.name]
    assert str(aside) in caplog.text and "段对话已抄进新的一个" in caplog.text
    there = store.chats("x")
    assert len(there) == 40 and sum(one.turns for one in there) > 20
    assert store.read(chats[0], "x").turns[0].text == "救名画还是救猫？" * 60
    store.say(chats[0], "x", "客", "还在", by_user=True)
    store.close()
    Store(path).close()  # and is sound from now on
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1


def corrupted(path: Path, place: float) -> None:
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * place) // 4096 * 4096)
        file.write(b"\xff" * 4096)


def test_a_damaged_one_of_before_migrations_is_saved_and_migrated(tmp_path: Path):
    path = tmp_path / "chats.db"
    fill_as_before(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE more (words TEXT)")
        connection.executemany("INSERT INTO more VALUES (?)", [("书信" * 900,)] * 40)
    corrupted(path, 0.6)
    store = Store(path)
    assert store.chats("x") and len(list(tmp_path.glob("*.damaged-*"))) == 1
    store.close()


def test_one_of_which_nothing_can_be_read_gives_way_to_a_new_one(tmp_path: Path):
    path = tmp_path / "chats.db"
    Store(path).close()
    with path.open("r+b") as file:  # all but the first page's head, which says that it is SQLite
        file.seek(100)
        file.write(b"\xff" * (path.stat().st_size - 100))
    store = Store(path)
    assert store.chats("x") == [] and store.begin("x", "新的")
    store.close()
    Store(path).close()


def test_one_that_somebody_has_open_is_not_moved_away_under_them(tmp_path: Path):
    path = tmp_path / "chats.db"
    store = Store(path)
    for number in range(40):
        store.say(store.begin("x", f"第{number}段"), "x", "客", "救猫" * 300, by_user=True)
    with closing(sqlite3.connect(path)) as other:
        other.execute("SELECT count(*) FROM chats").fetchone()
        store.close()
        corrupted(path, 0.5)
        assert set_aside_if_damaged(path) is None
    assert not list(tmp_path.glob("*.damaged-*"))


def test_what_is_no_database_is_left_alone(tmp_path: Path):
    path = tmp_path / "novel.txt"
    path.write_text("滚滚长江东逝水" * 200, "utf-8")
    with pytest.raises(StoreError, match="不是对话库"):
        Store(path)
    assert [one.name for one in tmp_path.iterdir() if one.suffix != ".lock"] == ["novel.txt"]
