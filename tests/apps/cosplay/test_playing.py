"""From a corpus to people who talk: cast, cards, own lines, prompts, whose turn it is, which candidate is shown."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from custome.apps.cosplay.card import Card
from custome.apps.cosplay.casting import Company, open_company
from custome.apps.cosplay.choosing import Genericness, weigh
from custome.apps.cosplay.lorebook import Entry, Lorebook, recall
from custome.apps.cosplay.own_lines import OwnLines
from custome.apps.cosplay.persona_prefix import with_persona_prefix
from custome.apps.cosplay.prompt import Said, Setting, write_prompt
from custome.apps.cosplay.responder import Responder
from custome.apps.cosplay.scene import Scene
from custome.apps.cosplay.service import ConversationService
from custome.apps.cosplay.transcript import read, written
from custome.apps.cosplay.writing import Tab
from custome.conversations.records import Turn
from custome.conversations.store import Store
from custome.corpus.build import build
from custome.corpus.cast import Cast, Line, read_cast, take_cast, write_cast
from custome.corpus.voices import Voices
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.errors import DataError, InputError
from custome.reporter import NullReporter
from custome.types import Character, Exchange, GenerateOptions, Portrait, Reply, Sample

OPTIONS = GenerateOptions()


def line(speaker: str, text: str, chapter: int = 1, asked: str = "如何？") -> Line:
    return Line(speaker=speaker, text=text, asked=asked, novel="书", chapter=chapter)


def person(name: str, cue: str, *aliases: str) -> Portrait:
    return Portrait(
        name=name,
        cue=cue,
        utterances=20,
        aliases=aliases,
        chapters=3,
        speaks_to=(("乙", 4),),
        openings=("呔",),
    )


LINES = (
    line("甲", "俺老甲的板斧哪里去了？", 2),
    line("甲", "俺只要吃酒。", 4),
    line("乙", "小生这厢有礼。", 2),
    line("乙", "小生正要读书。", 6),
    line("甲", "俺便去厮杀！", 8, "敌兵来了怎么办？"),
    line("乙", "小生不敢。", 8, "敌兵来了怎么办？"),
)
COMPANY = Company(
    Cast(people=(person("甲", "老甲", "铁牛儿"), person("乙", "乙", "秀才")), lines=LINES)
)


def reply(text: str, finish: str = "stop") -> Reply:
    return Reply(text=text, prompt_tokens=1, completion_tokens=len(text), finish_reason=finish)  # type: ignore[arg-type]


# -- from the book -----------------------------------------------------------------------------------------------------

STORY = (
    (
        "{b}夜走青石镇",
        "{b}连夜到青石镇，曰：“小人怕{word}得很。”{a}曰：“俺在此，怕甚{word}！俺有金背刀。”",
    ),
    (
        "{a}初到山东",
        "却说那{a}，字元直，身长八尺，使一口金背刀。{a}来到青石镇，曰：“俺是{a}，要吃{word}。”{b}曰：“客官请坐，小店有{word}。”\n"
        "{a}往青石镇里去。{b}曰：“客官从{word}来？”{a}曰：“俺从东边{word}来。”",
    ),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cast")
    draw, chapters = random.Random(0), []
    for number in range(1, 25):
        word = "".join(draw.choices("东西南北山水风云花鸟金木火土", k=9))  # nothing is said twice
        title, body = STORY[number % 2]
        chapters.append(f"第{number}回 {title}\n{body}".format(a="张大牛", b="李小二", word=word))
    novel = folder / "演义.txt"
    novel.write_text("\n".join(chapters), encoding="utf-8")
    build([novel], folder / "corpus", NullReporter())
    return folder / "corpus"


def test_a_corpus_knows_its_cast_without_hand_work(corpus: Path):
    company = open_company(corpus)
    assert company.names[:2] == ["张大牛", "李小二"]
    card = company.card("张大牛")
    assert (
        "身长八尺" in card.description
        and "（第1回）" in card.description
        and "自称“俺”" in card.description
    )
    assert card.examples.startswith("<START>\n{{user}}: ") and card.novel == "演义"
    book = card.book
    assert book is not None
    kinds = {entry.name.split("（")[0] for entry in book.entries}
    assert "张大牛" in kinds and "张大牛初到山东" in kinds
    assert all(entry.chapter for entry in book.entries)  # each cites its chapter
    told = [one.entry.chapter for one in recall(book, ["张大牛在哪里"], as_of=4)]
    assert told and max(told) <= 4


def test_what_was_held_out_is_in_nobodys_lines(corpus: Path):
    held_out = {
        (row["chapter"], row["chat"].strip("“”"))
        for part in ("valid", "test")
        for row in map(
            json.loads, (corpus / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        )
    }
    units = {chapter for chapter, _ in held_out}
    assert held_out and not units & {one.chapter for one in read_cast(corpus).lines}
    learnt = [
        json.loads(row)["chapter"]
        for row in (corpus / "dialogues_train.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert learnt and not units & set(learnt)


def test_the_cast_goes_with_the_run_and_a_damaged_one_is_named(corpus: Path, tmp_path: Path):
    assert take_cast(corpus, tmp_path, canonical=False) and read_cast(tmp_path) == read_cast(corpus)
    assert not take_cast(tmp_path / "nowhere", tmp_path, canonical=False)
    (tmp_path / "cast" / "lines.jsonl").write_text('{"speaker": 1}\n', encoding="utf-8")
    with pytest.raises(DataError, match="cast"):
        read_cast(tmp_path)


def test_a_run_that_learnt_canonical_names_is_asked_by_them(tmp_path: Path):
    """What 孔明 says is another voice to a model that has only read 诸葛亮曰."""
    write_cast(tmp_path, Cast(people=(person("甲", "老甲", "铁牛儿"),), lines=LINES))
    for canonical, cue in ((False, "老甲"), (True, "甲")):
        run = tmp_path / f"run{canonical}"
        run.mkdir()
        assert take_cast(tmp_path, run, canonical=canonical)
        assert (
            Responder(ScriptedEngine([]), open_company(run))
            .prompt("铁牛儿", TALK, Setting(), OPTIONS)
            .request.speaker
            == cue
        )


# -- scenes to learn from ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["novel", "template"])
def test_a_scene_is_learnt_as_it_will_be_played(kind):
    """In front of it stands word for word what stands in front of a prompt, and never the reply itself."""
    lines = (
        *LINES,
        line("甲", "敌兵来了俺便去杀。", 9),
        line("甲", "敌兵何在？来了便好。", 3),
        line("丙", "在下丙某某。", 3),
    )
    company = Company(
        Cast(people=(person("甲", "老甲"), person("乙", "乙"), person("丙", "丙")), lines=lines)
    )
    asked = Exchange(context="乙曰：", chat="“敌兵来了怎么办？”", speaker="乙")
    sample = Sample(
        context="甲大怒曰：", chat="“敌兵来了俺便去杀。”", earlier=(asked,), speaker="甲"
    )
    few = Sample(
        context="丙曰：", chat="“在下丙某某。”", speaker="丙"
    )  # of whom nothing else is known
    *many, other = with_persona_prefix(
        [sample] * 40 + [few], company, share=0.5, novel=kind == "novel", seed=1
    )
    changed = [one for one in many if one is not sample]
    assert other is few and 10 < len(changed) < 30
    engine = ScriptedEngine([])
    engine.kind = kind
    unseen = Company(
        Cast(
            people=(person("甲", "老甲"),),
            lines=tuple(one for one in lines if one.text != "敌兵来了俺便去杀。"),
        )
    )
    said = [Said(name="客", text="敌兵来了怎么办？", by_user=True)]
    front, *question = (
        Responder(engine, unseen).prompt("甲", said, Setting(), OPTIONS).request.messages
    )
    assert all(
        "敌兵来了俺便去杀" not in one.persona_prefix + one.context and one.chat == sample.chat
        for one in changed
    )
    as_guest = [one for one in changed if not one.earlier]
    assert 0 < len(as_guest) < len(changed) and all(
        one.earlier == sample.earlier for one in changed if one not in as_guest
    )
    if kind == "novel":
        assert {one.persona_prefix + one.context for one in as_guest} == {
            f"{front.content}老甲曰："
        }
    else:
        assert {(one.persona_prefix, one.context) for one in as_guest} == {
            (front.content, question[-1].content)
        }


def test_anybody_is_found_by_any_name_and_nobody_else():
    assert [COMPANY.find(name) for name in ("甲", "老甲", "铁牛儿")] == ["甲"] * 3
    with pytest.raises(InputError) as caught:
        COMPANY.find("铁牛")
    assert "'铁牛儿'" in caught.value.hint


def test_own_lines_are_those_that_suit_and_only_what_was_said_by_then():
    own = OwnLines(COMPANY.lines("甲"))
    assert own.nearest("敌兵来了！", 1)[0].text == "俺便去厮杀！"
    assert own.nearest("板斧呢", 1)[0].text == "俺老甲的板斧哪里去了？"
    by_then = own.nearest("板斧厮杀吃酒", 3, novel="书", as_of=4)
    assert {line.chapter for line in by_then} == {2, 4}  # the fight is in chapter 8


def test_nobody_is_told_today_what_they_will_be_called_tomorrow():
    own = [
        line("甲", "俺老甲在此。", 1),
        line("甲", "朕封你做丞相，丙何在？", 9, "甲大王如何？"),
        line("丙", "臣在。", 9),
    ]
    own += [line("甲", f"朕说第{n}句。", 9) for n in range(9)] + [
        line("甲", f"俺说第{n}句。", 1) for n in range(9)
    ]
    king = Portrait(
        name="甲",
        cue="甲",
        utterances=20,
        aliases=("老甲", "甲大王"),
        chapters=3,
        speaks_to=(("丙", 4),),
        openings=("朕", "俺"),
    )
    company = Company(Cast(people=(king, person("丙", "丙")), lines=tuple(own)))
    early, late = company.card("甲", 5).description, company.card("甲").description
    assert (
        "老甲" in early
        and "俺" in early
        and not {"甲大王", "丙", "朕"} & {w for w in ("甲大王", "丙", "朕") if w in early}
    )
    assert all(word in late for word in ("甲大王", "丙", "朕"))


# -- voices and candidates ---------------------------------------------------------------------------------------------


def test_a_voice_is_told_from_another():
    voices = Voices([(one.speaker, one.text) for one in LINES * 2], ["甲", "乙"])
    assert voices.who("俺要酒") == "甲" and voices.who("小生失礼") == "乙"
    assert voices.fits("俺要酒", "甲") > voices.fits("俺要酒", "乙") and voices.fits("x", "丙") == 0


def test_ones_own_words_are_leant_to_and_everybodys_are_not():
    lines = [("甲", "俺吃酒去了")] * 9 + [("乙", "小生读书去了")] * 9 + [("甲", "怪哉")]
    lean = dict(Voices(lines, ["甲", "乙"]).logit_bias("甲", 0.5))
    assert (
        lean["俺"] == lean["吃酒"] == max(lean.values()) > 0 > lean["小生"]
        and "去了" not in lean
        and "怪哉" not in lean
    )
    assert dict(Voices(lines, ["甲", "乙"]).logit_bias("甲", 1.0))["俺"] == pytest.approx(
        2 * lean["俺"], abs=0.002
    )
    assert (
        Voices(lines, ["甲", "乙"]).logit_bias("丙", 0.5)
        == ()
        == Voices(lines, ["甲", "乙"]).logit_bias("甲", 0)
    )


def test_a_person_speaks_in_their_own_words_where_the_engine_can():
    class Leaning(ScriptedEngine):
        supports = ScriptedEngine.supports | {"logit_bias", "dry_multiplier"}

        def run(self, request, options, on_piece=None, cancel=None):
            self.options = options
            return super().run(request, options, on_piece, cancel)

    company = Company(Cast(people=(person("甲", "老甲"), person("乙", "秀才")), lines=LINES * 3))
    engine = Leaning(["好。"])
    Responder(engine, company).speak("甲", TALK[:1], Setting(), OPTIONS)
    assert dict(engine.options.logit_bias)["俺"] > 0 > dict(engine.options.logit_bias)["小"]
    Responder(engine, company).speak("甲", TALK[:1], Setting(contrast_strength=0), OPTIONS)
    assert engine.options.logit_bias == ()
    Responder(engine, company, {"掌柜": Card(name="掌柜")}).speak(
        "掌柜", TALK[:1], Setting(), OPTIONS
    )
    assert engine.options.logit_bias == ()  # nobody knows how a stranger talks
    engine.kind = "template"
    Responder(engine, company).speak("甲", TALK[:1], Setting(), OPTIONS)
    assert (
        dict(engine.options.logit_bias)["俺"] > 0 < engine.options.dry_multiplier
    )  # and does not go round in circles
    engine.kind = "novel"
    Responder(engine, company).speak("甲", TALK[:1], Setting(), OPTIONS)
    assert engine.options.dry_multiplier == 0
    Responder(ScriptedEngine(["好。"]), company).speak(
        "甲", TALK[:1], Setting(), OPTIONS
    )  # an engine that cannot is not asked to


def test_the_candidate_that_is_shown_sounds_right_says_something_new_and_is_whole():
    voices = Voices([(one.speaker, one.text) for one in LINES * 2], ["甲", "乙"])

    def best(*texts: str, before=(), question="如何是好？"):
        return weigh([reply(text) for text in texts], "甲", question, voices=voices, before=before)[
            0
        ].text

    assert best("小生不敢当此。", "俺自去厮杀！") == "俺自去厮杀！"
    assert best("俺自去厮杀！", "俺要吃酒去。", before=["俺自去厮杀！"]) == "俺要吃酒去。"
    assert best("俺去。", "俺便走一遭。") == "俺便走一遭。"
    cut = weigh([reply("俺自去厮杀", "length"), reply("小生不敢当此。")], "甲", "", voices=voices)
    assert cut[0].text == "小生不敢当此。" and not cut[1].complete
    genericness = Genericness(["此事如何是好", "如何是好啊", "这如何是好"] * 3 + ["水泊里芦花白了"])
    assert genericness.of("如何是好") > 2 and genericness.of("芦花白了") == 0
    assert (
        weigh([reply("如何是好啊。"), reply("芦花白了。")], "甲", "", genericness=genericness)[
            0
        ].text
        == "芦花白了。"
    )
    assert (
        weigh([reply("俺要吃酒去。"), reply("俺的板斧在此。")], "甲", "板斧何在？")[0].text
        == "俺的板斧在此。"
    )


# -- prompts -----------------------------------------------------------------------------------------------------------

CARD = Card(
    name="甲",
    cue="老甲",
    description="甲是好汉。",
    book=Lorebook(entries=(Entry(keys=("梁山",), content="梁山在水泊里。", name="梁山"),)),
)
TALK = (
    Said(name="客", text="梁山何在？", by_user=True),
    Said(name="乙", text="不知。"),
    Said(name="客", text="你说呢？", by_user=True),
)


def test_for_a_novel_it_is_prose_up_to_the_cue():
    prompt = write_prompt(
        ScriptedEngine([]),
        CARD,
        TALK,
        Setting(user="客", note="夜深了", summary="前文。", persona=True),
        room=500,
    )
    assert (
        prompt.request.messages[0].content
        == "甲是好汉。梁山在水泊里。前文。客问老甲曰：“梁山何在？”乙曰：“不知。”夜深了。客问老甲曰：“你说呢？”"
    )
    assert prompt.request.speaker == "老甲" and [part.title for part in prompt.parts][:2] == [
        "人物",
        "世界书：梁山",
    ]
    raw = write_prompt(
        ScriptedEngine([]), CARD, TALK[:1], Setting(as_speech=False, persona=False), room=500
    )
    assert raw.request.messages[0].content == "梁山在水泊里。梁山何在？"


def test_for_an_instruct_model_it_is_a_system_message_and_turns():
    engine = ScriptedEngine([])
    engine.kind = "template"
    prompt = write_prompt(engine, CARD, TALK, Setting(user="客", note="夜深了"), room=500).request
    assert [message.role for message in prompt.messages] == ["system", "user"]
    assert (
        "你就是甲" in prompt.messages[0].content
        and prompt.messages[1].content == "梁山何在？\n乙：不知。\n你说呢？\n（夜深了）"
        and prompt.speaker == "甲"
    )
    mine = (*TALK[:1], Said(name="甲", text="在水泊。"), *TALK[2:])
    begun = (Said(name="甲", text="来者何人？"), *TALK[:1], Said(name="甲", text="在水泊。"))
    told = write_prompt(engine, CARD, begun, Setting(), room=500).request.messages[1:]
    assert [message.role for message in told] == ["user", "assistant"] * 2 + [
        "user"
    ]  # what strict templates insist on
    assert [
        message.role
        for message in write_prompt(engine, CARD, mine, Setting(), room=500).request.messages
    ] == [
        "system",
        "user",
        "assistant",
        "user",
    ]


def test_what_does_not_fit_is_left_out_from_the_oldest_end():
    said = [Said(name="客", text=f"第{n}句" * 10, by_user=True) for n in range(30)]
    prompt = write_prompt(ScriptedEngine([]), CARD, said, Setting(persona=False), room=200)
    assert (
        0 < prompt.left_out < 30
        and "第29句" in prompt.request.messages[0].content
        and "第0句" not in prompt.request.messages[0].content
    )
    assert prompt.tokens <= 200


# -- whose turn it is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "order", "expected"),
    [
        ([("客", "秀才，你说。")], "named", "乙"),
        ([("客", "铁牛儿和秀才谁先？")], "named", "甲"),
        ([("客", "谁来？"), ("甲", "俺来。"), ("客", "还有呢？")], "turn", "乙"),
        (
            [("客", "谁来？"), ("甲", "俺来。"), ("乙", "小生也来。"), ("客", "再来？")],
            "turn",
            "甲",
        ),
        ([("甲", "秀才，看打！")], "model", "乙"),
        ([("甲", "看打！")], "model", "乙"),  # who spoke last is not asked for
    ],
)
def test_whose_turn_it_is(said, order, expected):
    responder = Responder(ScriptedEngine([]), COMPANY)
    turns = [Said(name=name, text=text, by_user=name == "客") for name, text in said]
    assert responder.next_speaker(["甲", "乙"], turns, order) == expected


THREE = Company(
    Cast(people=(person("甲", "老甲"), person("乙", "秀才"), person("丙", "掌柜")), lines=LINES)
)


@pytest.mark.parametrize(
    ("kind", "written", "next_one"),
    [
        ("novel", "掌柜曰：“秀才莫慌。”", "丙"),
        ("template", "秀才", "乙"),
        ("template", "不知道", "乙"),
        ("novel", "", "乙"),
    ],
)
def test_the_model_gives_the_word_and_where_it_names_nobody_they_take_turns(
    kind, written, next_one
):
    engine = ScriptedEngine([written])
    engine.kind = kind
    said = [
        Said(name="客", text="谁来？", by_user=True),
        Said(name="丙", text="且坐。"),
        Said(name="甲", text="看打！"),
    ]
    assert Responder(engine, THREE).next_speaker(["甲", "乙", "丙"], said, "model") == next_one
    (asked,) = engine.requests
    assert (asked.text or asked.messages[0].content).startswith(
        "客曰：“谁来？”丙曰：“且坐。”甲曰：“看打！”"
    )


def test_an_empty_scene_is_said():
    with pytest.raises(InputError, match="还没有人"):
        Responder(ScriptedEngine([]), COMPANY).next_speaker([], [], "named")


def test_what_no_longer_fits_is_summed_up_by_a_model_that_follows_orders():
    said = [
        Said(name="客" if n % 2 else "甲", text=f"第{n}句，" * 30, by_user=bool(n % 2))
        for n in range(60)
    ]
    engine = ScriptedEngine(["前情：两人说定明日出兵。"])
    assert (
        Responder(engine, COMPANY).summary(said).startswith("前情：") and not engine.requests
    )  # prose cannot be told to sum up
    assert len(Responder(engine, COMPANY).summary(said)) < 700
    engine.kind = "template"
    assert Responder(engine, COMPANY).summary(said) == "前情：两人说定明日出兵。"
    assert (
        "第59句" in engine.requests[0].messages[0].content
        and engine.prompt_tokens(engine.requests[0]) < engine.max_context
    )
    silent = ScriptedEngine([" "])
    silent.kind = "template"
    assert "第1句" in Responder(silent, COMPANY).summary(said[:3])


def test_several_candidates_are_weighed_and_shown_as_one():
    engine = ScriptedEngine(["小生不敢。", "俺自去厮杀！", "小生有礼了。"])
    spoken = Responder(engine, COMPANY).speak(
        "甲", TALK[:1], Setting(), OPTIONS, candidates=3, among=["甲", "乙"]
    )
    assert spoken.reply.text == "俺自去厮杀！" and len(spoken.weighed) == 3


# -- a conversation in the store ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["novel", "template"])
def test_the_summary_grows_with_what_is_left_out_until_the_user_writes_one(tmp_path: Path, kind):
    engine = ScriptedEngine(["好。" * 40])
    engine.kind, engine.max_context = kind, 500
    store = Store(tmp_path / "chats.db")
    play = ConversationService(
        lambda: [ServedModel(name="m", engine=engine, people=(Character(name="甲", cue="甲"),))],
        store,
    )
    tab, summaries = Tab(owner="x"), []
    for number in range(12):
        made = store.read(tab.chat, "x").summary.text if tab.chat else ""
        summaries.append(made)
        *_, (tab, _) = play.say(
            tab,
            "k",
            f"第{number}问：" + "如何？" * 12,
            "m",
            Scene(people=("甲",), summary=made),
            OPTIONS,
        )
    written = [
        request
        for request in engine.requests
        if "前情，两百字以内" in (request.messages[0].content if request.messages else "")
    ]
    assert summaries[0] == "" and summaries[-1].startswith("前情：")
    if kind == "novel":
        assert len(set(summaries)) > 6 and not written
    else:
        assert 2 <= len(written) <= 5  # as slow as a reply: not at every turn
    *_, (tab, _) = play.say(
        tab, "k", "再问？", "m", Scene(people=("甲",), summary="我写的前情。"), OPTIONS
    )
    assert store.read(tab.chat, "x").summary.text == "我写的前情。"


def test_when_nobody_can_answer_it_is_as_if_nothing_had_been_said(tmp_path: Path):
    class Broken(ScriptedEngine):
        def run(self, *_, **__):
            raise InputError("坏了", "修一修")

    store = Store(tmp_path / "chats.db")
    people = (Character(name="甲", cue="甲"),)
    play = ConversationService(
        lambda: [ServedModel(name="m", engine=Broken([]), people=people)], store
    )
    with pytest.raises(InputError, match="坏了"):
        list(play.say(Tab(owner="x"), "k", "在么？", "m", Scene(people=("甲",)), OPTIONS))
    assert store.chats("x") == []
    works = ConversationService(
        lambda: [ServedModel(name="m", engine=ScriptedEngine(["在。"]), people=people)], store
    )
    *_, (tab, grown) = works.say(Tab(owner="x"), "k", "在么？", "m", Scene(people=("甲",)), OPTIONS)
    assert [turn.text for turn in grown.chat.turns] == ["在么？", "在。"]
    with pytest.raises(InputError, match="坏了"):
        list(play.say(tab, "k", "还在么？", "m", Scene(people=("甲",)), OPTIONS))
    assert [turn.text for turn in store.read(tab.chat, "x").turns] == ["在么？", "在。"]


# -- files -------------------------------------------------------------------------------------------------------------

TURNS = [
    Turn(id=0, name="客", by_user=True, versions=("你好",)),
    Turn(id=0, name="甲", by_user=False, versions=("一", "二\n三"), chosen=1),
]


@pytest.mark.parametrize("form", ["jsonl", "txt", "md"])
def test_files_round_trip(form):
    title, turns = read(written(TURNS, form, "题", "客"), "x", "客")
    assert title == "题" and [(t.name, t.text, t.by_user) for t in turns] == [
        (t.name, t.text, t.by_user) for t in TURNS
    ]
    assert form != "jsonl" or turns[1].versions == ("一", "二\n三")


def test_sillytavern_and_our_old_files_are_read():
    rows = [
        {"user_name": "You", "character_name": "A", "create_date": "x", "chat_metadata": {}},
        {"name": "You", "is_user": True, "is_system": False, "mes": "hi", "extra": {}},
        {"name": "A", "is_user": False, "mes": "改过", "swipes": ["a", "b"], "swipe_id": 1},
    ]
    _, turns = read("".join(json.dumps(row) + "\n" for row in rows), "x", "客")
    assert [(t.name, t.text, t.by_user, t.versions) for t in turns] == [
        ("You", "hi", True, ("hi",)),
        ("A", "改过", False, ("a", "改过")),
    ]
    old = {
        "format": "custome-conversation-1",
        "turns": [{"user": "问", "speaker": "甲", "reply": "答"}],
    }
    assert [turn.text for turn in read(json.dumps(old), "x", "客")[1]] == ["问", "答"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a": 1}',
        '{"mes": 3}',
        "一段没有人名的话",
        "[1]",
        '{"turns": [{"user": 1}]}',
        '{"mes": "x"}\nnot json',
    ],
)
def test_other_files_are_refused_by_name(text):
    with pytest.raises((InputError, DataError), match="别的"):
        read(text, "别的.jsonl", "客")
