"""Rows become a data set: repeats, leaks, splits, people."""

from __future__ import annotations

import pytest

from custome.corpus.dataset import (
    canonical_cues,
    characters,
    drop_leaks,
    drop_repeats,
    held_out,
    portraits,
    with_units,
)
from custome.corpus.dialogue import WINDOW_TURNS, dialogues
from custome.types import Sample, Utterance


def row(
    quote: str,
    chapter: int = 1,
    context: str = "甲曰：",
    *,
    speaker: str = "甲",
    mention: str = "甲",
    at: int = 0,
) -> Utterance:
    return Utterance(
        novel="n",
        chapter=chapter,
        offset=at,
        end=at + len(quote),
        context=context,
        quote=quote,
        mention=mention,
        speaker=speaker,
    )


def test_repeats_go_and_the_first_stays():
    rows = [row("“一二三”"), row("“四五六”"), row("“一二三”", chapter=2)]
    assert [(u.quote, u.chapter) for u in drop_repeats(rows)] == [("“一二三”", 1), ("“四五六”", 1)]


def test_leaks_are_found_whether_exact_or_near():
    train = [row("“今夜三更可取粮草，不可有误。”")]
    exact, near, other = (
        row("“今夜三更可取粮草不可有误”"),
        row("“今夜三更可取粮草，不可耽误。”"),
        row("“明日再来与你说话。”"),
    )
    assert drop_leaks([exact, near, other], train) == [other]


def units(rows: list[Utterance]) -> list[tuple[str, int, int]]:
    return [unit for unit, _ in with_units(rows)]


def test_the_split_is_by_chapter_and_always_the_same():
    rows = [row(f"“{c}”", chapter=c) for c in range(1, 101) for _ in range(3)]
    valid, test = held_out(units(rows), 0.05)
    assert len(valid) == len(test) == 5 and not valid & test
    assert (valid, test) == held_out(units(rows[::-1]), 0.05)


@pytest.mark.parametrize("count", [1, 30, 200])
def test_a_book_of_few_chapters_is_split_by_blocks(count: int):
    rows = [row(f"“{i}”", chapter=1) for i in range(count)]
    valid, test = held_out(units(rows), 0.05)
    out = [u for unit, u in with_units(rows) if unit in valid | test]
    assert len(out) < count and bool(valid) == (count > 20) and bool(test) == (count > 40)


def test_characters_prefer_a_cue_of_two_characters_and_are_people():
    rows = [row("", speaker="曹操", mention=m) for m in ["操"] * 9 + ["曹公"] * 2] + [
        row("", speaker="群体")
    ] * 20
    assert [(c.name, c.cue, c.utterances) for c in characters(rows)] == [("曹操", "曹公", 11)]
    assert [c.cue for c in characters(rows[:9] * 2)] == ["曹操"]
    assert characters(rows[:9]) == []


def test_portraits_know_partners_chapters_and_openings():
    talk = [
        row("“哥哥，来。”", chapter=c, speaker=who, mention=who)
        for c in (1, 2)
        for _ in range(6)
        for who in ("甲某", "乙某")
    ]
    first = portraits(talk, {"甲某": ("老甲",)})[0]
    assert (first.name, first.aliases, first.chapters, first.speaks_to) == (
        "甲某",
        ("老甲",),
        2,
        (("乙某", 10),),
    )
    assert first.openings == ("哥哥",)


@pytest.mark.parametrize(
    ("context", "mention", "expected"),
    [
        ("操曰：", "操", "曹操曰："),
        ("曹操曰：", "操", "曹操曰："),
        ("操大喜，谓众将曰：", "操", "曹操大喜，谓众将曰："),
        ("帐中饮酒。遂问曰：", "", "帐中饮酒。曹操遂问曰："),
        ("孟德曰：", "孟德", "曹操曰："),
    ],
)
def test_the_canonical_name_goes_into_the_cue(context: str, mention: str, expected: str):
    sample = canonical_cues(Sample(context=context, chat="“来。”", speaker="曹操", mention=mention))
    assert (sample.context, sample.mention) == (expected, "曹操")
    crowd = Sample(context="众曰：", chat="“来。”", speaker="群体", mention="众")
    assert canonical_cues(crowd) == crowd


def test_scenes_become_dialogues_in_overlapping_windows():
    talk = [
        row(f"“{i}”", context=f"{'门前下雪。' if i == 0 else ''}甲曰：", at=10 * i)
        for i in range(12)
    ]
    talk += [row("“远”", at=5_000), row("“近”", at=5_010), row("“独”", chapter=2)]
    found = dialogues(talk)
    assert [len(d.turns) for d in found] == [WINDOW_TURNS, 6, 2]
    assert found[0].scene == "门前下雪。" and found[0].turns[0].cue == "甲曰："
    assert [t.text for t in found[1].turns][:2] == [t.text for t in found[0].turns][-2:]
