"""A chapter of a book → where it happens, who is there, what is lying about, what happens: by rule, each with its words and where they stand.

A place is a word of places that somebody goes to or is in; whoever speaks is there; a thing is a noun that ends like one; a chapter's
title says what happens. What is wrong is struck out by whoever reads it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ...corpus.aliases import AliasTable
from ...corpus.dialogue import extract
from ...corpus.text import Chapter, Novel, split_chapters, without_number
from ...errors import InputError
from ...types import Utterance

MOST_PLACES, MOST_PEOPLE, MOST_THINGS = 6, 8, 6
LEAST_IN_BOOK = 3
"""How often a word of a place must stand in the book."""
OFTEN = 3
"""How often a chapter must speak of a place to which nobody is said to go."""
LONGEST_QUOTE = 60
_ARRIVES = frozenset(
    [
        "来到",
        "来至",
        "直至",
        "行至",
        "走到",
        "走至",
        "赶到",
        "到",
        "至",
        "入",
        "进",
        "回到",
        "上",
        "下",
        "过",
        "登",
        "进了",
        "到了",
        "入了",
        "进入",
        "过了",
        "回至",
        "引至",
        "带到",
        "请到",
        "引入",
        "送至",
        "直到",
        "径到",
        "径入",
        "早到",
        "已到",
        "竟到",
        "投入",
        "奔入",
        "走入",
        "走进",
        "行到",
        "行过",
        "奔到",
        "入得",
        "进得",
        "上了",
        "下了",
        "到得",
        "来在",
        "坐在",
        "立在",
        "站在",
        "住在",
        "歇在",
        "躲在",
        "在",
        "于",
        "出",
        "出了",
        "离了",
        "离",
        "出得",
        "回",
        "转过",
    ]
)
_HEADS = frozenset(
    [
        "往",
        "投",
        "奔",
        "望",
        "赴",
        "去",
        "径往",
        "径投",
        "径奔",
        "前往",
        "取路",
        "奔上",
        "抢到",
        "抢入",
        "闯入",
        "闯进",
        "逃入",
        "逃到",
        "撞入",
        "杀入",
        "杀到",
        "赶入",
    ]
)
_SUFFIXES = frozenset(
    "帐寨营府厅堂楼城关山庄村店寺庙洞江河湖桥亭园院房阁殿宫门船舟岸渡街市坡岭林井室轩馆屋坞台峰崖岗冈潭溪滩观庵祠墓家宅巷口厨舍棚坊牢狱仓场"
)
_BARE = frozenset("帐船舟寨营城府庙店寺洞庄岸江山林桥亭园阁殿房屋厅堂牢楼门关村")
"""Words of one character that are places with one of `_WHERE` behind them."""
_WHERE = frozenset(
    ["中", "里", "内", "上", "边", "外", "前", "后", "下", "里面", "中间", "旁边", "岸边"]
)
_LEAD = re.compile(
    r"^(?:[那这此有一座个所间处条本各自老两三数几众诸其我他某贵敝小大新旧旁近]|一座|前面|后面|左右|到|出|入|在|当下|只见|直|便|就|又|再|同|与|并|都|众人)+(?=..)"
)
_NO_PLACE = re.compile(
    r"^(?:天下|路口|门口|家门|大家|人家|自家|一家|国家|出家|俺家|我家|你家|他家|老家|城门|开门|关门|叫门|出门|上门|大门|院门|后门|山路|此山|当家|冤家|敌营|门|家|街坊|作坊|起家|管家"
    r"|仇家|回家|在家|到家|山门|营门|口|战场|当场|牢|下场|一场|出场|当地|路旁|门旁|炕沿)$|[人者兵军马将士]$|[说道问答看听叫]"
    r"|^[怀地身手头口心眼路东西南北门脚背腰面马天空脸肩耳胸额旁桌炕床席座灯月日树石水火风云鞍案盘柜墙笼杯左右前后上下](?:上|下|中|里|边|旁|前|后|沿|面|头)?$"
)
_THING = re.compile(
    r"(?:刀|剑|戟|枪|棒|钯|斧|矛|弓|锤|印|珠|镜|图|扇|袍|甲|瓶|杖|钵|绳|袋|书|信|酒|茶|药|箭|鼓|旗|琴|棋|画|灯|箱|匣|钗|环|簪|帕|香|果|饭|肉|饼|银子|银两|金银|包裹|包袱|令箭|火把|柴草|葫芦)$"
)
_NO_THING = re.compile(
    r"^[那这和问见向把将与听有闻扶往看一二两三几十百千万骑拍纵勒大小吃饮劝捧取持执提拿使用背带下上出作写读放鸣射按插轮舞举服掌攒擂击]|[曰道说]|文书$|尚书$|中书$|读书|说书|家书$|诗书"
)


_VERSE = re.compile(r"(?:[^，；]{5}|[^，；]{7})[，；](?:[^，；]{5}|[^，；]{7})")
_NOBODY = re.compile(r"^(?:群体|某人|[那这一众二两三].*|后人|表兄|暴跳)$")
"""Speakers who are nobody in particular."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Something a chapter has, with the words that say so."""

    name: str
    quote: str
    offset: int
    """Of the quote, in the book."""
    count: int = 1
    """How often it is named in the chapter."""


@dataclass(frozen=True, kw_only=True)
class Present(Found):
    """Somebody of a chapter."""

    aliases: tuple[str, ...] = ()
    said: tuple[Utterance, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a chapter has."""

    novel: str
    number: int
    title: str
    start: int
    end: int
    places: tuple[Found, ...]
    """In the order they are come to."""
    people: tuple[Present, ...]
    """Whoever says most first."""
    things: tuple[Found, ...]
    events: tuple[str, ...]
    """What the title says happens, its halves."""
    visits: tuple[tuple[int, str], ...] = field(default=(), repr=False)
    """(offset, place), in order."""

    def place_of(self, offsets: Iterable[int]) -> str:
        """Where most of them are."""
        return Counter(map(self.place_at, offsets)).most_common(1)[0][0]

    def place_at(self, offset: int) -> str:
        """Where the story is at an offset."""
        here = self.places[0].name
        for at, name in self.visits:
            if at > offset:
                break
            here = name
        return here


def stage_of(
    novel: Novel,
    number: int,
    table: AliasTable | None = None,
    without: Collection[str] = (),
) -> Stage:
    """What a chapter has.

    Args:
        number: of the chapter, as its heading counts it.
        table: names of the book's people.
        without: what was struck out.

    Raises:
        InputError: there is no such chapter, or nobody speaks in it, or nothing in it is a place.
    """
    chapters = split_chapters(novel.text)
    chapter = next((one for one in chapters if one.number == number), None)
    if chapter is None:
        known = sorted({one.number for one in chapters} - {0})
        raise InputError(
            f"《{novel.name}》里没有第 {number} 章",
            f"有 {known[0]} 到 {known[-1]}" if known else "这本书没有分章",
        )
    took = extract(novel, table)
    said = [one for one in took.utterances if one.chapter == number and chapter.start <= one.offset]
    people = _people([one for one in said if one.speaker not in without], took.table)
    if not people:
        raise InputError(f"《{novel.name}》第 {number} 章里没有人说话", "换一章")
    names = {n for owner, some in took.table.people.items() for n in (owner, *some)}
    sentences = list(_narration(novel.text, chapter, said))
    found = [
        *_visits(novel.text, sentences, names),
        *_often(novel.text, chapter, sentences, names),
        *_in_title(novel.text, chapter, names),
    ]
    visits = sorted(one for one in found if one[1] not in without)
    places = _places(novel.text, chapter, visits)
    if not places:
        raise InputError(f"《{novel.name}》第 {number} 章里认不出地方", "换一章")
    kept = {one.name for one in places}
    title = without_number(chapter.title).strip()
    return Stage(
        novel=novel.name,
        number=number,
        title=title,
        start=chapter.start,
        end=chapter.end,
        places=places,
        people=people,
        things=_things(novel.text, chapter, sentences, {*names, *without, *kept}),
        events=tuple(re.split(r"[ \u3000，；]+", title))[:3] if title else (),
        visits=tuple((at, name) for at, name, _ in visits if name in kept),
    )


def _people(said: Sequence[Utterance], table: AliasTable) -> tuple[Present, ...]:
    lines: dict[str, list[Utterance]] = {}
    for one in said:
        if one.kind == "speech" and one.speaker and not _NOBODY.search(one.speaker):
            lines.setdefault(one.speaker, []).append(one)
    ranked = sorted(lines.items(), key=lambda row: -sum(len(one.quote) for one in row[1]))
    found = []
    for name, some in ranked[:MOST_PEOPLE]:
        first = max(some, key=lambda one: one.confidence)
        called = [n for n in table.people.get(name, ()) if len(n) > 1 and n != name]
        found.append(
            Present(
                name=name,
                aliases=tuple(called[:4]),
                quote=_tail(first.context) + first.quote[:LONGEST_QUOTE],
                offset=first.offset,
                count=len(some),
                said=tuple(some),
            )
        )
    return tuple(found)


def _tail(context: str) -> str:
    """The cue of a quotation: the last clause before it."""
    return re.split(r"[。！？；\n]", context)[-1][-24:]


def _narration(text: str, chapter: Chapter, said: Sequence[Utterance]) -> Iterator[tuple[int, str]]:
    """(offset, sentence) outside of quotation marks."""
    at = chapter.start
    stretches = []
    for one in sorted(said, key=lambda one: one.offset):
        if one.offset >= at:
            stretches.append((at, one.offset))
            at = one.end
    for start, end in [*stretches, (at, chapter.end)]:
        for match in re.finditer(r"[^。！？\n“”]+", text[start:end]):
            if not _VERSE.fullmatch(match.group().strip()):
                yield start + match.start(), match.group()


def _visits(
    text: str, sentences: Sequence[tuple[int, str]], names: set[str]
) -> Iterator[tuple[int, str, int]]:
    """(offset, place, 2 for an arrival and 1 for a heading to it)."""
    import rjieba  # its dictionary takes a tenth of a second

    for offset, sentence in sentences:
        words = rjieba.tag(sentence)
        starts = [0]
        for word, _ in words:
            starts.append(starts[-1] + len(word))
        for at in range(1, len(words)):
            weight = _leads(words, at)
            place = _place_at(words, at, names) if weight else ""
            if place:
                place = _whole(text, place, offset + starts[at])
                if text.count(place) >= LEAST_IN_BOOK:
                    yield offset + starts[at], place, weight


def _often(
    text: str, chapter: Chapter, sentences: Sequence[tuple[int, str]], names: set[str]
) -> Iterator[tuple[int, str, int]]:
    """Names of places that a chapter speaks of again and again, where the narration names them first."""
    import rjieba

    inside = text[chapter.start : chapter.end]
    seen: set[str] = set()
    for offset, sentence in sentences:
        at = 0
        for word, tag in rjieba.tag(sentence):
            good = 3 <= len(word) <= 5 and tag == "ns" and word[-1] in _SUFFIXES
            if good and word not in names | seen and inside.count(word) >= OFTEN:
                seen.add(word)
                yield offset + at, word, 1
            at += len(word)


def _in_title(text: str, chapter: Chapter, names: set[str]) -> Iterator[tuple[int, str, int]]:
    """Places that a chapter's title names, where the chapter names them first."""
    title = without_number(chapter.title)
    for end in range(2, len(title) + 1):
        if title[end - 1] not in _SUFFIXES:
            continue
        for size in (4, 3, 2):
            word = title[max(0, end - size) : end]
            at = text.find(word, chapter.start, chapter.end)
            behind = title[end : end + 1]
            part = behind and (behind in _SUFFIXES or text.count(word + behind) == text.count(word))
            good = len(word) == size and word not in names and not _NO_PLACE.search(word)
            if good and not part and at >= 0 and text.count(word) >= LEAST_IN_BOOK:
                yield at, word, 2
                break


def _whole(text: str, word: str, near: int) -> str:
    """The whole of a name of which a word is a part: 两界山 for 界山, 缀锦阁 for 缀锦."""
    at = text.find(word, near)
    count = text.count(word)
    before, after = text[at - 1 : at], text[at + len(word) : at + len(word) + 1]
    if text.count(before + word) >= 0.8 * count and re.fullmatch("[\u4e00-\u9fff]", before):
        word = before + word
    if after in _SUFFIXES and text.count(word + after) >= 0.4 * count:
        word += after
    return word


def _leads(words: Sequence[tuple[str, str]], at: int) -> int:
    """Does what stands before lead to a place?"""
    before = words[at - 1][0]
    two = words[at - 2][0] if at > 1 else ""
    for said in (before, two + before, two if before in ("了", "得", "那", "一座", "一个") else ""):
        if said in _ARRIVES:
            return 2
        if said in _HEADS:
            return 1
    return 0


def _place_at(words: Sequence[tuple[str, str]], at: int, names: set[str]) -> str:
    """The word of a place that begins here, the longest; '' for none."""
    for size in (3, 2, 1):
        part = words[at : at + size]
        if len(part) < size:
            continue
        word = "".join(one for one, _ in part)
        behind = words[at + size][0] if at + size < len(words) else ""
        if word in _BARE and behind in _WHERE:
            return word + behind
        if not 2 <= len(word) <= 5 or not re.fullmatch(r"[\u4e00-\u9fff]+", word):
            continue
        if any(tag[0] not in "nsabfjlmzv" for _, tag in part):
            continue
        bare = _LEAD.sub("", word)
        if bare in names or len(bare) < 2 or bare[0] in "离赴往投奔" or _NO_PLACE.search(bare):
            continue
        if bare[-1] in _SUFFIXES or part[-1][1] in ("ns", "s"):
            return bare
    return ""


def _places(
    text: str, chapter: Chapter, visits: Sequence[tuple[int, str, int]]
) -> tuple[Found, ...]:
    weights: Counter[str] = Counter()
    first: dict[str, int] = {}
    inside = text[chapter.start : chapter.end]
    for at, name, weight in visits:
        weights[name] += weight
        first.setdefault(name, at)
    ranked = sorted(
        weights, key=lambda name: (-weights[name] - min(4, inside.count(name)), first[name])
    )
    kept: list[str] = []
    for name in ranked:
        core = name.rstrip("中里内上边外前后下")
        if any(core in one or one.rstrip("中里内上边外前后下") in name for one in kept):
            continue
        kept.append(name)
    kept = sorted(kept[:MOST_PLACES], key=lambda name: first[name])
    return tuple(
        Found(
            name=name,
            count=inside.count(name),
            offset=first[name],
            quote=_around(text, first[name], name),
        )
        for name in kept
    )


def _around(text: str, at: int, name: str) -> str:
    """The clause a word stands in."""
    start = max(text.rfind(mark, 0, at) for mark in "。！？\n；”“") + 1
    ends = [end for mark in "。！？\n；“" if (end := text.find(mark, at)) >= 0]
    quote = text[max(start, at - LONGEST_QUOTE // 2) : min([*ends, at + LONGEST_QUOTE // 2])]
    return quote.strip(" \u3000，")


def _things(
    text: str, chapter: Chapter, sentences: Sequence[tuple[int, str]], names: set[str]
) -> tuple[Found, ...]:
    import rjieba

    counts: Counter[str] = Counter()
    first: dict[str, int] = {}
    for offset, sentence in sentences:
        at = 0
        for word, tag in rjieba.tag(sentence):
            good = 2 <= len(word) <= 4 and tag.startswith("n") and tag not in ("nr", "ns")
            if good and word not in names and _THING.search(word) and not _NO_THING.search(word):
                counts[word] += 1
                first.setdefault(word, offset + at)
            at += len(word)
    kept = [word for word, _ in counts.most_common() if text.count(word) >= LEAST_IN_BOOK]
    return tuple(
        Found(
            name=word,
            count=counts[word],
            offset=first[word],
            quote=_around(text, first[word], word),
        )
        for word in kept[:MOST_THINGS]
    )


def lines_of(person: Present, most: int = 3) -> list[Utterance]:
    """What somebody says in a chapter that can stand alone, the fullest first, in the order of the book."""
    good = [one for one in person.said if 10 <= len(one.quote) <= 120]
    chosen = sorted(good or person.said, key=lambda one: -min(len(one.quote), 60))[:most]
    return sorted(chosen, key=lambda one: one.offset)
