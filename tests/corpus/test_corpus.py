"""From text to rows: chapters, marks, cues, speakers, splits, leaks."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custome.corpus.aliases import AliasTable, alias_table
from custome.corpus.dataset import characters, drop_leaks, drop_repeats, held_out, with_units
from custome.corpus.dialogue import build, find_utterances
from custome.corpus.quotes import find_quotations, unify_marks
from custome.corpus.speakers import find_speaker, is_cue, is_writing
from custome.corpus.text import Novel, read_novel, split_chapters
from custome.errors import InputError
from custome.report import NullReporter
from custome.types import Utterance

# The public example of the original README.
SEED_TEXT = "第三回　某回目\n\n\t进得诏便行。主簿陈琳谏曰：“太后此诏，必是十常侍之谋，切不可去。去必有祸。”进曰：“太后诏我，有何祸事？”\n"


def utterances(text: str, name: str = "sanguo") -> list[Utterance]:
    return find_utterances(Novel(name=name, text=text), Counter(), NullReporter())


def test_the_seeds_own_example_comes_out_character_for_character():
    first, second = utterances(SEED_TEXT)
    assert first.context == "进得诏便行。主簿陈琳谏曰："
    assert first.quote == "“太后此诏，必是十常侍之谋，切不可去。去必有祸。”"
    assert SEED_TEXT[first.offset : first.offset + len(first.quote)] == first.quote
    assert (second.context, second.speaker) == ("进曰：", "何进")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_common_encodings_give_the_same_text(tmp_path: Path, encoding: str):
    path = tmp_path / "a.txt"
    path.write_text(SEED_TEXT * 3, encoding=encoding)
    assert read_novel(path).text == SEED_TEXT * 3


def test_a_json_list_of_chapters_is_a_novel(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(["第一回 甲\n文", "第二回 乙\n文"], ensure_ascii=False), encoding="utf-8")
    assert [c.title for c in split_chapters(read_novel(path))] == ["第一回 甲", "第二回 乙"]


@pytest.mark.parametrize(("content", "words"), [
    (b"\x7fELF\x00\x00\x01\x02" * 100, "二进制"), (b"", "空"), (b'{"a": 1}', "列表"), (b"[1,", "JSON"),
])  # fmt: skip
def test_what_is_no_novel_is_refused(tmp_path: Path, content: bytes, words: str):
    path = tmp_path / ("a.json" if content[:1] in (b"{", b"[") else "a.txt")
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_novel(path)


def test_headings_of_several_styles():
    text = "序言\n第一回　甲\n文\n第2章 乙\n文\n　　第三节\n文\n他在第四回合里败了\n"
    assert [(c.number, c.title) for c in split_chapters(Novel(name="x", text=text))] == [
        (0, ""), (1, "第一回　甲"), (2, "第2章 乙"), (3, "第三节"),
    ]  # fmt: skip


def test_marks_of_other_styles_keep_their_offsets():
    text = '甲道：「来。」乙道：“去。”\n丙道："好。"丁道：＂走。＂'
    unified = unify_marks(text)
    assert len(unified) == len(text)
    assert [unified[q.start : q.end] for q in find_quotations(unified, 0, len(unified))[0]] == [
        "“来。”",
        "“去。”",
        "“好。”",
        "“走。”",
    ]


def test_a_missing_mark_spoils_only_its_paragraph():
    text = "甲曰：“一。\n乙曰：“二。”\n丙曰：三。”\n丁曰：“四。”"
    found, unpaired = find_quotations(text, 0, len(text))
    assert [text[q.start : q.end] for q in found] == ["“二。”", "“四。”"]
    assert unpaired == 2


@given(st.text(alphabet='甲曰：“”「」"\n，。', max_size=60))
def test_quotations_never_cross_paragraphs_and_stay_ordered(text: str):
    unified = unify_marks(text)
    assert len(unified) == len(text)
    found, _ = find_quotations(unified, 0, len(unified))
    ends = [0]
    for quotation in found:
        inside = unified[quotation.start : quotation.end]
        assert inside[0] == "“" and inside[-1] == "”" and "\n" not in inside
        assert ends[-1] <= quotation.narration_start <= quotation.start
        ends.append(quotation.end)


@pytest.mark.parametrize(("narration", "speaker"), [
    ("玄德曰：", "刘备"), ("操大喜，谓众将曰：", "曹操"), ("孔明谓鲁肃曰：", "诸葛亮"), ("主簿陈琳谏曰：", "陈琳"),
    ("张飞大怒，挺矛骂曰：", "张飞"), ("布曰：", "吕布"), ("却说曹操见了，问曰：", "曹操"), ("忽然大风起。", ""),
])  # fmt: skip
def test_speakers(narration: str, speaker: str):
    found = find_speaker(narration, alias_table("sanguo")).name
    assert found.endswith(speaker) if speaker else found == ""


def test_cues_and_writings():
    assert is_cue("曹操曰：") and is_cue("他笑道，") and not is_cue("号为")
    assert is_writing("后人有诗叹曰：") and is_writing("其书略曰：") and not is_writing("曹操曰：")


def test_alias_tables_are_well_formed():
    from importlib.resources import files

    for path in Path(str(files("custome") / "data" / "aliases")).glob("*.json"):
        table = json.loads(path.read_text(encoding="utf-8"))
        seen: dict[str, str] = {}
        for name, aliases in table.items():
            assert len(name) >= 2 and isinstance(aliases, list) and all(isinstance(a, str) and a for a in aliases)
            for alias in aliases:
                assert seen.setdefault(alias, name) == name, f"{alias} 既是 {seen[alias]} 又是 {name}"


def test_longest_alias_wins():
    table = AliasTable({"诸葛亮": ["孔明", "诸葛孔明"]})
    assert table.first_in("那诸葛孔明") == "诸葛孔明"
    assert table.canonical("孔明") == "诸葛亮" and table.canonical("某甲") == "某甲"


def row(quote: str, chapter: int = 1, context: str = "甲曰：") -> Utterance:
    return Utterance(novel="n", chapter=chapter, offset=0, context=context, quote=quote, mention="甲", speaker="甲")


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


def test_the_split_is_by_chapter_and_always_the_same():
    rows = [row(f"“{c}”", chapter=c) for c in range(1, 101) for _ in range(3)]
    kept = held_out(rows, 0.05)
    assert len(kept) == 5 and kept == held_out(rows[::-1], 0.05)
    units = [unit for unit, _ in with_units(rows)]
    assert {unit[1] for unit in units} == set(range(1, 101))


@pytest.mark.parametrize("count", [1, 30, 200])
def test_a_book_of_few_chapters_is_split_by_blocks(count: int):
    rows = [row(f"“{i}”", chapter=1) for i in range(count)]
    kept = held_out(rows, 0.05)
    out = [u for unit, u in with_units(rows) if unit in kept]
    assert len(out) < count and (count < 40 or 20 <= len(out) <= 40)
    assert bool(out) == (count > 20)


def test_characters_prefer_a_cue_of_two_characters():
    rows = [
        Utterance(novel="n", chapter=1, offset=0, context="", quote="", mention=m, speaker="曹操")
        for m in ["操"] * 9 + ["曹公"] * 2
    ]
    assert [(c.name, c.cue, c.utterances) for c in characters(rows)] == [("曹操", "曹公", 11)]
    assert [c.cue for c in characters(rows[:9] * 2)] == ["曹操"]
    assert characters(rows[:9]) == []


def test_a_book_too_short_to_hold_anything_out_has_no_validation_file(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("甲曰：“来。”\n乙曰：“去。”\n", encoding="utf-8")
    corpus = build([path], tmp_path / "out", NullReporter())
    assert (corpus.train, corpus.valid) == (2, 0) and not (tmp_path / "out" / "valid.jsonl").exists()


def test_building_a_corpus_twice_gives_the_same_bytes(tiny_novel: Path, tmp_path: Path):
    one = build([tiny_novel], tmp_path / "one", NullReporter())
    build([tiny_novel], tmp_path / "two", NullReporter())
    for name in ("train.jsonl", "valid.jsonl", "characters.json", "funnel.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    funnel = one.funnel
    dropped = sum(count for name, count in funnel.items() if name.startswith("弃："))
    assert funnel["引文"] == dropped + one.train + one.valid  # every quotation is accounted for
    first = json.loads((tmp_path / "one" / "train.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert list(first) == ["context", "chat", "speaker", "mention", "novel", "chapter", "offset"]
    text = tiny_novel.read_text(encoding="utf-8")
    assert text[first["offset"] :].startswith(first["chat"])


def test_a_book_without_dialogue_is_reported(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("第一回 甲\n只有叙述，没有人说话。\n" * 20, encoding="utf-8")
    with pytest.raises(InputError, match="没有找到对话"):
        build([path], tmp_path / "out", NullReporter())
    assert not (tmp_path / "out").exists()
