"""Texts in which it is written who speaks: each form is recognised by what is in it, and its speakers are taken as written."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from custome.cli.app import main
from custome.corpus.folder import CorpusFolder
from custome.corpus.plain_form import plain, utterances_of
from custome.corpus.private import hidden
from custome.corpus.text import Novel
from custome.corpus.transcripts import recognise

PLAY = """第一幕
时间：夏夜
人物：阿宁、老周
（灯亮。远处有狗叫。）
阿宁：门外是谁？
老周（放下伞）：是我。雨大得很。
阿宁：进来吧。
（老周进屋。）
老周：灯呢？
第二幕
阿宁：天亮了。
老周：该走了。
"""
SPACED = """阿　宁　　（抬头）门外是谁？
老　周　　是我。
　　　　〔雷声。
阿　宁　　进来。
老　周　　灯呢？
阿　宁　　在桌上。
"""
BRACKETED = "【阿宁】门外是谁？\n【老周】是我。\n【阿宁】进来。\n【老周】灯呢？\n"
WORDS_AS_NAMES = "高兴：门外是谁？\n大家：是我们。\n高兴：进来。\n大家：好。\n高兴：坐。\n"
INTERVIEW = (
    "记者：您是哪年来的？\n老周：那年发大水。\n记者：后来呢？\n老周：就留下了。\n记者：谢谢您。\n"
)
QUESTIONS = "问：几点开门？\n答：九点。\n问：周末呢？\n答：十点。\n问：能退吗？\n答：七天内能。\n"
ENGLISH = (
    "ANNA: Who is there?\nBEN: It is me.\nANNA: Come in.\nBEN (sits): Thank you.\nANNA: Tea?\n"
)
SRT = """1
00:00:01,000 --> 00:00:02,500
阿宁：门外是谁？

2
00:00:03,000 --> 00:00:04,000
<i>老周：是我。</i>

3
00:00:05,000 --> 00:00:06,000
（雨声）
"""
VTT = "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\n阿宁：门外是谁？\n\n00:00:03.000 --> 00:00:04.000\n【老周】是我。\n"
ASS = """[Script Info]
Title: x
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.00,Default,阿宁,0,0,0,,{\\i1}门外是谁？
Dialogue: 0,0:00:03.00,0:00:04.00,Default,老周,0,0,0,,是我，\\N雨大得很。
"""
GAME_CSV = 'id,角色,台词\n1,阿宁,门外是谁？\n2,老周,"是我，雨大。"\n3,,（开门）\n4,阿宁,进来。\n'
GAME_TSV = "speaker\ttext\n阿宁\t门外是谁？\n老周\t是我。\n"
GAME_JSON = json.dumps(
    [{"speaker": "阿宁", "text": "门外是谁？"}, {"speaker": "老周", "text": "是我。"}],
    ensure_ascii=False,
)
NESTED_JSON = json.dumps(
    {
        "scenes": [
            {"id": 1, "lines": [{"name": "阿宁", "line": "门外是谁？"}]},
            {"id": 2, "lines": [{"name": "老周", "line": "是我。"}]},
        ]
    },
    ensure_ascii=False,
)
QQ = """消息记录（此消息记录为文本格式，不支持重新导入）

================================================================
消息分组:我的好友
================================================================

2024-01-02 12:00:00 阿宁(123456789)
门外是谁？

2024-01-02 12:00:40 老周(987654321)
是我
雨大得很

2024-01-02 12:01:00 阿宁(123456789)
[图片]

2024-01-02 18:00:00 阿宁(555666777)
晚上好
"""
WECHAT = """阿宁 2024-01-02 12:00:00
门外是谁？

老周（同事） 2024-01-02 12:00:40
是我

老周（同事） 2024-01-02 12:00:55
雨大得很
"""
WECHAT_CSV = (
    "localId,StrTime,NickName,StrContent\n1,2024-01-02 12:00:00,阿宁,门外是谁？\n"
    "2,2024-01-02 12:00:40,老 周,是我\n"
)
ONE_LINE = "[2024/1/2 12:00] 阿宁：门外是谁？\n[2024/1/2 12:01] 老周: 是我\n[2024/1/2 下午3:01] 阿宁: 进来\n"
TELEGRAM = json.dumps(
    {
        "name": "群",
        "messages": [
            {"type": "service", "from": "x", "text": "joined"},
            {
                "type": "message",
                "date": "2024-01-02T12:00:00",
                "from": "阿宁",
                "text": "门外是谁？",
            },
            {
                "type": "message",
                "date": "2024-01-02T12:00:30",
                "from": "老周",
                "text": ["是我，看", {"type": "link", "text": "x.cn"}],
            },
        ],
    },
    ensure_ascii=False,
)
TWO = ["阿宁", "老周"]
INPUTS = {
    "play": (PLAY, "play", [*TWO, *TWO, *TWO]),
    "play with blanks": (SPACED, "play", [*TWO, *TWO, "阿宁"]),
    "play in brackets": (BRACKETED, "play", [*TWO, *TWO]),
    "names that are words": (WORDS_AS_NAMES, "play", ["高兴", "大家", "高兴", "大家", "高兴"]),
    "interview": (INTERVIEW, "play", ["记者", "老周", "记者", "老周", "记者"]),
    "questions": (QUESTIONS, "play", ["问", "答"] * 3),
    "English": (ENGLISH, "play", ["ANNA", "BEN", "ANNA", "BEN", "ANNA"]),
    "srt": (SRT, "subtitles", TWO),
    "srt of Windows": (SRT.replace("\n", "\r\n"), "subtitles", TWO),
    "vtt": (VTT, "subtitles", TWO),
    "ass": (ASS, "subtitles", TWO),
    "game csv": (GAME_CSV, "game", [*TWO, "阿宁"]),
    "game tsv": (GAME_TSV, "game", TWO),
    "game json": (GAME_JSON, "game", TWO),
    "game json, nested": (NESTED_JSON, "game", TWO),
    "QQ": (QQ, "chat", [*TWO, "阿宁·2"]),
    "WeChat": (WECHAT, "chat", ["阿宁", "老周·同事"]),
    "WeChat csv": (WECHAT_CSV, "chat", TWO),
    "one line each": (ONE_LINE, "chat", [*TWO, "阿宁"]),
    "Telegram": (TELEGRAM, "chat", TWO),
    "QQ cut in the middle": (QQ[: QQ.index("[图片]") - 30], "chat", TWO),
    "a chat of one person": (
        "2024-01-02 12:00:00 阿宁\n在吗\n2024-01-02 13:00:00 阿宁\n不在啊\n",
        "chat",
        ["阿宁", "阿宁"],
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_it_is_recognised_and_speakers_are_as_written(name: str):
    text, form, speakers = INPUTS[name]
    found = recognise(text)
    assert found is not None and found.form == form
    kept = plain(found, Counter())
    again = utterances_of(Novel(name="x", text=kept), None, form)
    assert again is not None and [one.speaker for one in again.utterances] == speakers
    for one in again.utterances:
        assert kept[one.offset : one.end].strip() == one.quote.strip("“”")
    assert again.utterances[0].quote in ("“门外是谁？”", "“在吗”") or name in (
        "interview",
        "questions",
        "English",
    )


@pytest.mark.parametrize(
    "text",
    [
        "第一回 某某\n宝生笑道：“来了。”\n阿宁道：“坐。”\n宝生道：“不坐。”\n阿宁道：“随你。”\n",
        "他走进来，说：好。\n外面下雨。\n她没有说话。\n",
        '["第一回 某某", "第二回 某某"]',
        "注意：\n一、带伞。\n二、带灯。\n",
        "",
        "宝生：“来了。”\n阿宁冷笑一声：“好！”\n他走了。\n" * 20,
        "那人 站在门口看。\n他们 走远了。\n" * 20,
        "周一\n早餐：粥\n午餐：面\n晚餐：饭\n" * 4,
        "【系统】你好\n" * 20,
        '[{"name": "第一章", "content": "宝生道：来。"}, {"name": "第二章", "content": "好。"}]',
        "他说," + "他走到河边看见一个人。" * 20_000,
        "[" * 100_000,
    ],
    ids=range(12),
)
def test_what_is_none(text: str):
    assert recognise(text) is None


def test_a_chat_is_told_by_its_rests_and_pictures_go():
    found, counts = recognise(QQ), Counter[str]()
    assert found is not None
    kept = plain(found, counts)
    assert kept.count("# 2024-01-02") == 2 and "老周：是我 雨大得很" in kept
    assert counts == {"图片、通知": 1}


def test_stage_directions_lead_up_to_what_is_said():
    found = recognise(PLAY)
    assert found is not None
    said = utterances_of(Novel(name="x", text=plain(found, Counter())), None, "play")
    assert said is not None
    first, second, *_ = said.utterances
    assert (
        first.context.endswith("（灯亮。远处有狗叫。）阿宁：")
        and second.context == "老周（放下伞）："
    )
    assert [one.chapter for one in said.utterances] == [1, 1, 1, 1, 2, 2]


# --- what is private ------------------------------------------------------------------------------------------------

PRIVATE = {
    "打13812345678找我": "电话",
    "电话 +86 138-1234-5678": "电话",
    "座机010-62345678": "电话",
    "身份证11010519491231002X": "身份证号",
    "卡号6222 0212 3456 7894": "卡号",
    "发到an.ning@example.com.cn": "邮箱",
    "加我微信：an_ning88": "账号",
    "QQ号12345678": "账号",
    "验证码是482913": "密钥",
    "key是sk-abcdefghijklmnop1234": "密钥",
    "我住在江城市东湖区长街路12号3栋402": "地址",
    "寄到青石巷7号院2单元": "地址",
    "浦东新区张江路88弄5号101室": "地址",
    "tel.13812345678": "电话",
    "１３８１２３４５６７８": "电话",
    "密码12345678": "密钥",
    "api_key=abcdef1234567890": "密钥",
    "QQ群 123456789": "账号",
}
PUBLIC = (
    "今天13点见",
    "一共3800块",
    "2024-01-02 12:00见",
    "版本1.13.812",
    "第12号选手",
    "他跑了1381米",
    "微信上说",
    "圆周率3.14159265358979",
    "订单20240102123456",
    "走这条路，别走那条街",
    "密码忘了",
    "中山路很长",
    "task-management-system-v2",
    "token limit",
    "我走了很远的路3号再说",
    "这条路100号人都在排队",
    "微信 20240101",
)


@pytest.mark.parametrize("text", PRIVATE)
def test_what_is_private_goes(text: str):
    counts = Counter[str]()
    kept = hidden(text, counts)
    assert counts == {PRIVATE[text]: 1} and f"〔{PRIVATE[text]}〕" in kept
    assert not any(
        run in kept for run in ("138", "6222", "1949", "example", "an_ning", "4829", "402")
    )


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_not_private_stays(text: str):
    counts = Counter[str]()
    assert hidden(text, counts) == text and not counts


# --- through the command --------------------------------------------------------------------------------------------


def chat_of(turns: int) -> str:
    rows = []
    for number in range(turns):
        who = TWO[number % 2]
        rows.append(f"2024-01-{1 + number // 8:02} 12:{10 + number % 8:02}:00 {who}")
        rows.append(f"第{number}件事办得怎么样了，打1381234{5000 + number}说")
    return "\n".join(rows) + "\n"


def test_a_chat_becomes_a_corpus_and_stays_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source, folder = tmp_path / "群聊.txt", tmp_path / "corpus"
    source.write_text(chat_of(60), encoding="utf-8")
    assert main(["corpus", "build", str(source), "-o", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "认作聊天记录" in told and "隐去：电话" in told
    corpus = CorpusFolder(folder)
    rows = corpus.utterances()
    assert len(rows) == 60 and Counter(row["speaker"] for row in rows) == {"阿宁": 30, "老周": 30}
    assert "1381234" not in corpus.text("群聊") and corpus.info()["sources"][0]["form"] == "chat"
    assert main(["corpus", "fix", str(folder), "--alias", "老周=周师傅"]) == 0
    assert Counter(row["speaker"] for row in corpus.utterances()) == {"阿宁": 30, "周师傅": 30}
    assert corpus.info()["books"]["群聊"]["隐去：电话"] == 60
    people = json.loads((folder / "characters.json").read_text(encoding="utf-8"))
    assert {one["name"] for one in people} == {"阿宁", "周师傅"}
    assert main(["corpus", "report", str(folder)]) == 0


def test_a_nickname_with_a_number_is_none(tmp_path: Path):
    found = recognise(
        "2024-01-02 12:00:00 阿宁13812345678\n在吗\n2024-01-02 12:01:00 (123456789)\n在\n"
    )
    assert found is not None
    kept = plain(found, Counter())
    assert "138" not in kept and "123456789" not in kept and kept.count("：") == 2


def test_names_lose_numbers_in_every_export():
    """Two nicknames that differ by their numbers stay two people."""
    names = ("阿宁13812345678", "阿宁13912345678", "！！！")
    rows = [{"from": name, "type": "message", "text": "好"} for name in names]
    table = "昵称,内容\n" + "".join(f"{name},好\n" for name in names)
    for text in (
        json.dumps({"messages": rows}),
        table,
        json.dumps([{"sender": n, "content": "好"} for n in names]),
    ):
        found = recognise(text)
        assert found is not None and found.form == "chat"
        assert [one.name for one in found.lines] == ["阿宁〔电话〕", "阿宁〔电话〕·2", "无名"]


def test_chats_as_tables_are_chats():
    rows = [{"sender": "阿宁", "content": "打13812345678", "time": "2024-01-01 10:00"}] * 2
    account = {"chats": {"list": [{"messages": json.loads(TELEGRAM)["messages"]}]}}
    for text in (
        json.dumps(rows),
        json.dumps(account),
        "昵称,内容,日期\n阿宁,打13812345678,2024-01-01\n",
    ):
        found = recognise(text)
        assert found is not None and found.form == "chat" and "138" not in plain(found, Counter())


def test_the_newest_first_is_turned_around():
    text = "2024-01-03 12:00:00 阿宁\n后\n2024-01-02 12:00:00 老周\n先\n"
    found = recognise(text)
    assert found is not None
    kept = plain(found, Counter())
    assert kept.index("先") < kept.index("后") and kept.count("#") == 2


def test_roles_of_a_play_are_people(tmp_path: Path):
    play = tmp_path / "戏.txt"
    play.write_text("国王：谁在外面？\n侍卫：是使者。\n" * 12, encoding="utf-8")
    assert main(["corpus", "build", str(play), "-o", str(tmp_path / "c")]) == 0
    people = json.loads((tmp_path / "c" / "characters.json").read_text(encoding="utf-8"))
    assert {one["name"] for one in people} == {"国王", "侍卫"}


@pytest.mark.parametrize("text", ["a" * 40_000, "qq" * 20_000, "区" * 40_000, "1" * 40_000])
def test_long_runs_take_no_time(text: str):
    begun = time.monotonic()
    assert hidden(text, Counter()) == text
    assert time.monotonic() - begun < 5


def test_private_things_stay_where_one_asks_for_it(tmp_path: Path):
    source, folder = tmp_path / "群聊.txt", tmp_path / "corpus"
    source.write_text(chat_of(40), encoding="utf-8")
    command = ["corpus", "build", str(source), "-o", str(folder), "--keep-private"]
    assert main(command) == 0 and "1381234" in CorpusFolder(folder).text("群聊")


def test_a_novel_and_a_play_in_one_corpus(tmp_path: Path, tiny_novel: Path):
    play = tmp_path / "戏.txt"
    play.write_text(PLAY, encoding="utf-8")
    assert main(["corpus", "build", str(tiny_novel), str(play), "-o", str(tmp_path / "c")]) == 0
    forms = [one["form"] for one in CorpusFolder(tmp_path / "c").info()["sources"]]
    assert forms == ["novel", "play"]
