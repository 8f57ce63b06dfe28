"""Who 那人, 妇人 and 知府 are: introductions, titles, words the alias table binds to somebody in some chapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from custome.cli.app import main
from custome.corpus.aliases import AliasTable, Bound, read_table, table_from, write_table
from custome.corpus.dialogue import extract
from custome.corpus.fixing import edited
from custome.corpus.text import Novel
from custome.errors import DataError, InputError

PEOPLE = {"孙大郎": ("大郎",), "钱勇": (), "李小梅": ("小梅",)}


def speakers(text: str, table: AliasTable | None = None) -> list[str]:
    found = extract(Novel(name="书", text=text), table or AliasTable(people=PEOPLE))
    return [one.speaker for one in found.utterances]


def test_oneself():
    said = "大郎看了其人一眼。其人曰：“某姓钱名勇，渡口人氏。”大郎曰：“久仰。”"
    assert speakers(said) == ["钱勇", "孙大郎"]


def test_what_was_said_before_one_gave_a_name():
    said = (
        "酒店里坐着一条大汉。那汉道：“你管我！”孙大郎道：“你是谁？”那汉道：“我姓钱名勇，渡口人氏。”"
    )
    assert speakers(said) == ["钱勇", "孙大郎", "钱勇"]


def test_the_narration_introduces():
    said = "只见一个妇人出来。那妇人姓李，名唤小梅。那妇人笑道：“掌柜请坐。”孙大郎道：“大姐安坐。”"
    assert speakers(said) == ["李小梅", "孙大郎"]


def test_somebody_new_is_not_the_one_before():
    said = "那汉道：“我便是钱勇。”孙大郎大喜。次日酒店里又坐着一条大汉，孙大郎问他。那汉道：“不说与你。”"
    assert speakers(said) == ["钱勇", "那汉"]


def test_whoever_speaks_right_beside_is_somebody_else():
    said = "那人道：“我便是钱勇。”钱勇又看那人。钱勇道：“你是谁？”那人道：“过路的。”"
    assert speakers(said)[-1] == "那人"


def test_one_says_who_one_is_where_the_grammar_guesses():
    said = "大郎赶路而走。桥边一队人拦住，大叫：“我钱勇在此！”"
    assert speakers(said, AliasTable(people=PEOPLE)) == ["钱勇"]


def test_a_title_is_whose_it_was_last():
    table = AliasTable(people={"周九知府": (), "孙大郎": ()})
    said = "孙大郎来见周九知府。知府道：“来者何人？”孙大郎道：“小人孙大郎。”"
    assert speakers(said, table) == ["周九知府", "孙大郎"]


def test_a_word_is_bound_in_its_chapters_only():
    text = (
        "第一回 某某\n孙大郎进来。那妇人道：“掌柜请坐。”孙大郎道：“大姐。”\n"
        "第二回 某某\n孙大郎进来。那妇人道：“客官请坐。”孙大郎道：“好。”\n"
    )
    table = AliasTable(people=PEOPLE, bound={"李小梅": (Bound("妇人", 1, 1),)})
    assert speakers(text, table) == ["李小梅", "孙大郎", "妇人", "孙大郎"]


def test_a_single_character_is_whose_the_table_says():
    """宣卓入 has no 宣卓 in it where 孙卓 is about."""
    said = "孙卓在门外。门里宣卓入见。卓曰：“何事？”信曰：“快来。”卓曰：“便来。”"
    assert speakers(said, AliasTable(people={"孙卓": (), "赵信": ()}))[0] == "孙卓"


# --- the table ------------------------------------------------------------------------------------------------------


def test_a_table_keeps_them(tmp_path: Path):
    table = table_from({"people": {"李小梅": ["小梅", "妇人@24-26", "娘子@25"]}}, "here")
    assert table.people == {"李小梅": ("小梅",)}
    assert table.bound == {"李小梅": (Bound("妇人", 24, 26), Bound("娘子", 25, 25))}
    write_table(tmp_path / "t.json", table)
    assert read_table(tmp_path / "t.json") == table


@pytest.mark.parametrize("wrong", ["妇人@", "@3", "妇人@5-3", "妇人@1-2-3"])
def test_chapters_that_are_none_are_named(wrong: str):
    with pytest.raises(DataError, match="李小梅.*看不懂"):
        table_from({"people": {"李小梅": [wrong]}}, "here")


def test_an_at_sign_may_stand_in_a_name():
    table = table_from({"people": {"小明": ["小明@北京"]}}, "here")
    assert table.people == {"小明": ("小明@北京",)} and not table.bound
    assert edited(table, ["小明@上海=小明"], []).people == {"小明": ("小明@北京", "小明@上海")}


def test_fixing_binds_and_unbinds():
    table = edited(AliasTable(people=PEOPLE), ["妇人@24-26=李小梅"], [])
    assert table.bound == {"李小梅": (Bound("妇人", 24, 26),)} and table.people == PEOPLE
    moved = edited(table, ["李小梅=李二嫂"], [])
    assert moved.bound == {"李二嫂": (Bound("妇人", 24, 26),)}
    assert edited(table, [], ["妇人@24-26"]).bound == {}
    assert edited(table, [], ["李小梅"]).bound == {}
    with pytest.raises(InputError, match="没有"):
        edited(table, [], ["妇人@1"])


def test_what_was_fixed_survives_a_rebuild(tmp_path: Path):
    book = tmp_path / "书.txt"
    book.write_text(
        "".join(
            f"孙大郎进来。那妇人道：“请坐{n}。”孙大郎道：“好{n}。”\n"
            for n in "一二三四五六七八九十"
        ),
        encoding="utf-8",
    )
    corpus = tmp_path / "corpus"
    assert main(["corpus", "build", str(book), "-o", str(corpus)]) == 0
    assert main(["corpus", "fix", str(corpus), "--alias", "妇人@1=李小梅"]) == 0
    assert main(["corpus", "build", str(book), "-o", str(corpus)]) == 0
    assert main(["corpus", "fix", str(corpus), "--no-edit"]) == 0
    table = read_table(corpus / "aliases" / "书.json")
    assert table.bound == {"李小梅": (Bound("妇人", 1, 1),)}
    people = (corpus / "characters.json").read_text(encoding="utf-8")
    assert "李小梅" in people and "妇人" not in people
