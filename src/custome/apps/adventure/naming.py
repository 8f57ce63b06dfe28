"""Who and what is named in a typed line: by a name or another, by what they are (小姑娘), by a kin word (魏伯), by the sound where a wrong
character was picked (船奖), by one wrong character of three; and pinyin as the Chinese it stands for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .scenario import Item, Person, Place
from .state import State
from .world import World

_KIN = "(?:大|老|小)?(?:姑娘|先生|师傅|大人|将军|掌柜|爷|叔|伯|哥|兄弟|兄|弟|嫂子|嫂|婶|姨|姐|妹|娘|婆|公)"
_KINDS: dict[str, str] = {
    "孩子|小孩|娃娃|小家伙|小子": "孩|童|外孙|岁|姑娘|丫头",
    "姑娘|丫头|闺女": "姑娘|丫头|女",
    "老头|老人|老汉|老爷子|老人家": "老|翁|公|三十年",
    "婆婆|老太|大娘|大妈|阿婆": "婆|老妇|娘",
    "将军|大将": "将",
    "掌柜|老板|店家|卖家": "掌柜|主人|老板|卖|贩",
    "大哥|汉子|兄弟|伙计": "汉|闲汉|哥",
    "和尚|师父|长老|菩萨": "僧|和尚|师|菩萨",
    "公主|夫人|嫂子": "公主|夫人|娘",
    "师弟|师兄|徒弟": "师弟|师兄|徒弟",
    "军爷|官爷|大人": "官|军|吏|尉|提辖",
}
"""What somebody may be called → what is told of whom it means."""
_NO_HOME = re.compile("(?:自|大|人|您|你|他|咱|俺|当|国|管)家|家(?:常|伙|当)")
"""家 that is no place."""
SHORT = re.compile(r"^([\u4e00-\u9fff])[子儿]$")
"""枣 for the thing 枣子."""


_HEADS = frozenset(
    "瓢桨布刀剑枪扇灯油酒药箭鼓旗琴画书信枣菜鱼汤茶米肉饼果镜珠玉印钗环簪帕香绳锁箱匣袋壶碗杯碑石草柴炭花衣袍帽鞋伞针线笔墨纸兽马牛驴船车轿"
)
"""Characters that name things by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A word of the text that names something."""

    at: int
    means: tuple[str, ...]
    """Names it may stand for."""
    length: int = 0


def mentions_in(
    world: World, state: State, text: str, plain: Callable[[str], str]
) -> tuple[list[Mention], str]:
    """What is named, in order, and the text without it.

    Args:
        text: with what is no name taken out.
        plain: how a name is written in the text.
    """
    called: dict[str, list[str]] = {}
    for word, name in called_in(world, plain):
        called.setdefault(word, []).append(name)
    found = []
    homeless = _NO_HOME.sub(lambda match: "□" * len(match[0]), text)
    spoken = _syllables(text)
    for word in sorted(called, key=len, reverse=True):
        at, size = (homeless if word == "家" else text).find(word), len(word)
        if at < 0 and size > 1:
            at = _sounding(word, text, spoken)
        if at >= 0:
            found.append(Mention(at=at, means=tuple(dict.fromkeys(called[word])), length=size))
            text = (
                text[:at].replace(word, "□" * size)
                + "□" * size
                + text[at + size :].replace(word, "□" * size)
            )
    if not any(name in world.people for one in found for name in one.means):
        text = _take(text, found, _somebody(world, state, text))
    if not found:
        text = _take(text, found, _nearly(text, called))
    if not any(name in world.items for one in found for name in one.means):
        text = _take(text, found, _heads(state, text))
    if not any(name in world.places for one in found for name in one.means):
        ways = [way.to for way in world.places[state.at].exits]
        text = _take(text, found, _parts(ways, text))
    return sorted(found, key=lambda one: one.at), text


def _take(text: str, found: list[Mention], more: Iterable[Mention]) -> str:
    """The text without what was found."""
    for one in more:
        found.append(one)
        return text[: one.at] + "□" * one.length + text[one.at + one.length :]
    return text


def called_in(world: World, plain: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """(what something is called, its name)."""
    scenario = world.scenario
    every: tuple[Place | Item | Person, ...] = (
        *scenario.places,
        *scenario.items,
        *scenario.people,
    )
    for one in every:
        for word in (one.name, *one.aliases):
            yield plain(word), one.name
        if isinstance(one, Item) and (short := SHORT.match(one.name)):
            yield plain(short[1]), one.name
        if isinstance(one, Person) and len(one.name) > 2 and one.name.endswith("人"):
            yield plain(one.name[:-1] + "的"), one.name
    for topic, words in scenario.topics.items():
        for word in (topic, *words):
            yield plain(word), topic


def _somebody(world: World, state: State, text: str) -> Iterator[Mention]:
    """The one of those present who can be meant by what they are."""
    company = state.company()
    for match in re.finditer(rf"([\u4e00-\u9fff]){_KIN}", text):
        surname = match[1]
        meant = [
            name
            for name in company
            if surname in name or any(surname in one for one in world.people[name].aliases)
        ]
        if len(meant) == 1:
            yield Mention(at=match.start(), means=(meant[0],), length=len(match[0]))
            return
    for words, told in _KINDS.items():
        kind = re.search(words, text)
        for said in (kind[0], told) if kind else ():
            meant = [name for name in company if _is_told(world.people[name], said)]
            if kind and len(meant) == 1:
                yield Mention(at=kind.start(), means=(meant[0],), length=len(kind[0]))
                return


def _is_told(person: Person, told: str) -> bool:
    return re.search(told, " ".join((person.name, *person.aliases, person.about))) is not None


def _heads(state: State, text: str) -> Iterator[Mention]:
    """The one thing within reach that is meant by its last or first character: 瓢 for 椰瓢."""
    reach = [*state.bag(), *state.here()]
    yield from _parts(reach, text)
    for at, character in enumerate(text):
        meant = [name for name in reach if len(name) > 1 and character in (name[-1], name[0])]
        if len(meant) == 1 and character in _HEADS:
            yield Mention(at=at, means=(meant[0],), length=1)
            return


def _parts(names: Iterable[str], text: str) -> Iterator[Mention]:
    """The one of some names whose first or last two characters stand in the text: 灯塔 for 灯塔脚下, 金珠 for 金珠担."""
    parts = {part: name for name in names if len(name) > 2 for part in (name[:2], name[-2:])}
    meant = {parts[part]: part for part in parts if part in text}
    if len(meant) == 1:
        ((name, part),) = meant.items()
        yield Mention(at=text.find(part), means=(name,), length=2)


def _nearly(text: str, called: dict[str, list[str]]) -> Iterator[Mention]:
    """Names of three characters and more of which one is written otherwise."""
    for word in called:
        size = len(word)
        for at in range(len(text) - size + 1 if size >= 3 else 0):
            if sum(a != b for a, b in zip(text[at : at + size], word, strict=True)) == 1:
                yield Mention(at=at, means=tuple(called[word]), length=size)
                return


def _sounding(word: str, text: str, spoken: tuple[str, ...]) -> int:
    """Where a name is written with other characters of its sound; -1 for nowhere."""
    size, sound = len(word), _syllables(word)
    for at in range(len(text) - size + 1):
        if spoken[at : at + size] == sound and "□" not in text[at : at + size]:
            return at
    return -1


@functools.lru_cache(maxsize=4096)
def _syllables(text: str) -> tuple[str, ...]:
    """Of each character, without tones."""
    from pypinyin import lazy_pinyin  # its tables take a moment

    return tuple("".join(lazy_pinyin(one)) for one in text)


def in_chinese(text: str, vocabulary: Iterable[str]) -> str:
    """Pinyin (huijia) → the words of a vocabulary that sound so; the text itself where it is none."""
    letters = re.sub(r"[\s']", "", text)
    if not re.fullmatch(r"[a-zü]{3,40}", letters):
        pieces = re.findall(r"[a-zü]{2,}|[^a-zü]+|[a-zü]", text)
        if len(pieces) < 2:
            return text
        words = list(vocabulary)
        return "".join(in_chinese(one, words) if one.isascii() else one for one in pieces)
    by_sound: dict[str, str] = {}
    for word in vocabulary:
        if word and not word.isascii():
            by_sound.setdefault("".join(_syllables(word)), word)

    @functools.cache
    def parted(at: int) -> tuple[str, ...] | None:
        if at == len(letters):
            return ()
        for end in range(len(letters), at, -1):
            word = by_sound.get(letters[at:end])
            if word is not None and (rest := parted(end)) is not None:
                return (word, *rest)
        return None

    return "".join(parted(0) or (text,))
