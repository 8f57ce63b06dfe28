"""Which names are one person, where nobody wrote a table; and the questions to the reader about what is not sure."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from custome.cli.app import main
from custome.corpus.aliases import AliasTable, Doubt, read_table, write_table
from custome.corpus.dialogue import extract
from custome.corpus.fixing import answered, edited
from custome.corpus.folder import CorpusFolder
from custome.corpus.text import Novel
from custome.errors import DataError


def table_of(text: str) -> AliasTable:
    return extract(Novel(name="无名的书", text=text)).table


def said(*names: str) -> str:
    """Everybody says something four times."""
    return "\n".join(f"{name}道：“这是第{i}句，{name}说的。”" for i in range(4) for name in names)


def test_full_names_join_only_where_they_are_clear():
    text = "林小玉来了。小玉坐下。林小玉走了。林小玉又来。张冬二和李冬二都来。张冬二去。李冬二去。张冬二。李冬二。"
    table = table_of(said("小玉", "冬二") + text)
    assert table.people["林小玉"] == ("小玉",) and "冬二" in table.people
    assert "林小玉来了" in table.why["小玉"]


def test_a_verb_in_front_is_no_surname():
    table = table_of(said("金帝") + "蒙金帝宣召。蒙金帝赐酒。又蒙金帝垂问。")
    assert list(table.people) == ["金帝"]


def test_a_nickname_in_front_of_a_name():
    table = table_of(said("周大石", "铁臂猿周大石", "铁臂猿"))
    assert table.people["周大石"] == ("铁臂猿",)


def test_two_people_in_a_row_are_two():
    table = table_of(said("小红", "周大石") + "小红周大石都来了。周大石小红都走了。" * 4)
    assert table.people == {"小红": (), "周大石": ()}


def test_a_surname_with_a_title_that_the_full_name_bears():
    table = table_of(said("周大石", "周先锋", "周小川") + "先锋周大石领兵到了。")
    assert table.people["周大石"] == ("周先锋",) and table.people["周小川"] == ()


def test_a_father_with_his_sons_name_is_not_the_son():
    table = table_of(said("穆小弘", "穆太公") + "来到穆小弘太公庄上。")
    assert "穆太公" in table.people


def test_names_that_take_turns_and_never_meet():
    walk = "钱学究坐在亭里。众人看他。钱文用笑了一笑。天色已晚。"
    table = table_of(said("钱文用", "钱学究", "赵四海") + "\n" + walk * 20)
    assert table.people["钱文用"] == ("钱学究",)
    assert "同一句里都提的 0 处" in table.why["钱学究"]


def test_names_of_other_surnames_are_asked_about_not_joined():
    walk = "阿宝坐在亭里。石头笑了一笑。天色已晚。"
    table = table_of(said("阿宝", "石头", "赵四海") + "\n" + walk * 80)
    assert {"阿宝", "石头"} <= set(table.people)
    assert [{one.alias, one.person} for one in table.doubts] == [{"阿宝", "石头"}]


def test_a_nickname_of_two_people_joins_neither():
    table = table_of(
        said("周大石", "周小川", "铁臂猿") + "铁臂猿周大石来了。铁臂猿周小川来了。" * 5
    )
    assert {"周大石", "周小川", "铁臂猿"} <= set(table.people)


def test_two_short_names_that_meet_are_two_people():
    table = table_of(said("王建国", "老王", "小王") + "老王和小王握手。" * 10)
    assert {"王建国", "老王", "小王"} <= set(table.people)
    table = table_of(said("王建国", "老王"))
    assert table.people == {"王建国": ("老王",)}


def test_an_answer_merges_or_keeps_apart_and_takes_other_questions_along():
    one, two = (
        Doubt(alias=a, person=b, reason="…") for a, b in (("阿宝", "石头"), ("石公", "阿宝"))
    )
    table = AliasTable(people={"石头": (), "阿宝": ("宝儿",), "石公": ()}, doubts=(one, two))
    yes = answered(table, one, True)
    assert yes.people["石头"] == ("阿宝", "宝儿") and yes.why["阿宝"].startswith("你说的")
    assert yes.doubts == (Doubt(alias="石公", person="石头", reason="…"),)
    no = answered(table, one, False)
    assert no.people == table.people and no.apart == (("阿宝", "石头"),) and no.doubts == (two,)


def test_questions_that_are_answered_are_not_asked_again():
    doubts = tuple(
        Doubt(alias=a, person=b, reason="…") for a, b in (("甲", "丙"), ("乙", "甲"), ("乙", "丙"))
    )
    table = AliasTable(people={"甲": (), "乙": (), "丙": ()}, doubts=doubts)
    no = answered(table, doubts[0], False)
    assert [{one.alias, one.person} for one in no.doubts] == [{"乙", "甲"}, {"乙", "丙"}]
    yes = answered(no, no.doubts[0], True)
    assert yes.doubts == ()  # 乙 is 甲 now, and 甲 is not 丙
    assert edited(table, ["乙=丙", "甲=乙"], []).people == {"丙": ("乙", "甲")}
    assert edited(table, ["甲=丙"], []).doubts == (Doubt(alias="乙", person="丙", reason="…"),)
    assert edited(table, [], ["乙"]).doubts == (doubts[0],)


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusFolder:
    book = tmp_path / "小书.txt"
    walk = "阿宝坐在亭里。石头笑了一笑。天色已晚。"
    book.write_text(said("阿宝", "石头", "赵四海") + "\n" + walk * 80, encoding="utf-8")
    assert main(["corpus", "build", str(book), "-o", str(tmp_path / "corpus")]) == 0
    return CorpusFolder(tmp_path / "corpus")


class Typed:
    """What somebody types, line by line."""

    def __init__(self, *lines: str) -> None:
        self.lines = [f"{line}\n" for line in lines]

    def readline(self) -> str:
        return self.lines.pop(0) if self.lines else ""


def review(corpus: CorpusFolder, monkeypatch: pytest.MonkeyPatch, *typed: str) -> int:
    monkeypatch.setattr("sys.stdin", Typed(*typed))
    return main(["corpus", "fix", str(corpus.path), "--review"])


def test_a_yes_is_one_person_and_survives_a_rebuild(
    corpus: CorpusFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert {"阿宝", "石头"} <= {row["speaker"] for row in corpus.utterances()}
    assert review(corpus, monkeypatch, "嗯", "y") == 0
    assert "阿宝" in capsys.readouterr().out
    one = {row["speaker"] for row in corpus.utterances()} - {"赵四海"}
    assert len(one) == 1
    assert main(["corpus", "fix", str(corpus.path), "--no-edit"]) == 0
    assert {row["speaker"] for row in corpus.utterances()} == one | {"赵四海"}
    assert not read_table(corpus.aliases_path("小书")).doubts


def test_a_no_is_not_asked_again_and_a_later_is(
    corpus: CorpusFolder, monkeypatch: pytest.MonkeyPatch
):
    before = corpus.utterances()
    review(corpus, monkeypatch, "s")
    assert read_table(corpus.aliases_path("小书")).doubts
    review(corpus, monkeypatch, "n")
    table = read_table(corpus.aliases_path("小书"))
    assert not table.doubts and table.apart and corpus.utterances() == before
    assert main(["corpus", "fix", str(corpus.path), "--no-edit"]) == 0
    assert read_table(corpus.aliases_path("小书")).apart == table.apart


@pytest.mark.parametrize("word", ["不是", "ｎ", "否"])
def test_a_no_in_other_words(corpus: CorpusFolder, monkeypatch: pytest.MonkeyPatch, word: str):
    review(corpus, monkeypatch, word)
    assert read_table(corpus.aliases_path("小书")).apart


def test_an_alias_beside_the_questions(corpus: CorpusFolder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", Typed("s"))
    assert main(["corpus", "fix", str(corpus.path), "--review", "--alias", "四爷=赵四海"]) == 0
    assert "四爷" in read_table(corpus.aliases_path("小书")).people["赵四海"]


def test_ctrl_c_keeps_and_rebuilds(corpus: CorpusFolder, monkeypatch: pytest.MonkeyPatch):
    class Interrupted(Typed):
        def readline(self) -> str:
            if not self.lines:
                raise KeyboardInterrupt
            return self.lines.pop(0)

    path = corpus.aliases_path("小书")
    table = read_table(path)
    more = Doubt(alias="赵四海", person=table.doubts[0].person, reason="…")
    write_table(path, replace(table, doubts=(*table.doubts, more)))
    monkeypatch.setattr("sys.stdin", Interrupted("y"))
    assert main(["corpus", "fix", str(corpus.path), "--review"]) == 0
    assert len({row["speaker"] for row in corpus.utterances()}) == 2


def test_stopping_keeps_what_was_answered(corpus: CorpusFolder, monkeypatch: pytest.MonkeyPatch):
    review(corpus, monkeypatch)  # the end of the input
    assert read_table(corpus.aliases_path("小书")).doubts


def test_a_table_comes_back_as_it_was_written(tmp_path: Path):
    table = AliasTable(
        title="书",
        people={"石头": ("阿宝",), "赵四海": ()},
        why={"阿宝": "书里的介绍：“…”"},
        doubts=(Doubt(alias="四海", person="石头", reason="…"),),
        apart=(("四爷", "赵四海"),),
    )
    write_table(tmp_path / "a.json", table)
    assert read_table(tmp_path / "a.json") == table


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"people": {"甲": ["乙"], "乙": ["甲"]}}', "互为别名"),
        ('{"people": {"甲": ["乙"],\n"甲": ["丙"]}}', "写了两行"),
        ('{"people": {"甲": []}, "doubts": ["乙"]}', "why、doubts、apart"),
        ('{"people": {"甲": []}, "apart": [["乙"]]}', "why、doubts、apart"),
        (
            '{"people": {"甲": []}, "doubts": [{"alias": 3, "person": null, "reason": 1}]}',
            "why、doubts、apart",
        ),
        ('{"people": {"甲": []}, "why": null}', "why、doubts、apart"),
    ],
)
def test_tables_that_cannot_be(tmp_path: Path, text: str, says: str):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says) as error:
        read_table(tmp_path / "a.json")
    assert error.value.hint


def test_a_table_of_another_book(corpus: CorpusFolder, capsys: pytest.CaptureFixture[str]):
    path = corpus.aliases_path("小书")
    path.write_text(
        json.dumps({"people": {"沙里飞": ["飞天"], "秋水": [], "铁索": []}}), encoding="utf-8"
    )
    before = corpus.utterances_path.read_bytes()
    assert main(["corpus", "fix", str(corpus.path), "--no-edit"]) == 2
    assert "别的书" in capsys.readouterr().err and corpus.utterances_path.read_bytes() == before
