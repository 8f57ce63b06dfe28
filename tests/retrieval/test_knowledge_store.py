"""What every store of a knowledge base must do: one suite for each of them."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from custome.errors import StoreError
from custome.retrieval.chunks import Place, chunks
from custome.retrieval.search import search
from custome.retrieval.sqlite import SqliteStore
from custome.retrieval.store import Document, KnowledgeStore
from custome.retrieval.terms import asked

TEA = "龙井茶产在西湖边。每年清明前采摘。\n" * 3 + "普洱茶产在云南，要放几年才好喝。"
BOAT = "渡口的船每天三班。末班船晚上八点开。船票五元一张。"


def document(name: str, text: str, digest: str = "1") -> Document:
    return Document(name=name, text=text, digest=digest, places=(Place(start=0, heading=(name,)),))


def put(store: KnowledgeStore, name: str, text: str, digest: str = "1") -> None:
    one = document(name, text, digest)
    store.add(one, chunks(text, one.places))


def names_of(store: KnowledgeStore, question: str) -> list[str]:
    return [hit.passage.name for hit in search(store, question)]


def test_the_right_document_comes_first(store: KnowledgeStore):
    put(store, "茶", TEA)
    put(store, "船", BOAT)
    assert names_of(store, "末班船几点开？")[0] == "船"
    assert names_of(store, "普洱茶产在哪里？")[0] == "茶"
    assert names_of(store, "飞机") == []


def test_a_hit_says_why_and_where(store: KnowledgeStore):
    put(store, "船", BOAT)
    (hit,) = search(store, "船票多少钱")
    assert hit.passage.text == BOAT[hit.passage.start : hit.passage.end]
    assert hit.passage.heading == ("船",) and "船票" in hit.words and hit.own == hit.score


def test_names_find_their_bearer_by_another_name(store: KnowledgeStore):
    put(store, "一", "子坚在渡口卖茶。")
    put(store, "二", "大郎在山上打柴。")
    assert names_of(store, "钱勇在哪里做什么？") == names_of(store, "在哪里做什么？")
    found = search(store, "钱勇在哪里做什么？", names={"钱勇": ["子坚"]})
    assert found[0].passage.name == "一"


def test_a_document_takes_the_place_of_the_one_of_its_name(store: KnowledgeStore):
    put(store, "船", BOAT, "1")
    put(store, "船", BOAT.replace("八点", "九点"), "2")
    assert store.digests() == {"船": "2"}
    assert "九点" in search(store, "末班船")[0].passage.text
    assert store.find(asked("八点")) == store.find(asked("点"))


def test_what_is_taken_out_is_in_no_answer(store: KnowledgeStore):
    put(store, "茶", TEA)
    put(store, "船", BOAT)
    assert store.remove("船") and not store.remove("船")
    assert "船" not in names_of(store, "末班船几点开？")
    assert store.text("船") == "" and store.text("茶") == TEA


def test_neighbours(store: KnowledgeStore):
    text = "".join(f"这是第{i}段，说的是第{i}件事。" * 20 for i in range(5))
    put(store, "长", text)
    hit = search(store, "第2件事")[0]
    around = store.neighbours(hit.passage.document, hit.passage.position)
    assert [one.position for one in around] == [hit.passage.position - 1, hit.passage.position + 1]
    assert hit.score > hit.own


def test_words_of_a_query_language_are_words(store: KnowledgeStore):
    put(store, "怪", 'NEAR("船" OR *) AND {x}: -y ^z')
    for question in ('"', "船 OR *", "NEAR(", "'; DROP TABLE chunks; --", "^", "-", ""):
        search(store, question)
    assert names_of(store, "NEAR") == ["怪"]


# -- the file --------------------------------------------------------------------------------------------------------


def test_deleted_text_is_not_in_the_file_after_compacting(tmp_path: Path):
    path = tmp_path / "kb.db"
    store = SqliteStore(path)
    put(store, "茶", TEA)
    put(store, "密", "暗号是青花瓷瓶。" * 50)
    store.remove("密")
    store.compact()
    store.close()
    everything = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert "青花瓷".encode() not in everything and "u9752u82b1" not in everything.decode("latin-1")
    assert "龙井".encode() in everything


def test_it_opens_again(tmp_path: Path):
    store = SqliteStore(tmp_path / "kb.db")
    put(store, "船", BOAT)
    store.close()
    assert names_of(SqliteStore(tmp_path / "kb.db"), "船票") == ["船"]


def test_no_database_is_named(tmp_path: Path):
    (tmp_path / "kb.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="打不开"):
        SqliteStore(tmp_path / "kb.db")


def test_a_newer_file_is_left_alone(tmp_path: Path):
    SqliteStore(tmp_path / "kb.db").close()
    with sqlite3.connect(tmp_path / "kb.db") as database:
        database.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="更新的版本"):
        SqliteStore(tmp_path / "kb.db")


def _write_on(path: Path, log: Path) -> None:
    store = SqliteStore(path)
    number = 0
    while True:
        name = f"文{number % 7}"
        put(store, name, f"{name}的第{number}稿。" * 60, str(number))
        with log.open("a", encoding="utf-8") as kept:
            kept.write(f"{name} {number}\n")
            kept.flush()
            os.fsync(kept.fileno())
        number += 1


def test_killed_twenty_times_it_has_what_it_acknowledged_and_nothing_half(tmp_path: Path):
    path, log, dice = tmp_path / "kb.db", tmp_path / "log", random.Random(0)
    for _ in range(20):
        log.write_text("", encoding="utf-8")
        process = multiprocessing.get_context("fork").Process(target=_write_on, args=(path, log))
        process.start()
        while log.stat().st_size == 0 and process.is_alive():
            time.sleep(0.002)
        time.sleep(dice.random() * 0.05)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        acknowledged = dict(
            line.split() for line in log.read_text(encoding="utf-8").splitlines() if " " in line
        )
        store = SqliteStore(path)
        digests = store.digests()
        for name, number in acknowledged.items():
            assert int(digests[name]) >= int(number)
        for name, number in digests.items():
            assert store.text(name) == f"{name}的第{number}稿。" * 60
            assert search(store, f"{name}的第{number}稿", 50)
        store.close()
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            database.execute("INSERT INTO lexicon (lexicon) VALUES ('integrity-check')")
