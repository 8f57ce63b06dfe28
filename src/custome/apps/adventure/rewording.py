"""A turn's own sentences in other words, by a model: for the sound of it, never for what is so. A small model that is given facts makes
up the rest; given whole sentences it keeps to them (docs/log.md), and what does not is thrown away.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ...engine.base import Cancel, Engine
from ...types import GenerateOptions, Message, Request
from .state import State
from .world import World

TRIES = 4
LEAST_SURE = -0.8
"""Nats a token; what a model was less sure of makes no sense more often than not."""
KEPT = 0.6
"""Share of the letters of our own sentences that comes back."""
SHORTER, LONGER = 0.7, 1.7
"""How long other words may be, of our own."""
_ORDER = "把一段叙述换个说法，写得像小说。意思、人物、东西、地方都不变，不加新的事，称主角为“你”。"
_SHOTS = (
    ("你到了渡口。木桩上系着一条船，水声很响。老艄公抬头看了看你。",
     "你走到渡口，只听得水声很响，木桩上系着的那条船随着浪一起一落。老艄公听见动静，抬起头来看了看你。"),
    ("你把铜镜收了起来。镜背上刻着两只鸟。", "你把那面铜镜收进怀里，手指摸得到镜背上刻着的两只鸟。"),
    ("你把干粮递给小乞丐，小乞丐接在手里。", "你把干粮递过去，小乞丐连忙伸出双手，接在手里。"),
    ("你抢上一步，打中了黑衣人。黑衣人伤了。", "你抢上一步，这一下正打在黑衣人身上，把他打伤了。"),
    ("你等了一会儿。这时已是夜里。陈师爷看了你一眼，没有说话。", "你等了一会儿，不知不觉已是夜里。陈师爷看了你一眼，始终没有说话。"),
)  # fmt: skip
"""(our own sentences, other words); version 1."""
_THINGS = frozenset(
    "牛马羊狗犬猫鸡鸭鹅猪虎豹狼猴蛇鸟雀鸦燕鱼虫蝶龙刀剑枪棍棒斧弓箭矛盾鞭盔鼓锣旗船舟帆桨橹车轿灯笼烛火炉灶锅碗盏杯壶瓶坛酒茶饭粥饼肉菜果枣瓜花草树柳林竹松荷山峰崖洞石河江海湖"
    "溪潭井泉桥街巷门窗墙壁瓦屋房楼阁塔庙寺庵殿院园城村寨营帐店铺集桌案椅凳床榻帘柜匣盒袋篮篓筐书纸笔墨画印符牌钥锁绳布绸衣袍衫裙帽巾靴鞋银钱珠玉镜扇伞药毒血尸骨墓坟棺兵卒官吏差僧尼婆翁妇孩"
    "童娃女男爹娘爷奶哥弟姐妹嫂叔敌贼匪盗丫鬟仆奴钟琴笛箫鬼怪妖仙佛雨雪霜雷电雾烟云霞月阳尘糖米豆麦锚桅缆柴炭油铁铜"
)
"""Characters that name things, people, buildings, weather: none may come that was not there."""
_HARMLESS = re.compile(
    "一会儿|这儿|那儿|哪儿|有点儿|花了|星星点点|石沉|路过|一路|上路|门口|门外|门前|屋里|屋外|房里|院里"
)
_MIND = re.compile(
    "心|想|觉|感到|似乎|仿佛|好像|等待|期待|决定|打算|希望|害怕|明白|激动|惊讶|惊喜|好奇|得意|终于|突然|忽然"
)
_CHANGES = re.compile(
    "递|接|得到|失去|丢|掉|交给|拿走|捡|拾|偷|抢|送|赠|开|关|锁|死|杀|伤|血|倒|昏|离|走进|进来|出来|出去|进去|跑|逃|追|消失|出现|变|不见|跪|拜|抱|拉|拽|扶|牵|挖|烧|炸|断|碎|破|沉"
)
"""What changes something: none may come that was not there."""
_FOREIGN = re.compile('[“”"「」：:A-Za-z0-9\u3040-\u30ff\uac00-\ud7af\ufffd]|说道|回答|游戏|叙述')
_NO = re.compile("[不没未无]")
_LETTERS = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, kw_only=True)
class Reworded:
    """Other words for a turn, and how many tries they took; '' where none would do."""

    text: str
    tries: int


class Rewriter:
    """A model that says our own sentences in other words."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def reworded(
        self, world: World, state: State, own: str, seed: int, cancel: Cancel | None = None
    ) -> Reworded:
        """Other words for `own`.

        Args:
            state: what is so after the turn.
            seed: another one gives other words.
        """
        for attempt in range(TRIES):
            text, sure = self._tried(own, seed + attempt, cancel)
            if cancel is not None and cancel.is_set():
                break
            if sure >= LEAST_SURE and text != own and not astray(world, state, own, text):
                return Reworded(text=text, tries=attempt + 1)
        return Reworded(text="", tries=TRIES)

    def _tried(self, own: str, seed: int, cancel: Cancel | None) -> tuple[str, float]:
        shots = [
            message
            for plain, told in _SHOTS
            for message in (
                Message(role="user", content=plain),
                Message(role="assistant", content=told),
            )
        ]
        order = Message(role="system", content=_ORDER)
        request = Request(messages=(order, *shots, Message(role="user", content=own)))
        wanted = GenerateOptions(
            max_new_tokens=round(len(own) * 1.5) + 24,
            temperature=0.5,
            top_p=0.95,
            repetition_penalty=1.0,
            seed=seed,
            afresh=False,
            stop=("\n",),
            strength=0.0,
            as_written=True,
            logprobs=0,
        )
        more = {name: getattr(wanted, name) for name in sorted(self._engine.supports)}
        reply = self._engine.run(
            request, dataclasses.replace(GenerateOptions(), **more), None, cancel
        )
        sure = 0.0
        if reply.logprob is not None:
            sure = reply.logprob / max(1, reply.completion_tokens)
        whole = reply.text.strip() if reply.finish_reason == "stop" else ""
        return whole, sure


def astray(world: World, state: State, own: str, text: str) -> str:
    """What stands in other words that our own do not say, or the other way round; '' where they say the same.

    Args:
        state: what is so after the turn.
    """
    if not SHORTER * len(own) <= len(text) <= LONGER * len(own) or text[-1] not in "。！？…":
        return "长短"
    for pattern in (_FOREIGN, _MIND, _CHANGES):
        for found in pattern.findall(text):
            if found not in own:
                return str(found)
    new = {c for c in _HARMLESS.sub("", text) if c in _THINGS and c not in own}
    if new:
        return "".join(sorted(new))
    for called, name in _everybody(world):
        here = any(word in own for word in called)
        if here != any(word in text for word in called):
            return name
    if abs(len(_NO.findall(own)) - len(_NO.findall(text))) > 1:
        return "不"
    letters = set(_LETTERS.findall(own))
    same = len(letters & set(_LETTERS.findall(text)))
    return "" if same >= KEPT * len(letters) else "意思"


def _everybody(world: World) -> Iterable[tuple[tuple[str, ...], str]]:
    """(what somebody or something is called, their name)."""
    scenario = world.scenario
    for person in scenario.people:
        yield (person.name, *person.aliases), person.name
    for thing in scenario.items:
        yield (thing.name, *thing.aliases), thing.name
    for place in scenario.places:
        yield (place.name,), place.name
