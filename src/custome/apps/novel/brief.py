"""What somebody wants written: premise, people, world, how many chapters, what must and must not happen. Read from novel.yaml and
checked whole before a word is written: everything that is wrong is told at once, both lines where two contradict each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from ...errors import DataError
from ...files import atomic_file, read_text

MOST_CHAPTERS = 1_000
SHORTEST_CHAPTER, LONGEST_CHAPTER = 200, 20_000
"""Characters of a chapter."""
MOST_SCENES = 30
COMMON = frozenset(
    [
        "天地", "日月", "山水", "春秋", "东西", "先生", "大人", "一人", "二人", "众人", "老人", "小人", "女人",
        "男人", "今天", "明天", "方才", "如今", "这里", "那里", "自己", "什么", "平安", "高兴", "白云", "江南", "长安",
    ]
)  # fmt: skip
"""Words that stand in every text: whoever is called so cannot be found in it."""
Titles = Literal["plain", "couplet"]
Era = Literal["古", "今"]
Gender = Literal["", "男", "女"]
Part = Literal["", "主角", "帮手", "对头", "爪牙", "两面人", "长辈"]
PARTS: tuple[Part, ...] = ("主角", "帮手", "对头", "爪牙", "两面人", "长辈")
"""What somebody is in the plot; whoever has none given takes the next that nobody has."""
_PERSON = {
    "姓名": "name", "别名": "aliases", "戏份": "part", "性别": "gender", "身份": "role", "想要": "wants", "害怕": "fears", "长相": "looks",
    "说话": "speech", "关系": "ties", "第几回出场": "enters", "第几回死": "dies",
}  # fmt: skip
_SECRET = {"秘密": "what", "关键词": "words", "知道的人": "known_to"}
_PROMISE = {"伏笔": "what", "关键词": "words", "第几回埋": "planted", "第几回收": "paid"}
_BRIEF = {
    "书名": "title", "一句话": "premise", "时代": "era", "世界": "world", "参照": "after", "回数": "chapters", "每回字数": "length",
    "每回场数": "scenes", "回目": "titles", "种子": "seed", "要紧的东西": "things", "地点": "places", "人物": "people", "秘密": "secrets", "伏笔": "promises",
    "不许出现": "forbidden",
}  # fmt: skip


_CHOICES = {"titles": Titles, "era": Era, "gender": Gender, "part": Part}


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody of the story."""

    name: str
    aliases: tuple[str, ...] = ()
    part: Part = ""
    gender: Gender = ""
    role: str = ""
    wants: str = ""
    fears: str = ""
    looks: str = ""
    speech: str = ""
    ties: str = ""
    enters: int = 1
    """The first chapter in which they may appear."""
    dies: int = 0
    """The chapter in which they die; 0 where they live."""

    def may_act(self, chapter: int) -> bool:
        return self.enters <= chapter and (not self.dies or chapter <= self.dies)


@dataclass(frozen=True, kw_only=True)
class Secret:
    """What not everybody knows."""

    what: str
    words: tuple[str, ...]
    """Whoever says all of these in one breath knows it."""
    known_to: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What is shown once and must count later."""

    what: str
    words: tuple[str, ...]
    planted: int
    paid: int


@dataclass(frozen=True, kw_only=True)
class Brief:
    """All of it."""

    title: str
    premise: str
    era: Era = "古"
    world: str = ""
    after: str = ""
    """The book or corpus whose style is meant; '' for none."""
    chapters: int = 3
    length: int = 1_200
    """Characters of a chapter."""
    scenes: int = 0
    """Scenes of a chapter; 0: as many as a model that is not taught to write novels can fill it with."""
    titles: Titles = "plain"
    seed: int = 42
    """Same brief, same seed, same model: same text."""
    things: tuple[str, ...] = ()
    """What the story is about having: an account book, a letter; one for every dozen chapters, from the first again."""
    places: tuple[str, ...] = ()
    people: tuple[Person, ...] = ()
    secrets: tuple[Secret, ...] = ()
    promises: tuple[Promise, ...] = ()
    forbidden: tuple[str, ...] = ()
    """Words that never stand in it."""

    def aliases(self) -> dict[str, tuple[str, ...]]:
        """Name → what else its bearer is called."""
        return {one.name: one.aliases for one in self.people}

    def parts(self) -> dict[Part, tuple[str, ...]]:
        """Part → who has it."""
        free = [part for part in PARTS if part not in {one.part for one in self.people}]
        found: dict[Part, list[str]] = {part: [] for part in PARTS}
        for one in self.people:
            part = one.part or (free.pop(0) if free else "帮手")
            found[part].append(one.name)
        return {part: tuple(names) for part, names in found.items()}

    def named(self, text: str) -> tuple[str, ...]:
        """Who is named in a text, by whatever name."""
        return tuple(
            one.name
            for one in self.people
            if any(name in text for name in (one.name, *one.aliases))
        )

    def missing_parts(self) -> list[str]:
        """Parts that nobody has."""
        return [part for part, names in self.parts().items() if not names]

    def problems(self) -> list[str]:
        """Everything that is wrong; [] where nothing is."""
        return [*_sizes(self), *_names(self), *_times(self), *_references(self)]

    def checked(self) -> Brief:
        """Itself.

        Raises:
            DataError: everything that is wrong in it.
        """
        _complain(self.problems())
        return self


def _sizes(brief: Brief) -> list[str]:
    found = []
    if not brief.title.strip():
        found.append("书名：是空的，起一个")
    if not brief.premise.strip():
        found.append("一句话：是空的，写一句这本书讲什么")
    if not 1 <= brief.chapters <= MOST_CHAPTERS:
        found.append(f"回数：{brief.chapters:,}，应在 1 到 {MOST_CHAPTERS:,} 之间")
    if not SHORTEST_CHAPTER <= brief.length <= LONGEST_CHAPTER:
        found.append(
            f"每回字数：{brief.length:,}，应在 {SHORTEST_CHAPTER} 到 {LONGEST_CHAPTER:,} 之间"
        )
    if not 0 <= brief.scenes <= MOST_SCENES:
        found.append(f"每回场数：{brief.scenes}，应在 1 到 {MOST_SCENES} 之间，不写就是按字数")
    return found


def _names(brief: Brief) -> list[str]:
    found: list[str] = []
    bearer: dict[str, str] = {}
    for one in brief.people:
        for name in (one.name, *one.aliases):
            if len(name) < 2:
                found.append(f"人物 {one.name!r}：{name!r} 只有一个字，在文章里认不出来")
            elif name in COMMON:
                found.append(f"人物 {one.name!r}：{name!r} 是常用的词，在文章里认不出来，换一个")
            elif name in bearer:
                found.append(f"人物 {bearer[name]!r} 和 {one.name!r} 都叫 {name!r}")
            bearer.setdefault(name, one.name)
    for name, other in itertools.permutations(bearer, 2):
        if name in other and bearer[name] != bearer[other]:
            found.append(
                f"人物 {bearer[name]!r} 的 {name!r} 在 {bearer[other]!r} 的 {other!r} 里，分不开"
            )
    for word in brief.forbidden:
        if word in bearer:
            found.append(f"不许出现：{word!r}；人物：{bearer[word]!r} 就叫这个")
    return found


def _times(brief: Brief) -> list[str]:
    found = []
    for one in brief.people:
        where = f"人物 {one.name!r}"
        if one.enters < 1 or one.enters > brief.chapters:
            found.append(f"{where}：第 {one.enters} 回出场；回数：{brief.chapters}")
        if one.dies and one.dies < one.enters:
            found.append(f"{where}：第 {one.dies} 回死；第 {one.enters} 回出场")
        if one.dies > brief.chapters:
            found.append(f"{where}：第 {one.dies} 回死；回数：{brief.chapters}")
    heroes = [one for one in brief.people if one.name in brief.parts()["主角"]]
    chapters = range(1, brief.chapters + 1)
    empty = [number for number in chapters if not any(one.may_act(number) for one in heroes)]
    if heroes and empty:
        times = "；".join(
            f"{one.name!r} 第 {one.enters} 回出场" + (f"、第 {one.dies} 回死" if one.dies else "")
            for one in heroes
        )
        found.append(f"主角：{times}；第 {empty[0]} 回就一个都没有了")
    for promise in brief.promises:
        where = f"伏笔 {promise.what!r}"
        if not 1 <= promise.planted <= brief.chapters or promise.paid > brief.chapters:
            found.append(
                f"{where}：第 {promise.planted} 回埋，第 {promise.paid} 回收；回数：{brief.chapters}"
            )
        if promise.paid <= promise.planted:
            found.append(f"{where}：第 {promise.paid} 回收；第 {promise.planted} 回埋")
    return found


def _references(brief: Brief) -> list[str]:
    names = {one.name for one in brief.people}
    found = [
        f"秘密 {secret.what!r}：知道的人 {name!r} 不在人物里"
        for secret in brief.secrets
        for name in secret.known_to
        if name not in names
    ]
    told = [(one.what, one.words) for one in brief.secrets]
    for what, words in [*told, *((one.what, one.words) for one in brief.promises)]:
        if not what.strip():
            found.append(f"秘密和伏笔：关键词是 {'、'.join(words) or '空'} 的一条没有写是什么")
        if not words:
            found.append(f"{what!r}：没有写关键词，代码认不出它")
        found += [
            f"{what!r}：关键词 {word!r}；不许出现：{word!r}"
            for word in words
            if word in brief.forbidden
        ]
    return found


# -- as a file -------------------------------------------------------------------------------------------------------


def read_brief(path: Path) -> Brief:
    """Read novel.yaml.

    Raises:
        DataError: everything that is wrong in it.
    """
    try:
        raw = yaml.safe_load(read_text(path, "小说设定"))
    except yaml.YAMLError as error:
        raise DataError(
            f"{str(path)!r} 不是 YAML：{' '.join(str(error).split())[:200]}",
            "看看冒号后面有没有空格、缩进齐不齐",
        ) from error
    faults: list[str] = []
    brief = _brief(raw, faults)
    faults += brief.problems() if brief is not None and not faults else []
    _complain(faults)
    assert brief is not None, "nothing was missing"
    return brief


def _complain(faults: Sequence[str]) -> None:
    if faults:
        raise DataError(f"小说设定：{'；'.join(faults)}", "改好这些再写；写好的都还在")


def write_brief(path: Path, brief: Brief) -> None:
    """Write it with the names of fields as somebody writes them."""
    plain = _named(asdict(brief), _BRIEF, Brief)
    plain["人物"] = [_named(one, _PERSON, Person) for one in asdict(brief)["people"]]
    plain["秘密"] = [_named(one, _SECRET, Secret) for one in asdict(brief)["secrets"]]
    plain["伏笔"] = [_named(one, _PROMISE, Promise) for one in asdict(brief)["promises"]]
    text = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=120)
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _named(row: Mapping[str, Any], known: Mapping[str, str], kind: type) -> dict[str, Any]:
    """With the names people write; what is as it is anyway is left out."""
    theirs = {ours: name for name, ours in known.items()}
    usual = {one.name: one.default for one in fields(kind)}
    return {
        theirs[key]: list(value) if isinstance(value, tuple) else value
        for key, value in row.items()
        if key in theirs and value != usual[key]
    }


def _brief(raw: Any, faults: list[str]) -> Brief | None:
    row = _row(raw, "设定", _BRIEF, faults)
    lists: dict[str, Any] = {}
    for key, kind, known in (
        ("people", Person, _PERSON),
        ("secrets", Secret, _SECRET),
        ("promises", Promise, _PROMISE),
    ):
        given = row.pop(key, ())
        if not isinstance(given, list | tuple):
            faults.append(f"{_what(kind)}：应是一列，一条前面一个“-”")
            given = ()
        lists[key] = tuple(
            made
            for number, one in enumerate(given, 1)
            if (made := _made(kind, one, f"第 {number} 个{_what(kind)}", known, faults)) is not None
        )
    brief: Brief | None = _built(Brief, {**row, **lists}, "设定", _BRIEF, faults)
    return brief


def _what(kind: type) -> str:
    return {Person: "人物", Secret: "秘密", Promise: "伏笔"}[kind]


def _made(kind: type, raw: Any, where: str, known: Mapping[str, str], faults: list[str]) -> Any:
    return _built(kind, _row(raw, where, known, faults), where, known, faults)


def _row(raw: Any, where: str, known: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        faults.append(f"{where}：应写成“名字: 内容”的几行")
        return {}
    found = {}
    for key, value in raw.items():
        if key in known or key in known.values():
            found[known.get(key, key)] = value
        else:
            faults.append(f"{where}：不认识 {str(key)!r}，可以写 {'、'.join(known)}")
    return found


def _built(
    kind: Any, row: dict[str, Any], where: str, known: Mapping[str, str], faults: list[str]
) -> Any:
    """A value of a kind out of a row; None where something is missing or of another type."""
    theirs = {ours: name for name, ours in known.items()}
    given: dict[str, Any] = {}
    before = len(faults)
    for one in fields(kind):
        if one.name not in row:
            continue
        value, wanted = row[one.name], str(one.type)
        if wanted == "int":
            wrong = not isinstance(value, int) or isinstance(value, bool)
        elif wanted.startswith("tuple[str"):
            value = value if isinstance(value, list) else [value]
            wrong = not all(isinstance(part, str) for part in value)
            value = tuple(value)
        elif wanted.startswith("tuple"):
            wrong = False
        else:
            value = str(value) if isinstance(value, int | float) else value
            choices = get_args(_CHOICES.get(one.name))
            wrong = not isinstance(value, str) or bool(choices and value not in choices)
        if wrong:
            faults.append(f"{where}：{theirs.get(one.name, one.name)} 写的是 {value!r}，不对")
        given[one.name] = value
    missing = [one for one in _needed(kind) if one not in given]
    faults += [f"{where}：没有写 {theirs[one]}" for one in missing]
    return kind(**given) if not missing and len(faults) == before else None


def _needed(kind: type) -> Sequence[str]:
    return {
        Brief: ("title", "premise"),
        Person: ("name",),
        Secret: ("what", "words", "known_to"),
        Promise: ("what", "words", "planted", "paid"),
    }[kind]


def listed(text: str | None) -> tuple[str, ...]:
    """Names in one line, with commas between them."""
    plain = str(text or "").replace("，", ",").replace("、", ",")
    return tuple(one.strip() for one in plain.split(",") if one.strip())
