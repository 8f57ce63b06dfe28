"""Keys in Chinese text, order and budget, story time, and expressions that are not used unless asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custome.apps.cosplay.lorebook import Entry, Lorebook, dump_book, read_book, recall, within
from custome.errors import DataError


def names(book: Lorebook, *texts: str, **options):
    return [one.entry.name for one in recall(book, texts, **options)]


PLACES = Lorebook(
    scan_depth=2,
    entries=(
        Entry(keys=("荆州", "襄阳"), content="在江北", name="荆州", order=2),
        Entry(keys=("孔明", "诸葛亮"), content="号卧龙", name="孔明", order=1, chapter=36),
        Entry(keys=("AI",), content="x", name="拉丁", order=3),
        Entry(
            keys=("马",),
            secondary_keys=("赤兔", "的卢"),
            selective=True,
            content="x",
            name="名马",
            order=4,
        ),
        Entry(keys=("无",), constant=True, content="x", name="常驻", order=0),
        Entry(keys=("荆州",), enabled=False, content="x", name="关着", order=5),
    ),
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("荆州如何？", ["常驻", "荆州"]),
        ("我到了襄陽城", ["常驻", "荆州"]),  # traditional, inside a word
        ("请孔明先生", ["常驻", "孔明"]),
        ("ｅａｓｙ ai 吗", ["常驻", "拉丁"]),
        ("骑马来", ["常驻"]),
        ("骑马来，是赤兔", ["常驻", "名马"]),
        ("没什么", ["常驻"]),
    ],
)
def test_keys_are_found_in_chinese_without_word_boundaries(text: str, found: list[str]):
    assert names(PLACES, text) == found


def test_only_the_latest_messages_are_looked_at():
    assert "荆州" not in names(PLACES, "荆州", "一", "二") and "荆州" in names(PLACES, "荆州", "二")


def test_as_of_a_chapter_nobody_knows_what_comes_later():
    assert "孔明" in names(PLACES, "孔明") and "孔明" in names(PLACES, "孔明", as_of=36)
    assert "孔明" not in names(PLACES, "孔明", as_of=35)


def test_why_an_entry_fired_is_told():
    assert [one.why for one in recall(PLACES, ["骑马来，是赤兔"])] == ["常驻", "说到“马”和“赤兔”"]


def test_expressions_are_off_unless_asked_for():
    book = Lorebook(
        entries=(
            Entry(keys=("/曹(操|丕)/",), content="x", name="式"),
            Entry(keys=("曹.",), use_regex=True, content="x", name="明说"),
            Entry(keys=("/(/",), use_regex=True, content="x", name="坏的"),
        )
    )
    assert names(book, "曹操") == [] and names(book, "曹操", regex=True) == ["式", "明说"]


def test_the_budget_leaves_out_what_matters_least():
    fired = recall(
        Lorebook(
            entries=tuple(
                Entry(keys=("x",), content=c * 10, name=c, priority=p)
                for c, p in (("甲", 1), ("乙", 9), ("丙", 5))
            )
        ),
        ["x"],
    )
    assert [one.entry.name for one in within(fired, 20, len)] == ["乙", "丙"]
    assert within(fired, 5, len) == []


def test_world_files_with_an_object_of_entries_are_read():
    book = read_book(
        {
            "entries": {
                "0": {
                    "key": ["酒"],
                    "keysecondary": [],
                    "content": "三碗",
                    "comment": "酒",
                    "disable": False,
                    "order": 7,
                }
            }
        },
        "x",
    )
    assert (book.entries[0].keys, book.entries[0].order, book.entries[0].name) == (("酒",), 7, "酒")
    assert [replace(e, rest={}) for e in read_book(dump_book(PLACES), "x").entries] == list(
        PLACES.entries
    )


@pytest.mark.parametrize("raw", [None, [], {"entries": [1]}, {"entries": [{"keys": [1]}]}])
def test_another_shape_is_refused(raw):
    with pytest.raises(DataError):
        read_book(raw, "x")
