"""Modern prose: tags behind, what somebody does beside what they say, bare quotations in turn, thoughts without marks."""

from __future__ import annotations

import time

import pytest

from custome.corpus.dialogue import extract
from custome.corpus.text import Novel

CAFE = """第一章 雨夜
林舟推开咖啡馆的门，收了伞。

“你迟到了。”坐在窗边的苏晴头也不抬。

“堵车。”林舟拉开椅子坐下，“你点了什么？”

“美式。”

“又是美式，不苦吗？”

苏晴合上菜单，看着他。“苦才清醒。”

林舟笑了笑，把一张照片推到她面前。“认得这个人吗？”

她的手指停在半空。“你从哪里拿到的？”

“这你别管。”他放下杯子，“我只问你认不认得。”

苏晴沉默了很久。

“认得。”她终于说，“他是我哥。”

林舟心里一沉：这下麻烦了。

“老板！”门口有人喊，“两杯拿铁，带走。”

陈默从吧台后面探出头来：“好嘞，稍等。”

“他怎么也在这里？”苏晴压低声音问。

“我叫他来的。”林舟说。

陈默端着托盘走过来，把两杯水放在桌上。“谈得怎么样？”

没有人回答他。

“看来不太顺利。”陈默耸耸肩，转身走了。

【他到底知道多少？】苏晴想。

“走吧。”林舟站起来，“外面雨停了。”

“去哪儿？”

“去见你哥。”

苏晴抓起包，跟了上去。

第二章 天台
天台上风很大。苏航靠着栏杆抽烟，听见脚步声也没回头。

“哥。”苏晴叫了一声。

苏航的肩膀抖了一下。他慢慢转过身来，烟头掉在地上。

“你不该来。”

“我偏要来。”

“林舟，”苏航盯着她身后的男人，“是你带她来的？”

“是她自己要来的。”林舟摊开手。

“你以为我会信？”苏航冷笑。

“信不信由你。”林舟点了根烟，“我只是个带路的。”

苏晴上前一步，眼圈红了。“妈病了，你知道吗？”

苏航没说话。他别过脸去。

“什么时候的事？”过了半晌，他才开口。

“上个月。”苏晴哽咽道，“她天天念叨你。”

“我……”苏航张了张嘴，“我没脸见她。”

“放屁！”林舟忍不住骂了一句，“你妈等了你三年！”

“我知道。我都知道。”苏航蹲了下去，双手抱住头。

苏晴走过去，轻轻拍着他的背。

“回家吧。”
"""
CAFE_SPEAKERS = [
    "苏晴",
    "林舟",
    "林舟",
    "苏晴",
    "林舟",
    "苏晴",
    "林舟",
    "苏晴",
    "林舟",
    "林舟",
    "苏晴",
    "苏晴",
    "某人",
    "某人",
    "陈默",
    "苏晴",
    "林舟",
    "陈默",
    "陈默",
    "林舟",
    "林舟",
    "苏晴",
    "林舟",
    "苏晴",
    "苏航",
    "苏晴",
    "苏航",
    "苏航",
    "林舟",
    "苏航",
    "林舟",
    "林舟",
    "苏晴",
    "苏航",
    "苏晴",
    "苏晴",
    "苏航",
    "苏航",
    "林舟",
    "林舟",
    "苏航",
    "苏晴",
]
SCHOOL = """第1章 转学生
我叫许多多，今年十六岁。

早自习的铃声刚响，班主任周老师就领着一个女生走了进来。

“安静。”周老师敲敲讲台，“这位是新同学，叫叶小棠。”

我抬起头，看见她也在看我。

“你旁边有人吗？”她问。

“没有。”我赶紧把书包挪开。

叶小棠坐了下来，从包里掏出一支笔。

“谢谢。”

“不客气。我叫许多多。”

“许多多？”叶小棠扑哧一声笑了，“你爸妈真会起名字。”

我有点窘：“大家都这么说。”

“我觉得挺好听。”

下课后，胖子赵磊凑了过来。

“多多，新同学长得不错啊。”赵磊挤眉弄眼。

“闭嘴。”

“我又没说错。”赵磊一脸委屈，“你说是不是？”

我没理他。

叶小棠忽然转过头来。“你们在说我？”

赵磊吓得差点从椅子上摔下去。“没、没有！”

“他说你字写得好。”我替他解了围。

“是吗？”叶小棠把本子推过来，“那你们帮我看看这道题。”

赵磊挠了挠头。“这个……多多会。”

“我也不会。”我老实地说。

周老师不知什么时候站在了我们身后。“不会就来办公室问。”

我们三个人都不敢说话了。

第2章 办公室
“坐吧。”周老师指了指椅子。

叶小棠坐下，把本子摊开。

“老师，这一步我看不懂。”

“哪一步？”

“从这里到这里。”她用笔尖点着纸。

周老师推了推眼镜，沉吟片刻。

“许多多，你来讲。”

“我？”我傻了眼。

“对，就是你。”

我硬着头皮走上前去，结结巴巴地讲了一遍。没想到居然讲通了。

“原来如此。”叶小棠恍然大悟。

周老师满意地点点头：“不错嘛，许多多。”

“谢谢老师。”我松了一口气。
"""
SCHOOL_SPEAKERS = [
    "周老师",
    "周老师",
    "叶小棠",
    "许多多",
    "叶小棠",
    "许多多",
    "叶小棠",
    "叶小棠",
    "许多多",
    "叶小棠",
    "赵磊",
    "许多多",
    "赵磊",
    "赵磊",
    "叶小棠",
    "赵磊",
    "许多多",
    "叶小棠",
    "叶小棠",
    "赵磊",
    "许多多",
    "周老师",
    "周老师",
    "叶小棠",
    "周老师",
    "叶小棠",
    "周老师",
    "许多多",
    "周老师",
    "叶小棠",
    "周老师",
    "许多多",
]
SECT = """第一章 青云宗
「师弟，你又偷懒。」

秦墨从树上跳下来，拍了拍身上的叶子。「大师兄，我在打坐。」

「在树上打坐？」楚云河冷着脸。

「树上灵气足嘛。」秦墨嘿嘿一笑。

楚云河懒得和他计较，丢过去一个玉瓶。「师父赐的筑基丹。」

秦墨手忙脚乱地接住，眼睛都亮了。「真给我？」

「不要还我。」

「要要要！」秦墨连忙把玉瓶塞进怀里，「大师兄最好了。」

「哼。」

这时，山门外传来一声长啸。楚云河脸色一变，转身就走。

「怎么了？」秦墨追上去问道。

「有人闯山。」

「谁这么大胆子？」

楚云河没有回答，身形一闪，已经到了十丈之外。秦墨咬咬牙，提气跟了上去。

山门前，一名红衣女子负手而立。

「叫你们掌门出来。」红衣女子淡淡道。

「姑娘是何人？」楚云河抱拳问道。

「洛红衣。」

此言一出，众弟子哗然。

「魔教圣女！」有人惊呼。

秦墨躲在大师兄身后，小声道：「师兄，她很厉害吗？」

楚云河低声道：「十个你也不是她的对手。」

「那你呢？」

「……」楚云河沉默了一下，「半个。」

洛红衣轻笑一声。「两位商量好了没有？」

「洛姑娘，」楚云河沉声说道，「家师正在闭关，恕不见客。」

「那我就等。」洛红衣竟真的在石阶上坐了下来，「等到他出关为止。」

秦墨探出脑袋：「要等三年呢。」

「三年就三年。」

「那……你要不要吃点东西？」秦墨从怀里摸出半个烧饼。

楚云河额头青筋直跳。「秦墨！」

洛红衣看着那半个烧饼，忽然笑了。「拿来。」
"""
SECT_SPEAKERS = [
    "楚云河",
    "秦墨",
    "楚云河",
    "秦墨",
    "楚云河",
    "秦墨",
    "楚云河",
    "秦墨",
    "秦墨",
    "楚云河",
    "秦墨",
    "楚云河",
    "秦墨",
    "洛红衣",
    "楚云河",
    "洛红衣",
    "某人",
    "秦墨",
    "楚云河",
    "秦墨",
    "楚云河",
    "洛红衣",
    "楚云河",
    "楚云河",
    "洛红衣",
    "洛红衣",
    "秦墨",
    "洛红衣",
    "秦墨",
    "楚云河",
    "洛红衣",
]
NIGHT = """第一章 门
沈言推开门，心想：这下麻烦了。屋里一片漆黑。
“谁？”
“是我。”沈言摸到开关，“灯怎么坏了？”
林小雨从沙发后面站起来。“停电。”
她心里想，他怎么这么晚才来？
“我买了蜡烛。”沈言把袋子放在桌上。
“你倒是细心。”林小雨笑了。
沈言没接话，划着了火柴。他暗道，今晚不能再瞒她了。
“小雨，我有话跟你说。”
林小雨愣了一下。“什么话？”
沈言看着火苗。“我要走了。”
“去哪儿？”
“南方。”
林小雨转过身去。“什么时候走？”
“明天。”
"""
NIGHT_SPEAKERS = [
    "沈言",
    "林小雨",
    "沈言",
    "沈言",
    "林小雨",
    "林小雨",
    "沈言",
    "林小雨",
    "沈言",
    "沈言",
    "林小雨",
    "沈言",
    "林小雨",
    "沈言",
    "林小雨",
    "沈言",
]


def read(text: str) -> list[tuple[str, str]]:
    found = extract(Novel(name="x", text=text)).utterances
    return [(one.kind, one.speaker) for one in found if one.kind in ("speech", "thought")]


@pytest.mark.parametrize(
    ("text", "speakers", "wrong"),
    [
        (CAFE, CAFE_SPEAKERS, 2),
        (SCHOOL, SCHOOL_SPEAKERS, 2),
        (SECT, SECT_SPEAKERS, 3),
        (NIGHT, NIGHT_SPEAKERS, 0),
    ],
)
def test_who_speaks(text: str, speakers: list[str], wrong: int):
    found = [speaker for _, speaker in read(text)]
    assert len(found) == len(speakers)
    assert sum(one != other for one, other in zip(found, speakers, strict=True)) <= wrong


def test_thoughts_without_marks():
    thought = [speaker for kind, speaker in read(NIGHT) if kind == "thought"]
    assert thought == ["沈言", "林小雨", "沈言"]


def test_people_are_found_without_a_cue_of_dao():
    assert set(extract(Novel(name="x", text=CAFE)).table.people) == {"林舟", "苏晴", "苏航", "陈默"}


def test_a_book_with_cues_is_read_as_before():
    said = "\n".join(f"孙大郎笑道：“第{i}句。”钱勇摇头。" for i in range(12))
    assert {speaker for _, speaker in read(said)} == {"孙大郎"}


TALK = """第一章 桥
林舟推开门，收了伞。
“你迟到了。”坐在窗边的苏晴看着林舟。
“堵车。”林舟拉开椅子坐下，“你点了什么？”
“美式。”苏晴说。
“又是美式？”林舟笑了。
苏晴合上菜单。“苦才清醒。”
林舟看了看苏晴。“认得这个人吗？”
“不认得。”苏晴摇摇头。
“好吧。”林舟说。
"""


def last(more: str, count: int = 1) -> list[tuple[str, str]]:
    """(kind, speaker) of the quotations of what is added to a talk of two people."""
    found = extract(Novel(name="x", text=TALK + more)).utterances
    return [(one.kind, one.speaker) for one in found[-count:]]


@pytest.mark.parametrize("behind", ["这话让林舟愣住了。", "这时门开了。", "的确，苏晴是这么说的。"])
def test_words_that_end_are_said_whatever_stands_behind(behind: str):
    assert last(f"苏晴看着窗外。“我找了你一天了！”{behind}\n")[0][0] == "speech"


@pytest.mark.parametrize(
    "inside",
    [
        "他管这叫“幸福”。",
        "林舟想起母亲那句“做人要厚道！”，心里一酸。",
        "林舟在纸上写下“我不去了，再见。”，走了。",
    ],
)
def test_words_inside_a_sentence_are_not_said(inside: str):
    assert last(f"{inside}\n") == [("name", "")]


def test_who_acts_between_two_quotations_says_the_second():
    assert last("“你走吗？”林舟问。苏晴摇摇头。“不走。”\n", 2) == [
        ("speech", "林舟"),
        ("speech", "苏晴"),
    ]


def test_quotations_side_by_side_are_two_peoples():
    assert last("“你走吗？”林舟问苏晴。\n“不走。”“为什么？”“不想。”\n", 3) == [
        ("speech", "苏晴"),
        ("speech", "林舟"),
        ("speech", "苏晴"),
    ]


def test_whom_somebody_calls_so_does_not_tell_the_story():
    more = "我看着苏晴，我叫苏晴，她不理我。\n“走吧。”我说。\n"
    assert last(more) == [("speech", "我")]


def test_what_a_screen_says_is_nobodys():
    assert last("手机上显示：“余额不足，请充值。”\n") == [("speech", "")]


def test_thoughts_keep_their_own_words_in_front():
    found = extract(Novel(name="x", text=TALK + "林舟心想，这下麻烦了！\n")).utterances[-1]
    assert (found.kind, found.speaker) == ("thought", "林舟")
    assert found.context.endswith("林舟心想，")


def test_long_rows_take_no_square_of_time():
    text = TALK + "“好。”\n" * 6000 + "林舟心想：这下麻烦了！\n" * 2000
    start = time.process_time()
    extract(Novel(name="x", text=text))
    assert time.process_time() - start < 20


def test_thoughts_behind_colons_do_not_make_a_book_of_cues():
    text = TALK + "“走吧。”林舟站起来。\n林舟心想：这下麻烦了，不能再等。\n" * 12
    found = extract(Novel(name="x", text=text)).utterances
    assert {one.speaker for one in found if one.quote == "“走吧。”"} == {"林舟"}


def test_a_word_in_marks_is_no_turn_of_a_talk():
    more = "“走吗？”林舟问苏晴。\n他管这叫“散步”。\n“走。”\n“现在？”\n"
    assert last(more, 4) == [
        ("speech", "林舟"),
        ("name", ""),
        ("speech", "苏晴"),
        ("speech", "林舟"),
    ]
