"""A brief is read whole and its contradictions are told at once, both lines of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from custome.apps.novel.brief import Brief, Person, Promise, Secret, read_brief, write_brief
from custome.errors import DataError, InputError

BRIEF = Brief(
    title="夜渡",
    premise="镖师沈青护送一只木匣过江，匣里是一封血书。",
    chapters=8,
    people=(
        Person(name="沈青", aliases=("沈镖头",), role="镖师", gender="男"),
        Person(name="阿蛮", role="船家女", gender="女", enters=2),
        Person(name="顾老板", role="客店老板", dies=6),
    ),
    secrets=(Secret(what="匣里是血书", words=("木匣", "血书"), known_to=("沈青",)),),
    promises=(Promise(what="匣上的烙印", words=("烙印",), planted=1, paid=7),),
    forbidden=("手机",),
)


def test_written_and_read_again_it_is_the_same(tmp_path: Path):
    assert BRIEF.problems() == []
    write_brief(tmp_path / "novel.yaml", BRIEF)
    text = (tmp_path / "novel.yaml").read_text(encoding="utf-8")
    assert "书名: 夜渡" in text and "第几回出场: 2" in text
    assert read_brief(tmp_path / "novel.yaml") == BRIEF


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"chapters": 0}, ["回数：0"]),
        ({"chapters": 10_000}, ["回数：10,000"]),
        ({"length": 10}, ["每回字数：10"]),
        ({"premise": " "}, ["一句话"]),
        (
            {"people": (Person(name="沈青"), Person(name="阿蛮", aliases=("沈青",)))},
            ["都叫 '沈青'"],
        ),
        ({"people": (Person(name="沈青"), Person(name="先生"))}, ["'先生' 是常用的词"]),
        ({"people": (Person(name="沈青"), Person(name="青"))}, ["只有一个字"]),
        ({"people": (Person(name="沈青", enters=5, dies=3),)}, ["第 3 回死；第 5 回出场"]),
        ({"people": (Person(name="沈青", enters=9),)}, ["第 9 回出场；回数：8"]),
        ({"people": (Person(name="沈青", dies=9),)}, ["第 9 回死；回数：8"]),
        ({"people": (Person(name="阿蛮"),)}, ["知道的人 '沈青' 不在人物里"]),
        (
            {"forbidden": ("沈镖头", "烙印")},
            ["人物：'沈青' 就叫这个", "关键词 '烙印'；不许出现：'烙印'"],
        ),
        (
            {"promises": (Promise(what="印", words=(), planted=7, paid=2),)},
            ["第 2 回收；第 7 回埋", "没有写关键词"],
        ),
    ],
)
def test_what_contradicts_itself(changed: dict[str, object], told: list[str]):
    problems = replace(BRIEF, **changed).problems()  # type: ignore[arg-type]
    assert all(any(one in problem for problem in problems) for one in told), problems


def test_a_cast_of_three_hundred():
    people = tuple(Person(name=f"甲{number:03}") for number in range(300))
    assert replace(BRIEF, people=(*people, *BRIEF.people)).problems() == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("书名: 夜渡", "没有写 一句话"),
        ("书名: 夜渡\n一句话: x\n回数: 三", "回数 写的是 '三'"),
        ("书名: 夜渡\n一句话: x\n结局: 好", "不认识 '结局'，可以写 书名"),
        ("书名: 夜渡\n一句话: x\n人物:\n- 身份: 镖师", "第 1 个人物：没有写 姓名"),
        ("书名: 夜渡\n一句话: x\n人物: 沈青", "人物：应是一列"),
        ("书名: 夜渡\n一句话: x\n人物:\n- 沈青", "第 1 个人物：应写成"),
        ("书名: 夜渡\n一句话: x\n人物:\n- {姓名: 沈青, 性别: 它}", "性别 写的是 '它'"),
        ("书名: [", "不是 YAML"),
        ("- 甲", "设定：应写成"),
        ("书名: !!python/object/apply:os.system [ls]\n一句话: x", "不是 YAML"),
    ],
)
def test_a_file_with_faults(tmp_path: Path, text: str, told: str):
    (tmp_path / "novel.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told.replace("[", r"\[")):
        read_brief(tmp_path / "novel.yaml")


def test_no_file(tmp_path: Path):
    with pytest.raises(InputError, match="小说设定"):
        read_brief(tmp_path / "novel.yaml")
