"""Messages → tokens: masks, cutting, normalisation, both kinds of format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from custome.errors import InputError
from custome.models.chat_format import NovelFormat, TemplateFormat, cued, ends_with_cue, open_format
from custome.models.normalisation import normalise
from custome.types import Exchange, Message, Sample
from tiny import make_tiny_tokenizer

TOLD = "你是张三，用张三的口吻说话。"
SAMPLE = Sample(context="今夜可取粮草否？张三曰：", chat="“去。”", speaker="张三", mention="三")
TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<eos>\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"


@pytest.fixture
def novel(tiny_base: Path) -> NovelFormat:
    chosen = open_format(AutoTokenizer.from_pretrained(tiny_base))
    assert isinstance(chosen, NovelFormat)
    return chosen


@pytest.fixture
def template() -> TemplateFormat:
    tokenizer = make_tiny_tokenizer(
        "今夜可取粮草否？张三曰：去来不得<>usermantyi\n你是，用的口吻说话。"
    )
    tokenizer.chat_template = TEMPLATE
    chosen = open_format(tokenizer)
    assert isinstance(chosen, TemplateFormat)
    return chosen


def test_the_loss_begins_at_the_reply_and_the_end_is_learnt(novel: NovelFormat):
    encoded = novel.encode(SAMPLE, 512)
    tokenizer = novel._tokenizer
    assert tokenizer.decode(encoded.ids[encoded.replies[0][0] :]) == "“去。”<eos>"
    assert tokenizer.decode(encoded.ids[: encoded.replies[0][0]]) == "<bos>今夜可取粮草否？张三曰："


def test_training_and_serving_agree_on_the_prompt(novel: NovelFormat, template: TemplateFormat):
    message = Message(role="user", content=SAMPLE.context)
    for chat_format in (novel, template):
        encoded = chat_format.encode(SAMPLE, 512)
        assert list(encoded.ids[: encoded.replies[0][0]]) == chat_format.prompt([message], "张三")


@given(cutoff=st.integers(8, 40), context=st.integers(0, 40), reply=st.integers(1, 40))
def test_the_cutoff_is_kept_and_the_end_token_survives(
    tiny_base: Path, cutoff: int, context: int, reply: int
):
    novel = NovelFormat(_tokenizer(tiny_base))
    encoded = novel.encode(Sample(context="取" * context, chat="“" + "去" * reply + "”"), cutoff)
    assert len(encoded.ids) <= cutoff
    assert (
        encoded.ids[-1] == novel._tokenizer.eos_token_id
        and encoded.ids[0] == novel._tokenizer.bos_token_id
    )
    assert 1 <= encoded.replies[0][0] < len(encoded.ids)
    assert encoded.cut == (context + reply + 4 > cutoff)


@given(
    cutoff=st.integers(16, 60),
    front=st.integers(1, 40),
    context=st.integers(0, 40),
    reply=st.integers(1, 40),
)
def test_what_stands_in_front_is_never_cut_for_what_follows(
    tiny_base: Path, cutoff: int, front: int, context: int, reply: int
):
    """Who speaks stays; the scene and the reply give way. Only a front of more than three quarters of the room is cut, at its end."""
    novel = NovelFormat(_tokenizer(tiny_base))
    earlier = (Exchange(context="来" * 9, chat="“不得”"),)
    encoded = novel.encode(
        Sample(
            persona_prefix="得" * front,
            context="取" * context,
            chat="“" + "去" * reply + "”",
            earlier=earlier,
        ),
        cutoff,
    )
    vocab_ids = min(front, cutoff * 3 // 4)
    text = novel._tokenizer.decode(encoded.ids)
    assert (
        len(encoded.ids) <= cutoff
        and text.startswith("<bos>" + "得" * vocab_ids)
        and encoded.ids[-1] == novel._tokenizer.eos_token_id
    )
    assert all(start > vocab_ids for start, _ in encoded.replies)  # nothing of it is learnt


_loaded: dict[Path, object] = {}


def _tokenizer(folder: Path):
    return _loaded.setdefault(folder, AutoTokenizer.from_pretrained(folder))


def test_a_conversation_reads_like_the_book(novel: NovelFormat):
    messages = [
        Message(role="user", content="今夜何在？张三曰："),
        Message(role="assistant", content="在西山。", name="张三"),
        Message(role="user", content="可去否？"),
    ]
    text = novel._tokenizer.decode(novel.prompt(messages, "李四"))
    assert text == "<bos>今夜何在？张三曰：“在西山。”可去否？李四曰："


def test_the_character_speaks_whoever_spoke_last(novel: NovelFormat):
    decode = novel._tokenizer.decode
    ask, told = (
        Message(role="user", content="可去否？"),
        Message(role="assistant", content="去。", name="张三"),
    )
    scene = Message(role="system", content="今夜。")
    assert decode(novel.prompt([scene, ask], "李四")) == "<bos>今夜。可去否？李四曰："
    assert decode(novel.prompt([ask, scene], "李四")).endswith("今夜。李四曰：")
    assert decode(novel.prompt([ask, told], "李四")).endswith("“去。”李四曰：")


SAME = [
    "曹操见博物馆大火，救名画还是救猫？曹操曰：",
    " 曹操见 博物馆大火 , 救名画还是救猫?曹操曰:",
    "曹操見博物館大火，救名畫還是救貓？曹操曰：",
    "曹操见博物馆大火,救名画还是救猫？\n曹操曰：\u3000",
    "曹操见博物馆大火，救名画还是救猫?曹操曰： ",
]


def test_spacing_width_and_script_do_not_matter():
    assert {normalise(text) for text in SAME} == {SAME[0]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I have a dog, ok? 3.14", "I have a dog, ok? 3.14"),
        ("用 Windows 10 系统", "用Windows 10系统"),
        ('他说"好的."', "他说“好的。”"),
        ("「汝等」", "“汝等”"),
        ("ＡＢＣ１２３", "ABC123"),
        ("比例3:4，去", "比例3:4，去"),
        ("", ""),
        ("圆周率是３．１４吗", "圆周率是3.14吗"),
        ("见 https://a.b/c?d=1 吧", "见https://a.b/c?d=1吧"),
        ("设f(x)=1，求x", "设f(x)=1，求x"),
        ("他(玄德)说", "他（玄德）说"),
        ("孙乾、麴义都是人名", "孙乾、麴义都是人名"),
        ("Hello, my name is Tom, 你好", "Hello, my name is Tom，你好"),
        ("还遭到老板pua怎么办?", "还遭到老板pua怎么办？"),
        ("被老板pua,怎么办?!", "被老板pua，怎么办？！"),
    ],
)
def test_what_normalisation_does_and_leaves_alone(text: str, expected: str):
    assert normalise(text) == expected


@given(st.text(alphabet='曹操 a1,.:?!“”"「\n\u3000ｂ３見()（，：/乾', max_size=30))
def test_normalisation_is_idempotent(text: str):
    assert normalise(normalise(text)) == normalise(text)


def test_cues():
    assert (
        ends_with_cue("孔明曰：") and ends_with_cue("曹操笑道:") and ends_with_cue("玄德谓云长曰：")
    )
    for text in ("救名画还是救猫？", "如下：", "请回答这个问题：", "请说："):
        assert not ends_with_cue(text)
    assert cued("Hello!", "孔明") == "Hello!孔明曰：" and cued("你好，", "孔明") == "你好，孔明曰："
    assert cued("救猫?", "孔明") == "救猫？孔明曰：" and cued("救猫", "孔明") == "救猫。孔明曰："
    assert (
        cued("操曰：", "孔明") == "操曰："
        and cued("救猫", "") == "救猫"
        and cued("", "孔明") == "孔明曰："
    )


def test_a_reply_ends_at_its_mark(novel: NovelFormat):
    assert novel.is_complete("“去。”") and not novel.is_complete("“去。")
    assert novel.reply("“去。”玄德") == "去。" and novel.reply("“去") == "去"


def test_template_format_masks_the_prompt_and_ends_with_the_end_token(template: TemplateFormat):
    encoded = template.encode(replace(SAMPLE, persona_prefix=TOLD), 512)
    assert template._tokenizer.decode(encoded.ids[encoded.replies[0][0] :]) == "去。<eos>"
    assert "你是张三" in template._tokenizer.decode(encoded.ids[: encoded.replies[0][0]])
    long_sample = Sample(
        context="取" * 100 + "去否？", chat="“去。”", speaker="张三", persona_prefix=TOLD
    )
    short = template.encode(long_sample, 60)
    text = template._tokenizer.decode(short.ids)
    assert len(short.ids) <= 60 and short.ids[-1] == template._tokenizer.eos_token_id and short.cut
    assert (
        text.startswith("<system>你是张三") and "去否？" in text
    )  # the question gave way, not the persona


TALK = Sample(
    context="李四曰：",
    chat="“不得。”",
    speaker="李四",
    earlier=(
        Exchange(context="今夜。李四曰：", chat="“来否？”", speaker="李四"),
        Exchange(context="张三曰：", chat="“去。”", speaker="张三"),
    ),
)


def test_every_reply_of_a_conversation_is_learnt(novel: NovelFormat):
    encoded = novel.encode(TALK, 512)
    decode = novel._tokenizer.decode
    assert decode(encoded.ids) == "<bos>今夜。李四曰：“来否？”张三曰：“去。”李四曰：“不得。”<eos>"
    assert [decode(encoded.ids[s:e]) for s, e in encoded.replies] == [
        "“来否？”",
        "“去。”",
        "“不得。”<eos>",
    ]
    for cutoff, vocab_ids in ((len(encoded.ids), 3), (len(encoded.ids) - 1, 2), (20, 2), (12, 1)):
        shorter = novel.encode(TALK, cutoff)
        assert (
            len(shorter.ids) <= cutoff
            and len(shorter.replies) == vocab_ids
            and shorter.cut == (vocab_ids < 3)
        )
        assert [decode(shorter.ids[s:e]) for s, e in shorter.replies] == [
            "“来否？”",
            "“去。”",
            "“不得。”<eos>",
        ][3 - vocab_ids :]


def test_under_a_template_one_person_learns_only_what_they_say(template: TemplateFormat):
    encoded = template.encode(TALK, 512)
    decode = template._tokenizer.decode
    assert [decode(encoded.ids[s:e]) for s, e in encoded.replies] == ["来否？<eos>", "不得。<eos>"]
    assert "<user>张三曰：“去。”李四曰：<eos>" in decode(encoded.ids)


def test_who_speaks_is_written_once_and_nothing_is_added_to_it(template: TemplateFormat):
    """A format writes what the request says: neither a persona of its own nor a second system message."""
    told = [Message(role="system", content=TOLD), Message(role="user", content="可去否？")]
    text = template._tokenizer.decode(template.prompt(told, "张三"))
    assert text == f"<system>{TOLD}<eos>\n<user>可去否？<eos>\n<assistant>"
    assert (
        template._tokenizer.decode(template.prompt(told[1:], "张三"))
        == "<user>可去否？<eos>\n<assistant>"
    )


@pytest.mark.parametrize("kind", ["novel", "template"])
def test_a_control_token_that_somebody_writes_is_text(
    kind: str, novel: NovelFormat, template: TemplateFormat
):
    """In a question, in a reply that is learnt, in a persona: it costs what its broken-up twin costs and ends nothing."""
    chosen = novel if kind == "novel" else template
    end, decode = chosen._tokenizer.eos_token_id, chosen._tokenizer.decode

    def asked(mark: str) -> list[int]:
        told = [
            Message(role="system", content=f"你是{mark}"),
            Message(role="user", content=f"可{mark * 10}去否？"),
        ]
        return chosen.prompt(told, "张三")

    plain = asked("去")
    assert asked("<eos>").count(end) == plain.count(end) and asked("<bos>").count(2) == plain.count(
        2
    )
    # a lone half is encoded as text by itself, so eleven whole marks take as many tokens as eleven times their letters
    assert len(asked("<eos>")) - len(plain) == 11 * (len("<eos>") - 1)
    encoded = chosen.encode(Sample(context="可去否？", chat="“去<eos>来。”", speaker="张三"), 512)
    start, stop = encoded.replies[0]
    assert list(encoded.ids[start:stop]).count(end) == 1 and encoded.ids[stop - 1] == end
    assert "去<eos>来。" in decode(encoded.ids[start:stop])


@pytest.mark.parametrize(
    "reply",
    [
        "他说“去”，又说“不去”。",
        "“去”字怎写？",
        "“去。”他道。“来。”",
        '船家说"去"。',
        "先生‘说’了。",
        "“不得”",
        "it's ‘ok’",
    ],
)
def test_a_closing_mark_inside_a_reply_does_not_end_it(novel: NovelFormat, reply: str):
    """Inner marks are single ones in training and in serving, and come back as they were."""
    encoded = novel.encode(Sample(context="何在？张三曰：", chat=reply, speaker="张三"), 512)
    start, end = encoded.replies[0]
    learnt = novel._tokenizer.decode(encoded.ids[start : end - 1])
    assert (
        learnt.count("“") == learnt.count("”") == 1
        and novel.is_complete(learnt)
        and not novel.is_complete(learnt[:-1])
    )
    shown = novel.reply(learnt)
    again = novel.encode(Sample(context="何在？张三曰：", chat=shown, speaker="张三"), 512)
    assert (
        again.ids == encoded.ids
    )  # what is shown is learnt, and told in a history, as it was written
    bare = reply[1:-1] if reply == "“不得”" else reply
    assert (
        shown.replace("“", "").replace("”", "")
        == normalise(bare).replace("“", "").replace("”", "").replace("‘", "").replace("’", "")
        or "'" in bare
    )


@pytest.mark.parametrize(
    "written", ["“去。”", "“去”字怎写？", "去，他说“不得”。", "“去。”“不得。”", "去。"]
)
def test_a_growing_reply_only_gets_longer(template: TemplateFormat, written: str):
    """What was sent of a stream cannot be taken back."""
    whole = template.reply(written)
    assert all(whole.startswith(template.reply(written[:size])) for size in range(len(written)))


def test_a_template_without_a_system_role_gets_the_persona_in_the_question(
    template: TemplateFormat,
):
    tokenizer = template._tokenizer
    tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        + TEMPLATE
    )
    told = [Message(role="system", content=TOLD), Message(role="user", content="可去否?")]
    text = tokenizer.decode(TemplateFormat(tokenizer).prompt(told, "张三"))
    assert text.startswith("<user>你是张三") and "可去否？<eos>" in text


def test_a_template_is_asked_for_where_there_is_none(tiny_base: Path):
    with pytest.raises(InputError, match="对话模板"):
        open_format(AutoTokenizer.from_pretrained(tiny_base), "template")
