"""Whom modern prose is about, where hardly a name stands in front of 道：.

A name is a few characters that often open a clause, speak or act there, and are met as people are elsewhere: somebody looks
at them, they have a hand and a voice, somebody calls them. A word that is merely common (高兴, 安静) passes one of these
tests, seldom three. Pure functions of a text.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from .names import may_be_name, predicate_starts
from .quotes import Quotation
from .subjects import is_role
from .words import grammar, surnames, words

CUED_SHARE = 0.5
"""Prose in which fewer quotations than this stand behind a colon is modern."""
LEAST_QUOTATIONS = 8
LEAST_CLAUSES = 2
"""A name opens a clause at least so often."""
EVIDENCE = 2
"""So many of the tests below must hold; that it is met often counts as one more …"""
EVIDENCE_WITHOUT_SURNAME = 3
"""… and so many where no surname opens it."""
OFTEN, MANY = 4, 40
"""A name that is met so often has one test less to pass, one that is met so many times one more."""
RATES = {
    "speaks": 0.02,
    "acts": 0.02,
    "met": 0.01,
    "owns": 0.002,
    "called": 0.002,
    "behind": 0.02,
    "word": 0.1,
}
"""Of all its times, how often a name must pass a test."""
BROTHERS = 3
"""Names that begin alike, at most: 顾承业, 顾承文."""
WHOLE_SHARE = 0.75
"""Of 林舟 so many go on as 林舟行 where the longer one is the name."""

_CJK = r"[\u4e00-\u9fff]"
_TITLES = "总|哥|姐|叔|姨|婶|伯|爷|奶奶|妈|老师|医生|大夫|警官|队长|局长|科长|处长|经理|主任|教授|先生|小姐|太太|女士|老板|导演|律师|师傅|同学|少爷|少|董|嫂|秘书|记者|队|工"
_RANKS = "长老|真人|道长|掌门|宗主|前辈|师兄|师姐|师弟|师妹|上人|仙子|散人|道人|公子|姑娘|大人|将军|老祖|老"
_SPEAKS = r"(?:说|道|问|答|喊|叫|嚷|骂|吼|笑|叹|哼|回答|开口|低语|嘀咕|嘟囔|喃喃|冷笑|苦笑|应|接话|插嘴|反问|追问|解释|提醒|补充|打断)"
_ACTS = r"(?:点|摇|站|走|坐|看|抬|低|转|伸|皱|沉默|愣|怔|盯|望|瞪|耸|拿|推|拉|放|端|抱|靠|回过|咬|眨|挥|摆|拍|接过|掏|停|蹲|躺|跑|冲|跳|想|听|睁|闭|攥|握|捂|擦|摘|翻|收|递|抓|捏|按|扶|搓|立|清了清|喘)"
_MET = r"(?:对|向|跟|和|与|给|被|让|把|朝|看着|看了|望着|盯着|叫|拉着|拉住|扶着|抱住|推开|问)"
_OWNS = r"的(?:手|脸|眼|目光|声音|嗓音|身|肩|心|头|嘴|背|父|母|妈|爸|哥|姐|弟|妹|丈夫|妻|儿|女|脚|胳膊|表情|话|办公室|房间|家|名字|电话)"
_ALSO_FIRST = "小老阿洛沐墨厉"
"""How names begin beside the hundred surnames."""


def is_modern(text: str, quotations: Sequence[Quotation]) -> bool:
    """Do most of a book's quotations stand without 某某道： in front?"""
    outer = [one for one in quotations if one.depth == 0]
    cued = sum(text[max(0, one.start - 1) : one.start] in ("：", ":") for one in outer)
    return len(outer) >= LEAST_QUOTATIONS and cued < CUED_SHARE * len(outer)


def modern_names(text: str, quotations: Sequence[Quotation]) -> dict[str, int]:
    """Name → how often it opens a clause of the narration."""
    narration = _narration(text, quotations)
    single = "".join(sorted(s for s in surnames() if len(s) == 1))
    double = "|".join(sorted(s for s in surnames() if len(s) > 1))
    opening = r"(?:(?<=[。！？，；：”“…\n])|(?<=[\u3000 ]))(?P<head>%s)"
    found: Counter[str] = Counter()
    for shape in (
        rf"(?:{double}){_CJK}{{1,2}}",
        rf"[{single}{_ALSO_FIRST}]{_CJK}{{1,2}}",
        rf"(?:[{single}]|[小老阿]){_CJK}?(?:{_TITLES})",
        rf"{_CJK}{{1,2}}(?:{_RANKS})",
        rf"{_CJK}{{2,3}}(?={_SPEAKS})",
        rf"(?<=“”){_CJK}{{2,3}}",
    ):
        for match in re.finditer(opening % shape, narration):
            head = match["head"]
            found.update({head[:size] for size in range(2, len(head) + 1)})
    named = re.compile(rf"(?P<head>(?:{double}|[{single}]){_CJK}{{1,2}})")
    for match in re.finditer(r"[\u4e00-\u9fff]{2,3}", narration):
        end = match.start() + len(grammar().roles.at(narration, match.start()))  # 班主任秦国栋
        if end - match.start() > 1 and (behind := named.match(narration, end)):
            found.update({behind["head"][:size] for size in range(2, len(behind["head"]) + 1)})
    not_people = frozenset(words()["not_people"].split())
    likely = {
        name: count
        for name, count in found.items()
        if count >= LEAST_CLAUSES
        and name not in not_people
        and not is_role(name)
        and (may_be_name(name) or len(name) == 3 and _looks_so(name))
        and name[-1] not in "道曰说问声"
        and name[0] not in "我你他她"
        and not (name[0] == name[1] and name[0] not in surnames())
        and not (_is_predicate(name) and (len(name) == 2 or not _looks_so(name)))
    }
    kinds, totals = _evidence(text, narration, likely)
    people = {
        name: count
        for name, count in likely.items()
        if _is_met_as_a_person(name, kinds[name], totals[name])
    }
    return _whole(people, text)


FEW_TIMES = 2
"""Who opens more clauses of the narration by name is not who tells it."""
NARRATOR = "我"
"""Who tells the story and is never named."""


def narrator(text: str, quotations: Sequence[Quotation]) -> str:
    """What the one who tells the story is called: 我叫某某，今年十六岁. Else 我."""
    family = "|".join(sorted(surnames(), key=len, reverse=True))
    narration = _narration(text, quotations)
    told = re.search(
        rf"(?<![\u4e00-\u9fff])我(?:叫|名叫|的名字叫|的名字是|姓.，叫)(?P<who>(?:{family}){_CJK}{{1,2}})(?=[，。、；])(?!，[他她])",
        narration,
    )
    if told is None:
        return NARRATOR
    somebody_else = re.findall(rf"(?<![\u4e00-\u9fff]){told['who']}{_CJK}", narration)
    return NARRATOR if len(somebody_else) > FEW_TIMES else told["who"]


def _narration(text: str, quotations: Sequence[Quotation]) -> str:
    """The text with what is said left out, its marks kept."""
    parts, at = [], 0
    for one in quotations:
        if one.depth == 0 and one.start >= at:
            parts.append(text[at : one.start] + "“”")
            at = one.end
    return "".join([*parts, text[at:]])


def _is_predicate(name: str) -> bool:
    """因说, 便问: what somebody does. 顾鸿昌 begins like one and is none."""
    starts = predicate_starts(f"{name}道")
    return starts[0] and starts[1]


def _looks_so(name: str) -> bool:
    return name[0] in surnames() or name[:2] in surnames() or name[0] in _ALSO_FIRST


def _is_met_as_a_person(name: str, kinds: Mapping[str, int], total: int) -> bool:
    """Does a name pass enough of the tests? Of a common one each must hold often: by chance everything happens once."""
    held = {kind for kind, hits in kinds.items() if hits >= max(1.0, RATES[kind] * total)}
    wanted = EVIDENCE if _looks_so(name) else EVIDENCE_WITHOUT_SURNAME
    ranked = bool(re.search(f"(?:{_RANKS}|{_TITLES})$", name))
    enough = len(held) + ranked + (OFTEN <= total < MANY) >= wanted + (total >= MANY)
    return enough and "word" not in held and (ranked or bool(held & {"speaks", "called", "behind"}))


def _evidence(
    text: str, narration: str, names: Mapping[str, int]
) -> tuple[dict[str, Counter[str]], Counter[str]]:
    """(how often each name passes each test, `word` where it is an ordinary word; how often it stands in the narration)"""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    if not names:
        return kinds, totals
    any_name = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    adverb = "(?:[却也便又才就都还只没]|忽然|突然|连忙|立刻|缓缓|慢慢|轻轻|没有|像是)?"
    tests = {
        "speaks": rf"(?P<name>{any_name}){_CJK}{{0,6}}?{_SPEAKS}",
        "acts": rf"(?P<name>{any_name}){adverb}{_ACTS}",
        "met": rf"{_MET}(?P<name>{any_name})(?![地得])",
        "owns": rf"(?P<name>{any_name}){_OWNS}",
        "behind": rf"“”(?P<name>{any_name})(?!的)",
        "word": rf"(?P<name>{any_name})[地得]",
        "": rf"(?P<name>{any_name})",
    }
    for kind, pattern in tests.items():
        for match in re.finditer(pattern, narration):
            name = match["name"]
            for size in range(2, len(name) + 1):
                kinds[name[:size]][kind] += 1
    for match in re.finditer(rf"“(?P<name>{any_name})[，！？…。～]", text):
        kinds[match["name"]]["called"] += 1
    for name, hits in kinds.items():
        totals[name] = hits.pop("", 0)
    return kinds, totals


_AFTER_NAMES = (
    "的了着过说道问答叫喊笑哭叹骂吼想看听走站坐跑点摇抬转低伸皱沉愣怔盯望瞪拿推拉放端抱靠咬挥拍接掏停是有在把被让给对向跟和与同从到去来上下也都就还又才"
    "却便没不很最更正已将要会能可终忽突一两这那先后前里等们以为心手眼脸头身"
)


def _whole(names: dict[str, int], text: str) -> dict[str, int]:
    """Of 林舟, 林舟行 and 林舟笑 the longer ones where the shorter nearly always goes on as one of them, else the shorter."""
    kept = dict(names)
    following = _following(names, text)
    for name in sorted(names, key=len):
        longer = {
            name + letter: count
            for letter, count in following[name].items()
            if letter not in _AFTER_NAMES and (name + letter in names or count >= LEAST_CLAUSES)
        }
        if name not in kept:
            continue
        likeliest = dict(sorted(longer.items(), key=lambda one: -one[1])[:BROTHERS])
        if likeliest and sum(likeliest.values()) >= WHOLE_SHARE * text.count(name):
            del kept[name]
            if len(name) == 2 and _looks_so(name):
                kept.update({one: n for one, n in likeliest.items() if one not in kept})
        else:
            for one in [other for other in kept if other != name and other.startswith(name)]:
                del kept[one]
    return kept


def _following(names: Mapping[str, int], text: str) -> dict[str, Counter[str]]:
    """Name → which characters stand behind it, with how often."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    if names:
        any_name = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        for match in re.finditer(f"(?:{any_name}){_CJK}?", text):
            whole = match.group()
            for size in range(2, len(whole)):
                found[whole[:size]][whole[size]] += 1
    return found


def pronouns_of(text: str, names: Sequence[str]) -> dict[str, Counter[str]]:
    """Name → how often a sentence that names nobody else goes on with 他, and with 她."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    if not names:
        return found
    any_name = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    begins = re.compile(
        r"(?:^|[，：]|“”)(?:但是?|可是?|而|于是|然后|接着|不过)?(?P<pronoun>[他她])(?!们)"
    )
    for paragraph in text.split("\n"):
        before = ""
        for sentence in re.split(r"[。！？!?]+", re.sub(r"“[^“”]*”", "“”", paragraph)):
            named = set(any_name.findall(sentence))
            who = next(iter(named)) if len(named) == 1 else before if not named else ""
            said = begins.search(sentence, sentence.find(who) + len(who) if named else 0)
            if who and said:
                found[who][said["pronoun"]] += 1
            before = who
    return found
