"""Passages as vectors, on every store: what has no word in common is found, vectors come and go with their passages."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from custome.engine.scripted import ScriptedEmbedder
from custome.errors import EngineError
from custome.reporter import NullReporter
from custome.retrieval import search as finding
from custome.retrieval import vectors
from custome.retrieval.chunks import Place, chunks
from custome.retrieval.search import search
from custome.retrieval.sqlite import SqliteStore
from custome.retrieval.store import Document, KnowledgeStore
from custome.retrieval.vectors import embed, meaning_of

FARE, TEA = "船票五元一张。", "龙井茶产在湖边。"
COST = ("船票", "车马费")
QUIET = NullReporter()


def put(store: KnowledgeStore, name: str, text: str) -> None:
    store.add(
        Document(name=name, text=text, places=(Place(start=0, heading=()),)), chunks(text, ())
    )


def embedder(key: str = "scripted") -> ScriptedEmbedder:
    return ScriptedEmbedder(COST, ("茶", "饮品"), key=key)


def by_meaning(store: KnowledgeStore, question: str, model: ScriptedEmbedder) -> list[str]:
    return [
        hit.passage.name for hit in search(store, question, meaning=meaning_of(question, model))
    ]


def test_what_has_no_word_in_common_is_found(store: KnowledgeStore):
    put(store, "票", FARE)
    put(store, "茶", TEA)
    model = embedder()
    assert embed(store, model, QUIET) == 2 and embed(store, model, QUIET) == 0
    assert search(store, "车马费是多少") == []
    (first, _) = search(store, "车马费是多少", meaning=meaning_of("车马费是多少", model))
    assert first.passage.name == "票" and first.meant > 0.9 and first.own == 0


def test_words_and_meaning_count_together(store: KnowledgeStore):
    put(store, "票", FARE)
    put(store, "茶", TEA)
    model = embedder()
    embed(store, model, QUIET)
    assert by_meaning(store, "湖边", model)[0] == "茶"  # a word, no meaning
    assert by_meaning(store, "车马费", model)[0] == "票"  # a meaning, no word


def test_passages_without_a_vector_are_still_found_by_words(store: KnowledgeStore):
    put(store, "票", FARE)
    model = embedder()
    embed(store, model, QUIET)
    put(store, "茶", TEA)
    assert "茶" in by_meaning(store, "龙井茶", model)
    assert embed(store, model, QUIET) == 1


def test_while_vectors_are_made_those_that_have_one_do_not_come_first(
    store: KnowledgeStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(finding, "MEANT", 1.5)
    put(store, "旧", "船票十元一张。")
    put(store, "茶", TEA)
    model = embedder()
    embed(store, model, QUIET)
    assert store.has_every_vector(model.key)
    put(store, "新", "孩子的船票半价。")
    assert not store.has_every_vector(model.key)
    assert by_meaning(store, "孩子的车马费", model)[0] == "新"
    monkeypatch.setattr(type(store), "has_every_vector", lambda *_: True)
    assert by_meaning(store, "孩子的车马费", model)[0] == "旧"  # as if it were far from everything


def test_vectors_go_with_their_passages(store: KnowledgeStore):
    put(store, "票", FARE)
    model = embedder()
    embed(store, model, QUIET)
    put(store, "票", "今天没有船。")
    vector = model.question("车马费")
    assert store.nearest(model.key, vector) == []
    embed(store, model, QUIET)
    assert store.nearest(model.key, vector)[0].score < 0.5
    store.remove("票")
    assert store.nearest(model.key, vector) == [] and store.without_vector(model.key) == []


def test_what_changed_while_its_vector_was_made_gets_none(store: KnowledgeStore):
    put(store, "票", FARE)

    class Slow(ScriptedEmbedder):
        def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            put(store, "票", "今天没有船。")
            return super().passages(texts)

    model = Slow(COST)
    embed(store, model, QUIET)
    assert store.nearest(model.key, model.question("船票")) == []


def test_nothing_that_comes_later_is_near(store: KnowledgeStore):
    put(store, "票", FARE)
    model = embedder()
    embed(store, model, QUIET)
    assert store.nearest(model.key, model.question("车马费"), until={"票": 0}) == []
    assert store.nearest(model.key, model.question("车马费"), until={"票": 99})


def test_the_vectors_of_two_embedders_are_never_mixed(store: KnowledgeStore):
    put(store, "票", FARE)
    one, other = embedder("甲"), embedder("乙")
    embed(store, one, QUIET)
    assert store.nearest(other.key, other.question("船票")) == []
    assert by_meaning(store, "船票", other) == ["票"]  # by its words
    embed(store, other, QUIET)
    store.forget_vectors(other.key)
    assert store.nearest(one.key, one.question("船票")) == []
    assert store.nearest(other.key, other.question("船票"))


def test_stopped_or_broken_off_it_goes_on(store: KnowledgeStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vectors, "AT_ONCE", 2)
    for number in range(5):
        put(store, f"票{number}", FARE)
    model = embedder()
    assert embed(store, model, QUIET, stop=lambda: len(model.read) > 2) == 4

    class Broken(ScriptedEmbedder):
        def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
            raise EngineError("断了", "再来")

    with pytest.raises(EngineError, match="断了"):
        embed(store, Broken(COST), QUIET)
    assert embed(store, model, QUIET) == 1 and len(model.read) == 5


def test_a_base_of_the_last_release_gets_vectors(tmp_path: Path):
    store = SqliteStore(tmp_path / "kb.db")
    put(store, "票", FARE)
    store.close()
    with sqlite3.connect(tmp_path / "kb.db") as database:
        database.execute("DROP TABLE vectors")
    model, again = embedder(), SqliteStore(tmp_path / "kb.db")
    assert embed(again, model, QUIET) == 1 and again.nearest(model.key, model.question("船票"))


def test_another_process_sees_new_vectors(tmp_path: Path):
    here, there = SqliteStore(tmp_path / "kb.db"), SqliteStore(tmp_path / "kb.db")
    put(here, "票", FARE)
    model = embedder()
    assert there.nearest(model.key, model.question("船票")) == []
    embed(here, model, QUIET)
    assert there.nearest(model.key, model.question("船票"))
