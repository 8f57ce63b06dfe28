"""What is shown is proven: quotations stand in the documents, numbers and names in the quotations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custome.apps.knowledge.answering import NEAREST_ARE, NOTHING, Answer
from custome.apps.knowledge.answering import answer as answer_from
from custome.apps.knowledge.checking import numbers, unproven
from custome.engine.base import Cancel, Engine, OnPiece
from custome.engine.scripted import ScriptedEngine
from custome.retrieval.chunks import Place, chunks
from custome.retrieval.search import search
from custome.retrieval.sqlite import SqliteStore
from custome.retrieval.store import Document
from custome.types import GenerateOptions, Piece, Reply, Request, TokenChoice


def answer(store: SqliteStore, model: Engine | None, question: str, **options: Any) -> Answer:
    """Of what is found for a question."""
    return answer_from(search(store, question), model, question, **options)


SENTENCE = "渡口的末班船晚上八点开，船票五元一张。"
TEXT = "渡口的末班船晚上八点开，船票五元一张。船夫叫钱勇，在这里撑了三十年船。雨天停航。"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "kb.db")
    places = (Place(start=0, heading=("船期",)),)
    made.add(Document(name="船期.md", text=TEXT, places=places), chunks(TEXT, places))
    yield made
    made.close()


Model = ScriptedEngine
"""Says what it is given."""


def says(text: str, *sentences: int) -> str:
    return "".join(f"[{number}]" for number in sentences) + f" {text}"


def test_a_proven_answer_is_shown_with_its_place(store: SqliteStore):
    model = Model([says("末班船晚上8点开。", 1)])
    given = answer(store, model, "最后一班船几点？")
    assert (given.kind, given.text) == ("checked", "末班船晚上8点开。")
    (one,) = given.citations
    assert TEXT[one.start : one.end] == one.quote == SENTENCE
    assert len(model.requests) == 1 and SENTENCE in model.requests[0].messages[-1].content


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (says("晚上九点。", 1), "9"),
        (says("孙大郎撑船。", 2), "孙大郎"),
        (says("没有写到"), "没有回答"),
        (says("天上有星星。", 1), "没有"),
        ("[1]", "没有回答"),
        (says("末班船几点开？谁撑船？", 1, 2), "没有回答"),
        (says("是矣！", 1), "没有回答"),
    ],
)
def test_what_is_not_proven_is_not_shown(store: SqliteStore, said: str, why: str):
    model = Model([said])
    given = answer(store, model, "末班船几点开？谁撑船？", names={"孙大郎": [], "钱勇": []})
    assert given.kind == "nearest" and given.text.startswith(NEAREST_ARE)
    assert all(TEXT[one.start : one.end].strip() == one.quote for one in given.citations)
    assert why in given.problems[0]


@pytest.mark.parametrize("named", [[], [3], [99, 0]])
def test_the_sentences_that_prove_it_are_found_whatever_the_model_named(
    store: SqliteStore, named: list[int]
):
    given = answer(store, Model([says("在这里撑了三十年。", *named)]), "钱勇撑了多久的船？")
    assert given.kind == "checked"
    assert "船夫叫钱勇，在这里撑了三十年船。" in [one.quote for one in given.citations]


def test_nothing_is_found(store: SqliteStore):
    model = Model([says("x", 1)])
    given = answer(store, model, "飞机")
    assert (given.kind, given.text, model.requests) == ("nothing", NOTHING, [])


def test_without_a_model_the_nearest_sentences(store: SqliteStore):
    given = answer(store, None, "船票多少钱？")
    assert given.kind == "nearest" and "船票五元一张" in given.text


def test_numbers_in_both_writings():
    assert numbers("三十五元，２万，一九四九年，1.5 升") == {
        (35, "元"),
        (20_000, ""),
        (1949, "年"),
        (1.5, "升"),
    }
    assert numbers("二百五十万零三") == {(2_500_003, "")}
    assert numbers("2,000块，1.5万元，两日") == {(2000, "元"), (15_000, "元"), (2, "天")}
    assert numbers("一个人，万一坏了千万别拆，三五天") == set()
    assert numbers("一" + "亿" * 40)  # nonsense costs nothing


def test_what_is_not_proven():
    names = {"钱勇": ["老钱"], "孙大郎": []}
    asked = "钱勇是谁"
    assert unproven("钱勇撑了30年", ["在这里撑了三十年船"], asked, names) == []
    assert unproven("老钱撑船", ["老钱撑船"], "谁", names) == []
    assert unproven("钱勇撑船", ["老钱撑船"], "谁", names) == []  # by another name
    assert unproven("孙大郎撑了31年", ["撑了三十年"], asked, names) == ["31年", "孙大郎"]


@pytest.mark.parametrize(
    ("question", "quote", "said"),
    [
        ("保修期是五年吗？", "本产品的保修期为三年。", "是的，保修期是五年。"),
        ("保修多久？", "本产品的保修期为三年。", "保修三个月。"),
        ("保修多久？", "本产品的保修期为三年。", "保修一年。"),
        ("多少钱？", "售价为2,000元，不含运费。", "售价2元。"),
        ("多少钱？", "全套售价1.5万元整。", "售价1.5元。"),
        ("几天能退？", "可在115天以内申请退货。", "15天以内申请退货。"),
        ("免费修吗？", "人为损坏不属于免费保修的范围。", "属于，免费保修。"),
        ("能退货吗？", "拆开以后不可退货退款。", "可以退货。"),
        ("凶手是谁？", "那天晚上下了很大的雨。", "凶手是管家。"),
        ("凶手是谁？", "那天晚上下了很大的雨。", "资料中并未提及凶手。"),
    ],
)
def test_what_the_quotation_does_not_say(tmp_path: Path, question: str, quote: str, said: str):
    store = SqliteStore(tmp_path / "other.db")
    store.add(Document(name="a", text=quote), chunks(quote, ()))
    given = answer_from(search(store, quote), Model([says(said, 1)]), question)
    assert given.kind != "checked", given.text
    store.close()


def test_stopped_is_not_refused(store: SqliteStore):
    cancel = Cancel()
    cancel.set()
    given = answer(store, Model([says("八点。", 1)]), "末班船几点开？", cancel=cancel)
    assert given.kind == "nearest" and not given.text.startswith(NEAREST_ARE)


def first_word(word: str, *others: tuple[str, float]) -> TokenChoice:
    """The word a model begins with, and what it might have said."""
    alternatives = tuple(TokenChoice(token=one, logprob=at, data=b"") for one, at in others)
    return TokenChoice(token=word, logprob=-0.3, data=b"", alternatives=alternatives)


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ((("[", -0.3), ("没有", -4.0)), "checked"),
        ((("[", -0.3), ("没有", -1.0)), "nearest"),
        ((("[", -0.3),), "checked"),
        ((("{", -9.0), ("没有", -8.0)), "checked"),
    ],
)
def test_an_answer_that_was_nearly_a_refusal_is_not_believed(
    store: SqliteStore, others: tuple[tuple[str, float], ...], kind: str
):
    class Doubting(ScriptedEngine):
        supports = ScriptedEngine.supports | {"logprobs"}

        def run(
            self,
            request: Request,
            options: GenerateOptions,
            on_piece: OnPiece | None = None,
            cancel: Cancel | None = None,
        ) -> Reply:
            assert options.logprobs and on_piece is not None
            on_piece(Piece(text="[", tokens=(first_word("[", *others),)))
            return super().run(request, options, None, cancel)

    given = answer(store, Doubting([says("晚上八点。", 1)]), "末班船几点开？")
    assert given.kind == kind


@pytest.mark.parametrize(
    ("question", "kind"),
    [("钱勇撑船多久？", "checked"), ("钱大嫂撑船多久？", "nearest"), ("撑船多久？", "checked")],
)
def test_who_is_asked_of_stands_in_the_passage(store: SqliteStore, question: str, kind: str):
    names: dict[str, list[str]] = {"钱勇": [], "钱大嫂": ["钱嫂"]}
    given = answer(store, Model([says("撑了三十年。", 2)]), question, names=names)
    assert given.kind == kind


def test_sentences_that_have_nothing_of_the_question(store: SqliteStore):
    question = "雨天停什么？"
    said = says("钱勇在这里撑了三十年船。", 2)
    hits = search(store, question)
    assert answer_from(hits, Model([said]), question).kind == "nearest"
    near = [replace(hit, meant=0.9) for hit in hits]  # found by its meaning
    assert answer_from(near, Model([said]), question).kind == "checked"
