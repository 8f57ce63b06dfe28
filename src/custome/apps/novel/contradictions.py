"""Two passages → what cannot both be so, each with the words of both: the dead act, what is lost is used, a lost limb works, numbers,
ages and kinship differ. By rules; what is dreamt, asked, denied or supposed counts for nothing, and neither does what the later passage
itself explains. Pure functions of texts and names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .prose import sentences

_NUMERALS = "零〇一二三四五六七八九十百千万廿两"
_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_TIMES = {"十": 10, "百": 100, "千": 1_000, "万": 10_000}
_UNREAL = re.compile(
    r"梦|仿佛|好像|好似|若|倘|如果|假如|要是|莫非|难道|险些|差点|几乎|不曾|没死|未死|并未|诈死|假死|装死|误传|谣|以为|只当|当作|还魂|活过来|救活|活人|醒转|谎|骗|扯谎|假话|据说|说不定|恐怕|只怕|都道|[吗么]？|诈一诈|唬"
)
_RECALLS = re.compile(
    r"当年|从前|生前|当初|那年|昔日|往日|记得|想起|忆|说起|提起|年前|遗|托梦|画像|照片|旧时|小时候|魂|灵前|坟|墓|祭"
)
_DIES = re.compile(
    r"身亡|身死|断了?气|咽了?气|气绝|毙命|丧命|丧了命|一命呜呼|没了气|没了命|殁|去世|过世|病故|亡故|战死|自刎|自尽|自缢|圆寂|下葬|入殓|归了?西|送了?命|见了阎王|死了|死去|死在|死于|人头落地|而死|淹死|冻死|烧死|摔死|饿死|喂了鱼|化了灰|埋在|葬在|停了跳|再没醒|没救"
)
_KILLED = re.compile(
    r"(?:杀|斩|砍死|刺死|毒死|打死|射死|害死|勒死|结果|葬|埋|收殓|枭|处决|枪毙)了?$"
)
_REMAINS = re.compile(r"^的?(?:灵位|灵柩|灵堂|坟|墓|尸|棺|首级|遗|牌位|骨灰|头七|忌日)")
_PASSIVE = re.compile(r"(?:被|叫|让|教|吃)$")
_LOST = re.compile(
    r"粉碎|碎成|碎了|烧成|化为灰|化成灰|成了灰|熔|断成|(?:坠|沉|落|掉|丢|抛|扔|投)(?:入|进|在|到|下)|烧了|劈了|吞没|毁了"
)
_REGAINED = re.compile(
    r"捡|寻回|找回|赎|捞|送还|归还|打捞|另(?:买|打|铸|配|做|置)|重(?:铸|打|做|配|买)|新(?:买|打|铸|配|做|置)|照样|一模一样|仿|副本|抄|备|补"
)
_GONE = re.compile(r"再没|没了|哪里还|可惜|若还在|已经不|早已")
_LIMB = re.compile(r"(?P<side>左|右)(?P<part>手|臂|眼|腿|脚|耳|胳膊|膀|膝|目)")
_MAIMED = re.compile(r"断|瞎|截|齐肩|齐腕|削去|砍去|砍下|剜|失了|没了|缺|空荡|废了|残")
_BOTH = re.compile(
    r"(?:两手|双手|双臂|两臂|双拳|两膀|左右膀|左右开|双眼|两眼|双目|双腿|两腿|双脚|双耳|两只手|两只眼)"
)
_HALVES = {"手": "手臂拳膀", "臂": "手臂拳膀", "胳膊": "手臂拳膀", "膀": "手臂拳膀", "眼": "眼目", "目": "眼目", "腿": "腿脚", "脚": "腿脚", "耳": "耳"}  # fmt: skip
_HEALED = re.compile(r"假肢|义肢|接上|痊愈|养好|长好|长得|木腿|铁手|另一只|单手|独臂|独眼")
_HEIGHT = re.compile(
    rf"(?:身长|身高|身量|身不满|身不过|身躯|个子|身材)[^，。]{{0,4}}?(?P<number>[{_NUMERALS}\d.]+)(?P<unit>尺|米|厘米)"
)
_COUNTED = re.compile(
    rf"(?P<number>[{_NUMERALS}]{{1,6}}|\d+)(?P<unit>[个名位人匹只条艘辆把文贯斤石担箱口封本件座间坛杯块张里元册两盏枚粒棵株支根面])"
)
_CHANGED = re.compile(
    r"添|又|折|剩|少了|多了|分|还|花|使|卖|买|丢|失|逃|来投|新收|招|借|送|去了|用|当了|涨|跌|加|减|其中|死|补|散|上万|余"
)
_ZODIAC = "鼠牛虎兔龙蛇马羊猴鸡狗猪"
_SIGN = re.compile(rf"属(?P<sign>[{_ZODIAC}])")
_YEARS = re.compile(rf"(?P<number>[{_NUMERALS}]{{1,4}}|\d{{1,3}})周?岁")
_LATER = re.compile(r"年后|载后|过了|转眼|一晃|多年|那年|年前|次年|转年|明年|长大")
_ONLY_CHILD = re.compile(
    r"独生|独子|独女|唯一的(?:孩子|儿子|女儿)|没有别的孩子|并无兄弟|无兄无弟|无姐无妹"
)
_SIBLING = re.compile(r"哥哥|大哥|兄长|胞兄|弟弟|胞弟|姐姐|胞姐|妹妹|胞妹|孪生|双胞胎")
_SWORN = re.compile(r"结义|结拜|义兄|义弟|义姐|义妹|表|堂|师兄|师弟|师姐|师妹|邻家|干")
_CHILD = re.compile(r"女儿|儿子|长子|次子|幼子|闺女|骨肉|亲生|生父|生母")
_SPOUSE = re.compile(r"成亲|夫人|夫妻|妻子|丈夫|浑家|娘子|官人|相公|新娘|新郎|嫁")
_IN_LAW = re.compile(r"媳|女婿|嫁与|许给|之妻|的妻|的夫")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Two things that cannot both be so."""

    rule: str
    earlier: str
    later: str
    """The sentences that say so."""


@dataclass(frozen=True)
class _Sentence:
    text: str
    bare: str
    """Without what is said in it."""
    subject: str
    """Who it is about: the first name that begins a clause, or whom the sentence before was about."""
    named: tuple[tuple[int, int, str], ...]
    """(start, end, who) in `bare`."""

    @property
    def is_real(self) -> bool:
        return not _UNREAL.search(self.text)


def contradictions(earlier: str, later: str, people: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Everything in two passages, the one before the other, that cannot both be so.

    Args:
        people: name → what else its bearer is called.
    """
    before, after = _read(earlier, people), _read(later, people)
    if any(_UNREAL.search(one.text) and "活" in one.text for one in after):  # it is explained
        before = [one for one in before if not _dead(one)]
    found: list[Finding] = []
    for rule in _RULES:
        found += rule(before, after)
    return list(dict.fromkeys(found))


def _read(text: str, people: Mapping[str, Sequence[str]]) -> list[_Sentence]:
    bearer = {alias: name for name, others in people.items() for alias in (name, *others)}
    pattern = re.compile("|".join(map(re.escape, sorted(bearer, key=len, reverse=True))) or r"(?!)")
    found: list[_Sentence] = []
    subject = ""
    for sentence in sentences(text):
        bare = re.sub(r"“[^”]*”?", "“”", sentence)
        named = tuple((m.start(), m.end(), bearer[m.group()]) for m in pattern.finditer(bare))
        first = next((who for s, _, who in named if s == 0 or bare[s - 1] in "，。；：！？”、"), "")
        subject = first or (named[0][2] if named else subject)
        found.append(_Sentence(sentence, bare, subject, named))
    return found


# -- the dead --------------------------------------------------------------------------------------------------------


def _dead(one: _Sentence) -> list[str]:
    """Who is dead by a sentence."""
    if not one.is_real:
        return []
    found = [
        who
        for start, end, who in one.named
        if _KILLED.search(one.bare[:start]) or _REMAINS.search(one.bare[end:])
    ]
    for match in _DIES.finditer(one.bare):
        near = [who for start, end, who in one.named if end <= match.start()]
        others = [
            s for s, _, who in one.named if s < match.start() and _PASSIVE.search(one.bare[:s])
        ]
        found.append(near[-1] if near and not others else one.subject)
        break
    return [who for who in found if who]


def _the_dead_act(before: Sequence[_Sentence], after: Sequence[_Sentence]) -> Iterator[Finding]:
    dead = {who: one.text for one in before for who in _dead(one)}
    for one in after:
        if _RECALLS.search(one.bare) or not one.is_real:
            continue
        for start, end, who in one.named:
            begins = start == 0 or one.bare[start - 1] in "，。；：！？”见"
            if who in dead and begins and not _REMAINS.search(one.bare[end:]):
                yield Finding(rule="死了的人又出现", earlier=dead[who], later=one.text)


# -- things ----------------------------------------------------------------------------------------------------------


def _what_is_lost_is_used(
    before: Sequence[_Sentence], after: Sequence[_Sentence]
) -> Iterator[Finding]:
    whole = "".join(one.text for one in after)
    if _REGAINED.search(whole):
        return
    for one in before:
        if not one.is_real or not (lost := _LOST.search(one.bare)):
            continue
        things = [
            word
            for word in _nouns(one.bare[: lost.end()])
            if word not in {w for _, _, w in one.named}
        ]
        for other in after:
            there = any(thing in other.bare for thing in things[-4:])
            past = _GONE.search(other.text) or _RECALLS.search(other.bare[:6])
            if there and other.is_real and not past:
                yield Finding(rule="没了的东西又出现", earlier=one.text, later=other.text)


def _nouns(text: str) -> list[str]:
    import rjieba

    return [
        word
        for word, tag in rjieba.tag(text)
        if tag.startswith("n") and tag != "nr" and len(word) > 1
    ]


# -- bodies ----------------------------------------------------------------------------------------------------------


def _a_lost_limb_works(
    before: Sequence[_Sentence], after: Sequence[_Sentence]
) -> Iterator[Finding]:
    for one in before:
        limb = _LIMB.search(one.bare)
        if limb is None or not one.is_real or not _MAIMED.search(one.bare):
            continue
        kin = _HALVES.get(limb["part"], limb["part"])
        near = [who for start, _, who in one.named if start < limb.start()]
        owner = near[-1] if near else one.subject
        for other in after:
            if not other.is_real or _HEALED.search(other.text) or other.subject != owner:
                continue
            both = _BOTH.search(other.bare)
            same = re.search(rf"{limb['side']}[{kin}]", other.bare)
            if (
                both
                and any(part in kin for part in both.group())
                or (same and not _MAIMED.search(other.bare))
            ):
                yield Finding(rule="没了的手脚又能用", earlier=one.text, later=other.text)


def _heights_differ(before: Sequence[_Sentence], after: Sequence[_Sentence]) -> Iterator[Finding]:
    tall = {
        one.subject: (one.text, _number(found["number"]), found["unit"])
        for one in before
        if (found := _HEIGHT.search(one.bare))
    }
    subjects = {one.subject for one in after}
    for one in after:
        found = _HEIGHT.search(one.bare)
        who = one.subject if one.subject in tall else next(iter(subjects & set(tall)), "")
        if found and who and one.is_real:
            text, number, unit = tall[who]
            if unit == found["unit"] and number != _number(found["number"]):
                yield Finding(rule="身高前后不一样", earlier=text, later=one.text)


# -- numbers ---------------------------------------------------------------------------------------------------------


def _counts_differ(before: Sequence[_Sentence], after: Sequence[_Sentence]) -> Iterator[Finding]:
    if any(_CHANGED.search(one.bare) for one in after):
        return
    known = [(one, *counted) for one in before for counted in _counted(one)]
    for other in after:
        for number, unit, around in _counted(other) if other.is_real else ():
            for one, earlier, same_unit, things in known:
                if unit == same_unit and number != earlier and len(around & things) > 1:
                    yield Finding(rule="数目前后不一样", earlier=one.text, later=other.text)


def _counted(one: _Sentence) -> Iterator[tuple[float, str, frozenset[str]]]:
    """(number, unit, letters beside it) of everything a sentence counts."""
    for match in _COUNTED.finditer(one.bare):
        beside = (
            one.bare[max(0, match.start() - 4) : match.start()]
            + one.bare[match.end() : match.end() + 4]
        )
        letters = frozenset(letter for letter in beside if "\u4e00" <= letter <= "\u9fff")
        yield _number(match["number"]), match["unit"], letters


def _signs_differ(before: Sequence[_Sentence], after: Sequence[_Sentence]) -> Iterator[Finding]:
    """Years of animals: 属龙 and 属羊."""
    born = {}
    for one in before:
        if found := re.search(rf"属(?P<sign>[{_ZODIAC}])|(?P<year>[{_ZODIAC}])年", one.text):
            born[one.subject] = (one.text, found["sign"] or found["year"])
    for one in after:
        if (found := _SIGN.search(one.text)) and one.subject in born and one.is_real:
            text, sign = born[one.subject]
            if sign != found["sign"]:
                yield Finding(rule="属相前后不一样", earlier=text, later=one.text)


def _ages_differ(before: Sequence[_Sentence], after: Sequence[_Sentence]) -> Iterator[Finding]:
    if any(_LATER.search(one.text) for one in after):
        return
    old = {one.subject: (one.text, _number(m["number"])) for one in before if one.is_real and (m := _YEARS.search(one.bare))}  # fmt: skip
    for one in after:
        match = _YEARS.search(one.bare)
        if match and one.subject in old and one.is_real:
            text, years = old[one.subject]
            if abs(_number(match["number"]) - years) > 1:  # by either way of counting
                yield Finding(rule="岁数前后不一样", earlier=text, later=one.text)


# -- kinship ---------------------------------------------------------------------------------------------------------


def _kinship_differs(before: Sequence[_Sentence], after: Sequence[_Sentence]) -> Iterator[Finding]:
    for one in before:
        here = {who for _, _, who in one.named} | {one.subject}
        for other in after:
            there = {who for _, _, who in other.named} | {other.subject}
            if not other.is_real or not here & there:
                continue
            alone = _ONLY_CHILD.search(one.text) and _SIBLING.search(other.bare)
            if alone and not _SWORN.search(other.text):
                yield Finding(rule="亲属前后不一样", earlier=one.text, later=other.text)
            married = _CHILD.search(one.bare) and _SPOUSE.search(other.bare)
            if len(here & there) > 1 and married and not _IN_LAW.search(other.bare):
                yield Finding(rule="亲属前后不一样", earlier=one.text, later=other.text)


_RULES: tuple[Callable[[Sequence[_Sentence], Sequence[_Sentence]], Iterator[Finding]], ...] = (
    _the_dead_act,
    _what_is_lost_is_used,
    _a_lost_limb_works,
    _heights_differ,
    _counts_differ,
    _signs_differ,
    _ages_differ,
    _kinship_differs,
)


def _number(written: str) -> float:
    """二百五十 → 250, 三十二 → 32, 1.8."""
    if re.fullmatch(r"[\d.]+", written):
        return float(written)
    if written.startswith("廿"):
        written = "二十" + written[1:]
    total = section = digit = 0
    for sign in written:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign == "万":
            total, section, digit = (total + section + digit or 1) * 10_000, 0, 0
        else:
            section += (digit or 1) * _TIMES[sign]
            digit = 0
    return float(total + section + digit)
