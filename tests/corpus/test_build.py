"""Whole corpora: folders, edits, messy books, and any text at all."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custome.corpus.aliases import read_table, write_table
from custome.corpus.build import build, rebuild
from custome.corpus.dialogue import extract
from custome.corpus.fixing import edited
from custome.corpus.page import write_page
from custome.corpus.script import convert
from custome.corpus.text import Novel
from custome.errors import DataError, InputError
from custome.reporter import NullReporter
from tiny import PEOPLE, make_tiny_novel

# The public example of the original README.
SEED_TEXT = "第三回　某回目\n\n\t进得诏便行。主簿陈琳谏曰：“太后此诏，必是十常侍之谋，切不可去。去必有祸。”进曰：“太后诏我，有何祸事？”\n"


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_seeds_own_example_comes_out_character_for_character():
    first, second = extract(
        Novel(name="sanguo", text=SEED_TEXT.replace("\t", "　　何进大喜。\n"))
    ).utterances
    assert (first.context, first.quote) == (
        "进得诏便行。主簿陈琳谏曰：",
        "“太后此诏，必是十常侍之谋，切不可去。去必有祸。”",
    )
    assert (first.speaker, second.context, second.speaker) == ("陈琳", "进曰：", "何进")


def test_building_a_corpus_twice_gives_the_same_bytes(tiny_novel: Path, tmp_path: Path):
    one = build([tiny_novel], tmp_path / "one" / "c", NullReporter())
    build([tiny_novel], tmp_path / "two" / "c", NullReporter())
    names = sorted(
        str(p.relative_to(tmp_path / "one")) for p in (tmp_path / "one").rglob("*") if p.is_file()
    )
    assert len(names) == 15
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), (
            name
        )
    funnel = one.funnel
    dropped = sum(count for name, count in funnel.items() if name.startswith("弃："))
    assert (
        funnel["引文"] == dropped + one.train + one.valid + one.test
    )  # every quotation is accounted for
    first = rows(tmp_path / "one" / "c" / "train.jsonl")[0]
    assert list(first) == [
        "context",
        "chat",
        "speaker",
        "mention",
        "novel",
        "chapter",
        "offset",
        "kind",
    ]
    assert tiny_novel.read_text(encoding="utf-8")[first["offset"] :].startswith(first["chat"])
    assert {row["speaker"] for row in rows(tmp_path / "one" / "c" / "train.jsonl")} == set(PEOPLE)
    seed = rows(tmp_path / "one" / "c" / f"{tiny_novel.stem}_qa.json")
    assert all(list(row) == ["context", "chat"] for row in seed)


def test_several_books_in_parallel_are_the_same_as_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("custome.corpus.build.PARALLEL_FROM_BYTES", 1)
    books = [make_tiny_novel(tmp_path / f"{name}.txt") for name in ("上", "下")]
    build(books, tmp_path / "a" / "both", NullReporter(), processes=2)
    build(books, tmp_path / "b" / "both", NullReporter(), processes=1)
    for name in ("utterances.jsonl", "both_train.json", "both_valid.json", "corpus.json"):
        assert (tmp_path / "a" / "both" / name).read_bytes() == (
            tmp_path / "b" / "both" / name
        ).read_bytes()


def test_two_books_of_one_name_are_refused(tmp_path: Path, tiny_novel: Path):
    with pytest.raises(InputError, match="都叫"):
        build([tiny_novel, tiny_novel], tmp_path / "out", NullReporter())


def test_an_edited_alias_table_is_read_back(tiny_novel: Path, tmp_path: Path):
    folder = tmp_path / "c"
    build([tiny_novel], folder, NullReporter())
    path = folder / "aliases" / f"{tiny_novel.stem}.json"
    write_table(path, edited(read_table(path), ["张三=张三丰"], []))
    rebuild(folder, NullReporter())
    names = {row["speaker"] for row in rows(folder / "train.jsonl")}
    assert "张三丰" in names and "张三" not in names
    again = (folder / "train.jsonl").read_bytes()
    build([tiny_novel], folder, NullReporter())  # so does a build into the same folder
    assert (folder / "train.jsonl").read_bytes() == again
    path.write_text('{"people": {"张三": "三"}}', encoding="utf-8")
    with pytest.raises(DataError, match="张三"):
        rebuild(folder, NullReporter())
    assert (folder / "train.jsonl").read_bytes() == again


def test_a_book_without_marks_is_reported_with_what_was_found(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("第一回 甲\n甲道：来。只有叙述，没有引号。\n" * 20, encoding="utf-8")
    with pytest.raises(InputError, match=r"没有引号（20 章，“道：/曰：/说：” 20 处）"):
        build([path], tmp_path / "out", NullReporter())
    assert not (tmp_path / "out").exists()


def test_a_book_too_short_to_hold_anything_out_has_no_validation_file(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("甲某曰：“来。”\n乙某曰：“去。”\n", encoding="utf-8")
    corpus = build([path], tmp_path / "out", NullReporter())
    assert (corpus.train, corpus.valid) == (2, 0) and not (
        tmp_path / "out" / "valid.jsonl"
    ).exists()


def test_the_page_shows_people_and_needs_no_network(tiny_novel: Path, tmp_path: Path):
    build([tiny_novel], tmp_path, NullReporter())
    page = write_page(tmp_path).read_text(encoding="utf-8")
    assert page.count("<svg") == 5 and all(name in page for name in PEOPLE)
    assert "http" not in page.replace("http://www.w3.org", "") and "<script" not in page


# --- messy books --------------------------------------------------------------------------------------------------


def spoken(text: str) -> list[tuple[str, str]]:
    """(letters of the quotation, speaker) of what is said."""
    found = extract(Novel(name="x", text=text)).utterances
    return [
        (re.sub(r"\W", "", convert(u.quote, "t2s")), u.speaker)
        for u in found
        if u.kind in ("speech", "thought")
    ]


def likeness(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> float:
    """Share of utterances that are in both, by quotation and speaker."""
    from collections import Counter

    common = sum((Counter(one) & Counter(other)).values())
    return 2 * common / (len(one) + len(other))


def make_messy(text: str, *, one_line: bool = True, commas: bool = False) -> str:
    """The same book as a bad site would give it: one line, no commas, advertisements, marks the wrong way round."""
    dice = random.Random(7)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    out = []
    for index, line in enumerate(lines):
        heading = re.match(r"第\S+回\s", line)
        out.append(f"　{line}　" if heading else line)
        if index % 25 == 10 and not heading:
            out.append("本书由某某小说网（www.example.com）首发，请记住本站网址。")
    messy = ("" if one_line else "\n").join(out)
    if not commas:
        messy = messy.replace("，", "")
    marks = [m.start() for m in re.finditer("”", messy)]
    reversed_ = set(dice.sample(marks, len(marks) // 200))
    return "".join("“" if i in reversed_ else c for i, c in enumerate(messy))


def test_a_messy_book_gives_the_same_utterances(tmp_path: Path):
    clean = make_tiny_novel(tmp_path / "a.txt", chapters=120).read_text(encoding="utf-8")
    (tmp_path / "messy.txt").write_bytes(make_messy(clean).encode("gb18030"))
    from custome.corpus.reading import read_novel

    messy = read_novel(tmp_path / "messy.txt").text
    assert "\n" not in messy and messy != clean
    assert likeness(spoken(clean), spoken(messy)) >= 0.99


@pytest.mark.parametrize("style", ["「」", "『』", '""', "＂＂", "‘’"])
def test_every_style_of_marks_gives_the_same_utterances(tmp_path: Path, style: str):
    clean = make_tiny_novel(tmp_path / "a.txt").read_text(encoding="utf-8")
    assert spoken(clean.translate(str.maketrans("“”", style))) == spoken(clean)


def test_a_traditional_book_is_read_kept_or_converted():
    text = (
        "第一回 甲\n這日張三來了，說道：“我們這個時候見了他，還問甚麼？”李四聽了，對張三說道：“為這個來的。”張三道：“好。”李四道：“走。”\n"
        * 3
    )
    kept = extract(Novel(name="x", text=text)).utterances
    simple = extract(Novel(name="x", text=text), script="simplified").utterances
    assert [u.speaker for u in kept] == [u.speaker for u in simple] == ["张三", "李四"] * 6
    assert (
        kept[0].quote == "“我們這個時候見了他，還問甚麼？”"
        and simple[0].quote == "“我们这个时候见了他，还问甚么？”"
    )
    assert all(text[u.offset : u.end] == k.quote for u, k in zip(simple, kept, strict=True))


_WORDS = [
    "张三",
    "李四道：",
    "曰：",
    "“",
    "”",
    "「",
    "」",
    '"',
    "‘",
    "’",
    "，",
    "。",
    "\n",
    "　　",
    "第一回 甲\n",
    "众人",
    "那",
    "笑",
    "www.a.com",
    "被",
    "与",
    "对",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(_WORDS), st.text(max_size=4)), max_size=60).map("".join))
def test_no_text_breaks_it_and_offsets_point_at_what_they_claim(text: str):
    text = text.replace("\r", "\n")
    for utterance in extract(Novel(name="x", text=text)).utterances:
        inside = text[utterance.offset : utterance.end]
        assert 0 <= utterance.offset < utterance.end <= len(text)
        rest = iter(inside)
        assert all(
            letter in rest for letter in re.sub(r"\W", "", utterance.quote)
        )  # in order; advertisements are left out


@settings(max_examples=60, deadline=None)
@given(raw=st.binary(min_size=1, max_size=400))
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, raw: bytes):
    path = tmp_path_factory.mktemp("bytes") / "a.txt"
    path.write_bytes(raw)
    try:
        build([path], path.parent / "out", NullReporter())
    except InputError as error:
        assert error.hint


def test_a_book_without_marks_is_told_before_anything_is_written(tmp_path: Path):
    book = tmp_path / "书.txt"
    book.write_text(
        "第一回 某某\n他读过“论语”。大郎道：“来了。”\n"
        + "大郎道：船来了没有？小乙道：没有。\n" * 40,
        encoding="utf-8",
    )
    with pytest.raises(InputError, match="只有 . 处引号.*81 处"):
        build([book], tmp_path / "corpus", NullReporter())
    assert not (tmp_path / "corpus").exists()


def test_a_book_of_another_language_is_named(tmp_path: Path):
    book = tmp_path / "book.txt"
    book.write_text(
        "“Where are you going?” asked Tom.\n\n“Home,” said Anna.\n\n" * 30, encoding="utf-8"
    )
    with pytest.raises(InputError, match="几乎没有汉字"):
        build([book], tmp_path / "corpus", NullReporter())
    assert not (tmp_path / "corpus").exists()


def test_a_chat_of_one_person_is_built_and_said_to_be_one(tmp_path: Path):
    class Notes(NullReporter):
        said: list[str] = []

        def note(self, text: str) -> None:
            self.said.append(text)

    chat = tmp_path / "chat.txt"
    chat.write_text(
        "".join(f"2024-01-0{i % 9 + 1} 10:00:00 小王\n今天第{i}件事办完了\n\n" for i in range(20)),
        encoding="utf-8",
    )
    build([chat], tmp_path / "corpus", Notes())
    assert any("只有小王一个人说话" in line for line in Notes.said)
