"""Conversations an instruct model learns from: the book's own answers and ours, in the person's words."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from custome.apps.cosplay.card import Card
from custome.apps.cosplay.casting import company_of
from custome.apps.cosplay.lessons import (
    TURNS,
    Answered,
    Manner,
    answers,
    conversations,
    introductions,
    manner_of,
    questions_of,
)
from custome.apps.cosplay.prompt import Said, Setting, put_plainly
from custome.apps.cosplay.responder import Responder
from custome.corpus.cast import Cast, Line
from custome.engine.scripted import ScriptedEngine
from custome.evaluation.persona import questions, seed_prompts
from custome.types import Exchange, GenerateOptions, Portrait, Sample

BLUNT = [
    "俺怕甚鸟！打便打！",
    "拿酒来！俺先吃三碗！",
    "怕他怎的！俺一拳打倒！",
    "快走！休要啰嗦！",
    "俺不去！谁敢叫俺去！",
]
LEARNED = [
    "吾观天下之势，当徐图之。",
    "此计甚妙，然不可轻动。",
    "夫用兵者，先知其形，而后制其势。",
    "吾已知之，可遣人往。",
    "既如此，当从其议。",
]


def company():
    people, lines = [], []
    for name, said in (("牛大", BLUNT), ("文先生", LEARNED)):
        people.append(
            Portrait(
                name=name, cue=name, utterances=9, aliases=(), chapters=3, speaks_to=(), openings=()
            )
        )
        for number in range(6):
            lines += [
                Line(
                    speaker=name,
                    text=text,
                    asked=f"第{number}件事，如何？",
                    novel="书",
                    chapter=number,
                )
                for text in said
            ]
    return company_of(Cast(people=tuple(people), lines=tuple(lines)))


def test_a_conversation_is_one_persons_and_says_who_answers_once():
    made = conversations(company(), 40, seed=1, people=2)
    assert len(made) == 40 and {one.speaker for one in made} == {"牛大", "文先生"}
    for one in made:
        assert one.persona_prefix.count(f"你就是{one.speaker}") == 1 and all(
            part.speaker == one.speaker for part in one.earlier
        )
        shown = re.findall(r"说过：“([^”]*)”", one.persona_prefix)
        assert not set(shown) & {
            one.chat,
            *(part.chat for part in one.earlier),
        }  # nothing to copy from
    book = {*BLUNT, *LEARNED}
    said = [part.chat for one in made for part in (*one.earlier, one)]
    assert 0.15 < sum(text in book for text in said) / len(said) < 0.4
    assert conversations(company(), 40, seed=1, people=2) == made


def test_everybody_answers_in_their_own_manner_and_words():
    blunt, learned = Manner(BLUNT), Manner(LEARNED)
    taken = [
        [Manner(lines).suits(Counter(text)) for text in ("怕甚么！打！", "当先知其势，而后动。")]
        for lines in (BLUNT, LEARNED)
    ]
    assert taken[0][0] > taken[0][1] and taken[1][1] > taken[1][0]
    answered = Answered("？", ("{我}怕甚！打！", "{我}观其势，{你}当先动。"))
    assert blunt.answer(answered, "俺") == "俺怕甚！打！"
    assert learned.answer(answered, "吾").startswith("吾观其势，") and "{" not in learned.answer(
        answered, "吾"
    )


def test_whoever_leans_to_a_manner_more_than_the_others_of_the_book_has_it_always():
    people = company()
    learned, blunt = (manner_of(people, name).always for name in ("文先生", "牛大"))
    assert blunt == 1 and learned != 1
    assert Manner(BLUNT).always is None  # beside nobody


def test_everybody_learns_who_they_are_and_who_they_are_not():
    made = conversations(company(), 200, seed=1, people=2, own=0.0)
    asked = {one.asked for one in answers()}
    named = [
        (one.speaker, part.context, part.chat)
        for one in made
        for part in (*one.earlier, one)
        if part.context.removesuffix("你怎么看？") not in asked
    ]
    assert 0.05 < len(named) / (200 * TURNS) < 0.2
    other = {"牛大": "文先生", "文先生": "牛大"}
    for who, question, answer in named:
        assert not set("{}") & set(question + answer)
        assert not re.search(
            rf"(?<!不)[是乃叫便]{other[who]}[。，！]",
            re.sub(f"{other[who]}自?是{other[who]}", "", answer),
        ), answer
    assert {who for who, _, answer in named if who in answer} == set(other)


def test_a_question_about_a_name_that_somebody_lacks_is_not_asked():
    made = conversations(
        company(), 200, seed=1, people=2, own=0.0
    )  # nobody has a second name or talks to anybody
    said = "".join(part.context + part.chat for one in made for part in (*one.earlier, one))
    assert "人称" not in said and "说话最多" not in said


def test_the_answers_are_whole_and_ask_nothing_that_is_measured_with():
    measured = {question.text.rstrip("？。") for question in questions()} | {
        row["context"] for row in seed_prompts()
    }
    assert len(answers()) >= 150 and len({one.asked for one in answers()}) == len(answers())
    for one in (*answers(), *introductions()):
        slots = (
            {"{我}", "{你}"}
            if one in answers()
            else {"{我}", "{你}", "{名}", "{号}", "{旁人}", "{熟人}"}
        )
        assert one.asked.rstrip("？。") not in measured, one.asked
        assert len(one.said) == 4 and all(6 <= len(text) <= 60 for text in one.said), one
        assert set(re.findall(r"{[^}]*}", "".join(one.said))) <= slots


def test_what_was_held_out_is_asked_the_same_way():
    scene = Sample(
        context="文先生曰：",
        chat="“可。”",
        speaker="文先生",
        earlier=(Exchange(context="牛大曰：", chat="“去么？”", speaker="牛大"),),
    )
    (asked,) = questions_of(
        [scene, Sample(context="文先生曰：", chat="“可。”", speaker="文先生")], company()
    )
    assert (asked.context, asked.chat, asked.earlier) == (
        "去么？",
        "“可。”",
        (),
    ) and "你就是文先生" in asked.persona_prefix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("三国归晋", "三国归晋。你怎么看？"),
        ("怎样才能国富民强", "怎样才能国富民强？"),
        ("救名画还是救猫", "救名画还是救猫？"),
        ("今天真好！", "今天真好！"),
        ("你好。", "你好。"),
        ("hello", "hello"),
        ("", ""),
        ("你吃了吗", "你吃了吗？"),
    ],
)
def test_a_question_has_its_mark_and_a_heading_asks_for_an_opinion(text: str, expected: str):
    assert put_plainly(text) == expected and put_plainly(expected) == expected


def test_before_a_conversation_an_instruct_model_is_shown_answers_in_the_persons_manner():
    engine = ScriptedEngine()
    engine.kind = "template"
    people = company()
    said = [Said(name="客", text="我的钱包掉进河里了", by_user=True)]
    read = [
        Responder(engine, people).prompt(name, said, Setting(), GenerateOptions()).request
        for name in ("牛大", "文先生")
    ]
    for request in read:
        assert [one.role for one in request.messages] == [
            "system",
            *["user", "assistant"] * 3,
            "user",
        ]
        asked = [one.content for one in request.messages if one.role == "user"]
        assert asked[-1].startswith("我的钱包掉进河里了")
    assert (
        read[0].messages[2].content == "俺便是牛大。" and read[0].messages[4] != read[1].messages[4]
    )  # in their own manner
    later = [
        *said,
        Said(name="牛大", text="捞！"),
        Said(name="客", text="再讲讲你的兄弟", by_user=True),
    ]
    more = Responder(engine, people).prompt("牛大", later, Setting(), GenerateOptions()).request
    assert more.messages[:8] == read[0].messages  # read once
    engine.kind = "novel"
    assert (
        len(
            Responder(engine, people)
            .prompt("牛大", said, Setting(), GenerateOptions())
            .request.messages
        )
        == 1
    )


def test_a_stranger_of_no_book_is_shown_nobodys_answers():
    engine = ScriptedEngine()
    engine.kind = "template"
    responder = Responder(engine, company(), {"Alice": Card(name="Alice")})
    said = [Said(name="客", text="我的钱包掉进河里了", by_user=True)]
    assert len(responder.prompt("Alice", said, Setting(), GenerateOptions()).request.messages) == 2
