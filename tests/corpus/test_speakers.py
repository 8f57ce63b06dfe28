"""Who speaks: the grammar of cues, names, and the memory of a chapter."""

from __future__ import annotations

import pytest

from custome.corpus.aliases import AliasTable, shipped_table_for, shipped_tables
from custome.corpus.cues import read_cue
from custome.corpus.dialogue import extract
from custome.corpus.names import Lexicon, name_guess
from custome.corpus.speakers import Attribution
from custome.corpus.text import Novel
from custome.corpus.words import words
from custome.types import Utterance

TABLE = AliasTable(
    people={
        "孙大": ("大郎", "大"),
        "孙二娘子": ("二娘子",),
        "刘小乙": ("小乙", "乙"),
        "周瑞家的": ("周嫂子",),
        "丁丞相": ("丞相",),
        "戊丞相": ("丞相",),
    }
)


def utterances(text: str, table: AliasTable | None = TABLE) -> list[Utterance]:
    return extract(Novel(name="x", text=text), table).utterances


def speakers(text: str, table: AliasTable | None = TABLE) -> list[str]:
    return [u.speaker for u in utterances(text, table)]


@pytest.mark.parametrize(
    ("narration", "speaker"),
    [
        ("孙大道：", "孙大"),
        ("大郎大喜，便对众人笑道：", "孙大"),  # the subject in front of its sentence
        ("却说那大郎听了，问道：", "孙大"),
        ("只见旁边闪出小乙，高声叫道：", "刘小乙"),
        ("唬得二娘子跌倒，叫道：", "孙二娘子"),
        ("又被小乙扯住道：", "刘小乙"),
        ("大郎去了。二娘子对小乙说道：", "孙二娘子"),
        ("周瑞家的笑道：", "周瑞家的"),
        ("大郎与小乙二人道：", "孙大、刘小乙"),
        ("众将大惊，都道：", "群体"),
        ("那老者笑道：", "老者"),
        ("有个守门的来报道：", "守门的"),
        ("忽报道：", "某人"),
        ("骁将赵甲奋然出道：", "赵甲"),
        ("忽然大风起。", ""),
    ],
)
def test_cues_before_a_quotation(narration: str, speaker: str):
    assert speakers(
        f"第一回 某\n{narration}“如此甚好，快去快来。”\n"
        if speaker
        else f"{narration}“甚好”的字样。"
    ) == [speaker]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("“快走。”孙大道，“别回头。”", ["孙大", "孙大"]),
        (
            "“快走。”孙大低声说。\n“为什么？”小乙问。\n“别问。”\n“好。”",
            ["孙大", "刘小乙", "孙大", "刘小乙"],
        ),  # taking turns
        (
            "孙大问道：“几时去？”答道：“就去。”小乙道：“好。”又道：“我也去。”",
            ["孙大", "", "刘小乙", "刘小乙"],
        ),
        (
            "孙大道：“来。”小乙道：“去。”孙大听了，道：“好。”便问：“几时？”",
            ["孙大", "刘小乙", "孙大", "孙大"],
        ),
        ("阶下一人大呼道：“我愿往！”众视之，乃刘小乙也。", ["刘小乙"]),
        ("孙大自思道：“此计甚好。”", ["孙大"]),
    ],
)
def test_a_chapter_is_remembered(text: str, expected: list[str]):
    found = speakers(text)
    assert [want or got for want, got in zip(expected, found, strict=True)] == found


def test_the_addressee_is_kept():
    assert [
        (u.speaker, u.addressee) for u in utterances("孙大对小乙说道：“来。”大郎骂二娘子道：“去！”")
    ] == [
        ("孙大", "刘小乙"),
        ("孙大", "孙二娘子"),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("孙大道：“来。”", "speech"),
        ("孙大心中暗想：“来了。”", "thought"),
        ("小乙寻思道：“如何是好？”", "thought"),
        ("人都叫他做“小旋风”，无人不知。", "name"),
        ("号为“大贤良师”。", "name"),
        ("讽刺他不知“绿蜡”之典。", "name"),
        ("后人有诗叹道：“夕阳几度红。”", "verse"),
        ("其书略曰：“某顿首，再拜。”", "writing"),
        ("匾上写着：“聚义厅”三个大字。", "writing"),
    ],
)
def test_what_marks_hold(text: str, kind: str):
    assert [u.kind for u in utterances(text)] == [kind]


def test_a_shared_name_means_whoever_the_chapter_named_last():
    years = "过了许多年。" * 400
    text = f"第一回 一\n丁丞相来了。丞相道：“一。”\n第二回 二\n戊丞相来了。丞相道：“二。”\n{years}\n第三回 三\n丞相道：“三。”\n"
    assert speakers(text) == ["丁丞相", "戊丞相", "丞相"]


def test_one_character_is_a_name_only_in_a_book_that_writes_so_and_where_it_is_introduced():
    classical = (
        "第一回 一\n却说朱儁领兵到来。儁曰：“一。”儁大怒曰：“二。”张卫曰：“三。”卫曰：“四。”\n"
    )
    assert speakers(classical, None) == ["朱儁", "朱儁", "张卫", "张卫"]


def test_names_of_an_unknown_book_are_found_and_joined():
    lines = [
        f"这日王冕走来。王冕道：“话{i}。”元章笑道：“话{i}。”冕儿道：“话{i}。”" for i in range(4)
    ]
    table = extract(
        Novel(name="x", text="这人姓王名冕，字元章，诸暨人。\n" + "\n".join(lines))
    ).table
    assert "元章" in table.people["王冕"]


@pytest.mark.parametrize(
    ("clause", "singles", "name"),
    [
        ("王进道", False, "王进"),
        ("宝玉忙笑道", False, "宝玉"),
        ("操大怒曰", True, "操"),
        ("遂问曰", True, ""),
        ("拍手道", False, ""),
        ("却说张顺道", False, "张顺"),
        ("主簿陈琳谏曰", True, "陈琳"),
        ("周瑞家的道", False, "周瑞家的"),
        ("呼延大喝道", False, "呼延大"),
        ("公孙三笑道", False, "公孙三"),
    ],
)
def test_guesses_of_names(clause: str, singles: bool, name: str):
    assert name_guess(clause, singles=singles) == name


def test_reading_a_cue_takes_no_time_on_what_repeats_itself():
    assert read_cue("大笑" * 2000 + "道：", Lexicon(["孙大"])).subject is None


def test_an_adjudicator_is_asked_only_where_the_grammar_is_unsure():
    asked = []

    def judge(before: str, quote: str, first: Attribution) -> Attribution:
        asked.append(quote)
        return first._replace(speaker="裁判", rule="judge", confidence=0.9)

    found = extract(
        Novel(name="x", text="孙大道：“来。”\n“去。”\n"), TABLE, adjudicator=judge
    ).utterances
    assert asked == ["“去。”"] and [u.speaker for u in found] == ["孙大", "裁判"]


def test_shipped_tables_are_well_formed():
    tables = shipped_tables()
    assert set(tables) == {"sanguo", "shuihu", "xiyou", "honglou"}
    for short, table in tables.items():
        assert table.title and len(table.people) > 150
        for name, aliases in table.people.items():
            assert len(name) >= 2 and name.strip() == name, (short, name)
            assert name not in aliases and len(set(aliases)) == len(aliases), (short, name)
            assert not [alias for alias in aliases if alias in table.people], (short, name)


def test_the_table_of_a_book_is_found_by_name_or_by_its_people():
    assert shipped_table_for("sanguo", "").title == "三国演义"
    assert shipped_table_for("水浒传全本", "").title == "水浒传"
    people = "孙悟空 唐僧 猪八戒 沙僧 牛魔王 红孩儿 哪吒 木叉 "
    assert shipped_table_for("book", people * 9).title == "西游记"
    assert shipped_table_for("book", "曹操和刘备是三国人物。" * 100) is None


def test_the_words_of_the_grammar_are_lists_without_repeats():
    for name, entries in words().items():
        if isinstance(entries, list):
            assert len(entries) == len(set(entries)) and all(entries), name
