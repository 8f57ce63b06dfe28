"""What a game is about, as a file: places, things, people, rules, events, endings. Its shape is checked here, with the line of every
fault; whether its names fit together is `problems`, whether it can be won `proving`.

Keys are Chinese in a file and English over the API; both are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import DataError
from ...files import read_text

FORMAT: Literal[1] = 1
MOST = 300
"""Places, things, people, rules or events of one scenario."""
LONGEST = 2_000_000
"""Bytes of a scenario's file."""
KEYS = {
    "about": "说明", "aliases": "别名", "at": "在", "book": "书", "buys": "买进", "chance": "掷过", "chapter": "回", "check": "考验",
    "clock": "时辰", "counters": "计数", "difficulty": "难度", "do": "结果", "endings": "结局", "era": "时代", "events": "事件",
    "every": "每几回合", "exits": "出口", "failure": "不成", "failure_text": "不成时说", "fixed": "拿不动", "follows": "跟着", "format": "格式",
    "good": "好结局", "hour_turns": "一个时辰几回合", "hp": "体力", "id": "编号", "items": "东西", "key": "钥匙", "known_to": "知道的人",
    "least": "最少", "most": "最多", "name": "名", "needs": "要", "offset": "位置", "once": "只一次", "people": "人物", "places": "地方",
    "player": "主角", "price": "价钱", "quote": "原文", "relation": "好感", "rules": "规则", "said": "别的说法", "secrets": "秘密", "skill": "本事",
    "skills": "本事", "source": "出处", "start": "开始", "success": "成", "target": "对谁", "text": "说", "title": "题目", "to": "去",
    "topics": "话题", "trades": "做买卖", "trust": "好感到几才说", "using": "用什么", "verb": "做", "way": "方向", "wants": "想要", "what": "内容",
    "when": "当", "who": "谁", "words": "关键词",
}  # fmt: skip
"""Field → its key in a file."""
Name = Field(min_length=1, max_length=20, pattern=r"^\S+$")


class Part(BaseModel):
    """A piece of a scenario."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda field: KEYS[field],
        populate_by_name=True,
    )


class Source(Part):
    """Where in a book something stands."""

    book: str = ""
    chapter: int = 0
    offset: int = 0
    quote: str = ""


class Exit(Part):
    """A way out of a place."""

    to: str
    way: str = ""
    """How it is called: 东, 上船, 后门."""
    key: str = ""
    """What opens it; '' where it is open."""
    needs: tuple[str, ...] = ()
    """What must be so to go there."""


class Place(Part):
    name: str = Name
    aliases: tuple[str, ...] = ()
    about: str = ""
    exits: tuple[Exit, ...] = ()
    source: Source | None = None


class Item(Part):
    name: str = Name
    aliases: tuple[str, ...] = ()
    about: str = ""
    at: str = ""
    """A place, somebody, 我; '' for nowhere yet."""
    fixed: bool = False
    """It cannot be taken along."""
    price: int = Field(0, ge=0, le=10**6)
    """Of the counter 钱; 0 where it is not for sale."""
    source: Source | None = None


class Person(Part):
    name: str = Name
    aliases: tuple[str, ...] = ()
    about: str = ""
    at: str = ""
    hp: int = Field(0, ge=0, le=999)
    """0 for somebody who is not fought with."""
    skill: int = Field(0, ge=-5, le=10)
    """In a fight."""
    relation: int = Field(0, ge=-10, le=10)
    follows: bool = False
    trades: bool = False
    """Sells what they hold and buys what has a price."""
    wants: tuple[str, ...] = ()
    """Things that please them."""
    source: Source | None = None


class Player(Part):
    name: str = Name
    about: str = ""
    at: str
    hp: int = Field(10, ge=1, le=999)
    skills: dict[str, int] = {}


class Counter(Part):
    name: str = Name
    start: int = 0
    least: int = 0
    most: int = 10**6


class Secret(Part):
    name: str = Name
    what: str
    words: tuple[str, ...]
    """Whoever says all of these knows it."""
    known_to: tuple[str, ...] = ()
    trust: int = 1
    """How well one must stand with somebody to be told."""


class Check(Part):
    """2d6 and the skill must reach the difficulty."""

    skill: str
    difficulty: int = Field(ge=2, le=20)


class Rule(Part):
    """What can be done, when, and what becomes of it."""

    name: str = Name
    verb: str = Name
    said: tuple[str, ...] = ()
    """What else people say for the verb."""
    target: str = ""
    """A thing, a person, a place; '' for none."""
    using: str = ""
    """A thing one holds, or a topic."""
    needs: tuple[str, ...] = ()
    check: Check | None = None
    success: tuple[str, ...] = ()
    failure: tuple[str, ...] = ()
    once: bool = True
    text: str = ""
    failure_text: str = ""
    source: Source | None = None


class Event(Part):
    """What happens by itself."""

    name: str = Name
    who: str = ""
    """Whose doing it is: not where they are down."""
    when: tuple[str, ...] = ()
    every: int = Field(0, ge=0, le=1_000)
    """Every so many turns anew; 0: once."""
    chance: int = Field(0, ge=0, le=12)
    """2d6 must reach it; 0: surely."""
    do: tuple[str, ...] = ()
    text: str = ""
    source: Source | None = None


class Ending(Part):
    name: str = Name
    when: tuple[str, ...] = ()
    good: bool = False
    text: str = ""


class Scenario(Part):
    """All of it."""

    format: Literal[1] = FORMAT
    id: str = Field(min_length=1, max_length=40, pattern=r"^[\w-]+$")
    title: str = Field(min_length=1, max_length=40)
    about: str = ""
    era: Literal["古", "今"] = "古"
    player: Player
    clock: tuple[str, ...] = ()
    """Hours of a day, in turn."""
    hour_turns: int = Field(6, ge=1, le=100)
    topics: dict[str, tuple[str, ...]] = {}
    """What one can ask about → other words for it."""
    places: tuple[Place, ...] = Field(min_length=1, max_length=MOST)
    items: tuple[Item, ...] = Field((), max_length=MOST)
    people: tuple[Person, ...] = Field((), max_length=MOST)
    counters: tuple[Counter, ...] = Field((), max_length=50)
    secrets: tuple[Secret, ...] = Field((), max_length=50)
    rules: tuple[Rule, ...] = Field((), max_length=MOST)
    events: tuple[Event, ...] = Field((), max_length=MOST)
    endings: tuple[Ending, ...] = Field(min_length=1, max_length=20)
    source: Source | None = None


class Lines:
    """Field → line of the file it stands on.

    A field is the path to it: ("rules", 2, "needs", 0).
    """

    def __init__(self, text: str = "") -> None:
        self._lines: dict[tuple[str | int, ...], int] = {}
        node = yaml.compose(text, yaml.SafeLoader) if text else None
        if node is not None:
            self._walk(node, ())

    def of(self, field: tuple[str | int, ...]) -> int:
        """Its line, or that of what it stands in; 0 where there is no file."""
        while field and field not in self._lines:
            field = field[:-1]
        return self._lines.get(field, 0)

    def _walk(self, node: yaml.Node, at: tuple[str | int, ...]) -> None:
        self._lines[at] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._walk(value, (*at, _FIELDS.get(key.value, key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self._walk(value, (*at, number))


_FIELDS: dict[str, str] = {}
for _field, _key in KEYS.items():
    _FIELDS.setdefault(_key, _field)


def read_scenario(path: Path) -> tuple[Scenario, Lines]:
    """A scenario's file, YAML or JSON, with its lines.

    Raises:
        DataError: not such a file; every fault of its shape with its line.
    """
    if path.is_file() and path.stat().st_size > LONGEST:
        raise DataError(f"{str(path)!r} 太大了", f"一份剧本不过 {LONGEST // 1_000_000} MB")
    return parse_scenario(read_text(path, "剧本"), str(path))


def parse_scenario(text: str, where: str = "剧本") -> tuple[Scenario, Lines]:
    """As `read_scenario`, of a text."""
    try:
        if any(isinstance(one, yaml.AliasEvent) for one in yaml.parse(text, yaml.SafeLoader)):
            raise DataError(f"{where}：不收 YAML 的别名（*）", "把它指的那一段照写一遍")
        raw = yaml.safe_load(text)
        lines = Lines(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"第 {mark.line + 1} 行" if mark is not None else ""
        raise DataError(
            f"{where} {line}不是写对了的 YAML：{_first(error)}", "改好再来，缩进要对齐"
        ) from error
    if not isinstance(raw, dict):
        raise DataError(f"{where} 里没有剧本", "要有 编号、题目、主角、地方、结局")
    return scenario_of(raw, where, lines), lines


def scenario_of(raw: dict[str, Any], where: str = "剧本", lines: Lines | None = None) -> Scenario:
    """A scenario from plain data.

    Raises:
        DataError: every fault of its shape.
    """
    try:
        return Scenario.model_validate(raw)
    except ValidationError as error:
        told = [_fault(one, lines or Lines()) for one in error.errors(include_url=False)]
        raise DataError(
            f"{where}：" + "；".join(told[:20]), "改好再来；各项的写法见 docs/adventure.md"
        ) from error


def as_file(scenario: Scenario) -> str:
    """The YAML of a scenario; what is as it always is is left out."""
    raw = scenario.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump({"格式": FORMAT, **raw}, allow_unicode=True, sort_keys=False, width=120)


def _fault(error: Any, lines: Lines) -> str:
    field = tuple(_FIELDS.get(one, one) if isinstance(one, str) else one for one in error["loc"])
    shown = ".".join(KEYS.get(one, one) if isinstance(one, str) else str(one + 1) for one in field)
    line = lines.of(field)
    says = _SAYS.get(error["type"], error["msg"])
    given = error.get("input")
    what = (
        f" {given!r}" if isinstance(given, str | int | float) and error["type"] != "missing" else ""
    )
    return (f"第 {line} 行 " if line else "") + f"{shown}{what[:60]} {says}"


_SAYS = {
    "missing": "没有写",
    "extra_forbidden": "不认识，是不是写错了",
    "string_pattern_mismatch": "里不能有空格和符号",
    "string_too_short": "不能空着",
    "too_short": "一个也没有",
    "string_type": "要是一句话",
    "int_type": "要是整数",
    "int_parsing": "要是整数",
    "tuple_type": "要是一列（前面加 - ）",
    "model_type": "要是一组（名: …）",
    "bool_parsing": "要是 true 或 false",
    "too_long": "太多了",
    "string_too_long": "太长了",
}


def _first(error: Exception) -> str:
    return str(getattr(error, "problem", "") or error).split("\n")[0][:120]
