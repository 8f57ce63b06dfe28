"""The grammar of a cue: narration in front of (or behind) a quotation → who is said to speak, to whom, and how.

Pure functions of a stretch of text and a lexicon; no chapter, no memory. The words are data (data/cues.json), simplified.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

Kind = Literal["name", "role", "crowd", "pronoun", "unknown"]

LONGEST_CLAUSE = 40
"""Characters of a clause that are read; what is before them cannot be its subject any more."""
_CLAUSE = re.compile(r"[，,：:—…]+")
_SENTENCE = re.compile(r"[。！？!?；;”’」』\n]+")
_CJK = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]+")
_NOT_A_NAME = re.compile(
    r"^[忽只不无有此其之自相却遂乃又因便就只正方都也还再更最很把被将与和从在到向对比这那一个某]|[曰道之其而了着的得不]|^(?:说|笑|问|听|见|想|看)|一人$|个$|[处里上下中前后内外间边时旁]$"
)


@cache
def words() -> dict[str, Any]:
    """The word lists of the grammar."""
    return json.loads((files("custome") / "data" / "cues.json").read_text(encoding="utf-8"))


@cache
def surnames() -> frozenset[str]:
    return frozenset(words()["surnames"]) | frozenset(words()["compound_surnames"])


class WordSet:
    """Longest-match look-up of a list of words."""

    def __init__(self, entries: Iterable[str]) -> None:
        by_first: dict[str, list[str]] = defaultdict(list)
        for word in dict.fromkeys(entries):
            if word:
                by_first[word[0]].append(word)
        self._by_first = {first: sorted(group, key=lambda w: -len(w)) for first, group in by_first.items()}

    def at(self, text: str, position: int) -> str:
        """The longest word that stands in `text` at `position`, or ''."""
        for word in self._by_first.get(text[position : position + 1], ()):
            if text.startswith(word, position):
                return word
        return ""

    def all_at(self, text: str, position: int) -> list[str]:
        return [w for w in self._by_first.get(text[position : position + 1], ()) if text.startswith(w, position)]

    def ends(self, text: str, position: int) -> bool:
        """Does any of the words end at `position`?"""
        return any(text[max(0, position - n) : position] in self for n in (3, 2, 1))

    def __contains__(self, word: str) -> bool:
        return bool(word) and word in self._by_first.get(word[0], ())


class _Words:
    def __init__(self) -> None:
        w = words()
        self.lead = WordSet(x for x in w["lead"] if len(x) > 1)
        self.short_lead = WordSet(x for x in w["lead"] if len(x) == 1)
        self.adverbs = WordSet(w["adverbs"])
        self.verbs = WordSet(w["verbs"])
        self.objects = WordSet(w["objects"])
        self.addressing = WordSet(w["addressing"])
        self.lead_words = frozenset(w["lead"])
        self.never = frozenset(w["never_names"])
        self.pronouns = sorted(w["pronouns"], key=len, reverse=True)
        self.places = frozenset(w["places"])
        self.plural = tuple(w["plural"])
        self.sending = re.compile(rf"(?:{'|'.join(w['sending'])})了?$")
        self.relations = tuple(sorted(w["relations"], key=len, reverse=True))
        self.kin = frozenset(w["kin"])
        self.passive = tuple(w["passive"])
        self.safe_before = frozenset(w["safe_before"])
        self.existential = w["existential"]
        self.tails = frozenset(w["tails"])
        self.crowd = WordSet(w["crowd"])
        self.roles = WordSet(w["roles"])
        self.pivots = re.compile("|".join(sorted(w["emotion_pivots"], key=len, reverse=True)))
        self.thought = re.compile("|".join(w["thought"]))


@cache
def _w() -> _Words:
    return _Words()


class Subject(NamedTuple):
    """Who, in the words of the text."""

    mention: str
    kind: Kind
    end: int
    """Where the mention ends in its clause."""


class Cue(NamedTuple):
    """What a narration says of the quotation beside it."""

    subject: Subject | None
    others: tuple[str, ...]
    """Further speakers of a joint cue (韩当、周泰)."""
    addressee: str
    clause: str
    """The clause with the verb."""
    rule: str
    """Which part of the grammar found the subject; '' without one."""


NO_CUE = Cue(None, (), "", "", "")


# --- predicates ---------------------------------------------------------------------------------------------------


def predicate_starts(clause: str) -> list[bool]:
    """For every position: does the rest of the clause read as …adverbs, objects, verb of speech… up to its end?"""
    w, size = _w(), len(clause)
    ok = [False] * (size + 1)
    for i in range(size - 1, -1, -1):
        for verb in w.verbs.all_at(clause, i):
            rest = clause[i + len(verb) :]
            if not rest or rest in w.tails:
                ok[i] = True
        if not ok[i]:
            ok[i] = any(ok[i + len(word)] for word in w.adverbs.all_at(clause, i))
        if not ok[i]:  # 谓玄德曰: a verb, its object, and again a predicate
            for word in w.objects.all_at(clause, i):
                first = i + len(word) + 1
                if any(ok[first : first + 6]):
                    ok[i] = True
                    break
    return ok


def name_guess(clause: str, *, singles: bool) -> str:
    """What could be the name of the subject of a cue, or '': the shortest beginning after which the rest is a predicate.

    Args:
        singles: may one character be a name (操曰)? A surname takes the next character all the same: 王进道.
    """
    clause = clause[_skip_lead(clause, None) :]
    title = _w().roles.at(clause, 0)
    if title and clause[len(title) : len(title) + 1] in surnames():
        clause = clause[len(title) :]
    if not clause or len(clause) > LONGEST_CLAUSE:
        return ""
    ok = predicate_starts(clause)
    if ok[0]:
        return ""
    title = _w().roles.at(clause, 1) if clause[0] in surnames() else ""
    if title and ok[1 + len(title)]:  # 吕枢密道
        return clause[: 1 + len(title)]
    wife = re.match(r"[\u4e00-\u9fff]{1,3}家的", clause)  # 周瑞家的: the wife of
    if wife and wife.end() < len(ok) and ok[wife.end()]:
        return wife.group()
    ends = [i for i in range(1, min(6, len(clause))) if ok[i]]
    if ends[:2] == [1, 2] and clause[1] not in _w().never and (clause[0] in surnames() or not singles):
        ends = ends[1:]
    return clause[: ends[0]] if ends and may_be_name(clause[: ends[0]]) else ""


def may_be_name(name: str) -> bool:
    w = _w()
    return not (
        _NOT_A_NAME.search(name) or not _CJK.fullmatch(name) or name in w.never or name in w.adverbs and len(name) > 1
        or w.crowd.at(name, 0) or name[-1] in "道曰说问" or name in w.lead_words
    )  # fmt: skip


# --- subjects -----------------------------------------------------------------------------------------------------


class Lexicon:
    """The names a book uses, and which single characters may be names (操曰)."""

    def __init__(self, names: Iterable[str], singles: Iterable[str] = ()) -> None:
        self.names = WordSet(name for name in names if len(name) > 1)
        self.singles = frozenset(singles) - _w().never

    def with_singles(self, singles: Iterable[str]) -> Lexicon:
        other = Lexicon((), singles)
        other.names = self.names
        return other


def _skip_lead(clause: str, lexicon: Lexicon | None) -> int:
    """Position after 却说, 只见, 旁边 … that stand before a subject."""
    position = 0
    while position < len(clause):
        if lexicon is not None and lexicon.names.at(clause, position):
            break
        lead = _w().lead.at(clause, position)
        if not lead:
            break
        position += len(lead)
    return position


def subject_of(clause: str, lexicon: Lexicon, ok: list[bool] | None = None) -> Subject | None:
    """The subject a clause opens with, or None.

    Args:
        ok: `predicate_starts(clause)` where the clause is the cue itself; allows what needs the predicate to be seen.
    """
    w = _w()
    start = _skip_lead(clause, lexicon)
    found = _subject_at(clause, start, lexicon, ok)
    pivot = w.pivots.search(clause)  # 唬得那国王…: whom it frightens acts next
    if pivot and (found is None or pivot.end() > found.end):
        found = _subject_at(clause, pivot.end(), lexicon, ok) or found
    if found is None and (short := w.short_lead.at(clause, start)):
        found = _subject_at(clause, start + len(short), lexicon, ok)
    if found is None:
        for word in w.passive:  # 被张顺揪住，喝道
            at = clause.find(word, start, start + 3)
            if at >= 0:
                found = _subject_at(clause, at + 1, lexicon, None)
                break
    if ok is None and clause.startswith(_SUBORDINATE):  # 因紫鹃正做针线，便问: not who asks
        return None
    if found is None and ok is None and (whose := re.search("有(?P<name>[\u4e00-\u9fff]{2,4})者$", clause)):
        found = Subject(whose["name"], "unknown", whose.end())
    if found is None and ok is None:
        found = _introduced(clause, lexicon) or _placed(clause)
    if found is None and ok is not None and (somebody := re.search("有一?个?人", clause)) and ok[somebody.end()]:
        found = Subject(somebody.group(), "role", somebody.end())
    if found is None and ok is not None:
        found = _described(clause, start + len(short), ok)
    return found


def _subject_at(clause: str, start: int, lexicon: Lexicon, ok: list[bool] | None) -> Subject | None:
    w = _w()
    if start >= len(clause):
        return None
    match = _DEMONSTRATIVE.match(clause, start)
    bare = match.end() if match else start
    pointed = bare > start
    for position in (start, bare) if pointed else (start,):
        name = lexicon.names.at(clause, position)
        if name:
            return _owned(clause, Subject(name, "name", position + len(name)), lexicon, ok)
    if match and match["many"]:
        return Subject(clause[start : _crowd_end(clause, bare, ok)], "crowd", _crowd_end(clause, bare, ok))
    for position in (start, bare) if pointed else (start,):
        crowd = w.crowd.at(clause, position) or _counted(clause, position)
        if crowd and not _counts_things(clause, position + len(crowd), crowd, ok):
            end = _crowd_end(clause, position + len(crowd), ok)
            return Subject(clause[position:end], "crowd", end)
    single = clause[start]
    if single in lexicon.singles and (
        ok is not None
        and ok[start + 1]
        or single not in w.adverbs
        and single not in w.verbs
        and clause[start : start + 2] not in w.adverbs
        and clause[start + 1 : start + 2] not in ("其", "之", "此")
    ):
        return _owned(clause, Subject(single, "name", start + 1), lexicon, ok)
    him = clause[start] in "他她"
    role = _role_end(clause, bare, ok)
    if role > bare and (not him or role - bare > 1) and (pointed or role - bare > 1 or ok is not None and ok[role]):
        return _titled(clause, start, bare, role, lexicon, ok)
    if him and clause[start + 1 : start + 2] in w.kin:
        return Subject(clause[start : start + 2], "role", start + 2)
    if ok is None and clause[start] in "那这" and (end := _far_role(clause, bare)):
        return Subject(clause[bare:end], "role", end)
    which = _WHICH.match(clause, start)
    if which and (ok is None or ok[which.end()]):
        return Subject(which.group(), "role", which.end())
    pronoun = next((p for p in w.pronouns if clause.startswith(p, start)), "")
    if pronoun and not _CJK.match(clause[start + len(pronoun) : start + len(pronoun) + 1] or "。"):
        return None
    if pronoun and (ok is None or ok[start + len(pronoun)]):
        return Subject(pronoun, "pronoun", start + len(pronoun))
    return None


def _far_role(clause: str, bare: int) -> int:
    """End of the role noun behind 那 and a few describing characters: 那七衣仙女; 0 where there is none."""
    for begin in range(bare + 1, bare + 5):
        if clause[begin - 1 : begin] in _BREAKS:
            return 0
        end = _role_end(clause, begin, None)
        if end - begin > 1:
            return end
    return 0


def _titled(clause: str, start: int, bare: int, end: int, lexicon: Lexicon, ok: list[bool] | None) -> Subject:
    """A role noun, or the name it is the title of: 骁将牛金, 主簿陈琳."""
    if clause[end : end + 1] in ("们", "等"):
        return Subject(clause[bare : end + 1], "crowd", end + 1)
    name = lexicon.names.at(clause, end)
    if name and not (ok is not None and ok[end]):
        return Subject(name, "name", end + len(name))
    if (
        ok is None
        and end - bare > 1
        and clause[end : end + 1] in surnames()
        and 2 <= len(clause) - end <= 3
        and may_be_name(clause[end:])
    ):
        return Subject(clause[end:], "unknown", len(clause))
    if ok is not None and not ok[end] and clause[end : end + 1] in surnames():
        for stop in (end + 2, end + 3):
            if stop < len(clause) and ok[stop] and may_be_name(clause[end:stop]):
                return Subject(clause[end:stop], "unknown", stop)
    kept = clause[start:bare] in ("那", "其", "此") and end - bare == 1 or clause[start:bare] in ("他", "她")
    return Subject(clause[start if kept else bare : end], "role", end)


_WHICH = re.compile(r"(?:[那这]一?|一)个(?![一-龥]{1,2}[的])")
_DEMONSTRATIVE = re.compile(
    r"(?:那|这|其|此|某|好|他|她)?(?:(?P<many>[伙班群些]|几个|一干|一伙|一班|一群|[两三四五六七八九十数]个)|(?:一|两|第[一二三四五六七八九十])?(?:个|位|名|员)|一)?"
)


_COUNTED = re.compile(r"[二两三四五六七八九十]{1,2}[圣老将僧仙神王臣官公女徒]")


def _counted(clause: str, position: int) -> str:
    match = _COUNTED.match(clause, position)
    if match:
        return match.group()
    number = re.compile(r"[二两三四五六七八九十]{1,2}(?=[\u4e00-\u9fff])").match(clause, position)
    end = _role_end(clause, number.end(), None) if number else 0
    return clause[position:end] if number and end - number.end() > 1 else ""


def _counts_things(clause: str, position: int, crowd: str, ok: list[bool] | None) -> bool:
    """两个荷包, 三个字: a number of things, not people."""
    if ok is not None or crowd[0] not in "二两三四五六七八九十几数" or crowd[-1] not in "个":
        return False
    w = _w()
    people = position == len(clause) or any(
        words.at(clause, position) for words in (w.roles, w.adverbs, w.verbs, w.objects)
    )
    return not people


def _crowd_end(clause: str, position: int, ok: list[bool] | None) -> int:
    """众 + 官 / 将 / 僧 …: up to the predicate, or a role noun."""
    role = _w().roles.at(clause, position)
    if role and not (ok is not None and ok[position]):
        return position + len(role)
    if ok is not None:
        for end in range(position, min(position + 4, len(clause))):
            if ok[end]:
                return end
    return position


def _role_end(clause: str, begin: int, ok: list[bool] | None) -> int:
    """End of the chain of role nouns that starts at `begin` (童+子, 小+妖), or `begin`."""
    w, end = _w(), begin
    while role := w.roles.at(clause, end):
        if end > begin and ok is not None and ok[end]:
            break
        end += len(role)
    return end


def _described(clause: str, start: int, ok: list[bool]) -> Subject | None:
    """A role noun behind what describes it: 北门守将, 跟随的人, 探事的."""
    w = _w()
    match = _DEMONSTRATIVE.match(clause, start)
    bare = match.end() if match else start
    for begin in range(bare + 1, min(bare + 6, len(clause))):
        if clause[begin - 1] in _BREAKS:
            return None
        if clause[begin - 1] == "的" and ok[begin] and begin - bare > 2 and not _DOUBLED.search(clause[bare:begin]):
            return Subject(clause[bare:begin], "role", begin)
        end = _role_end(clause, begin, ok)
        if end > begin and clause[end : end + 1] == "们" and ok[end + 1]:
            return Subject(clause[bare : end + 1], "crowd", end + 1)
        if end > begin and ok[end] and clause[begin - 1] in w.places:
            return Subject(clause[begin:end], "role", end)
        verbal = any(words.at(clause, at) for at in range(bare, begin) for words in (w.adverbs, w.objects, w.verbs))
        if end > begin and ok[end] and (not verbal or "的" in clause[bare:begin]):
            return Subject(clause[bare:end], "role", end)
    return None


_DOUBLED = re.compile(r"(.)\1的$")  # 战兢兢的: how, not who
_BREAKS = "众聚见对向与问被把叫听说道曰于和跟请教令使命谓告骂笑来去到看想将便忙又就也遂乃即了着"


def _introduced(clause: str, lexicon: Lexicon) -> Subject | None:
    """Somebody who enters at the end of a clause: 旁边闪出李逵, 却是做媒的王婆, 早有一个巡水的夜叉."""
    w = _w()
    for size in range(2, min(7, len(clause))):  # 魏殿中校尉尹大目
        at = len(clause) - size
        if lexicon.names.at(clause, at) == clause[at:] and w.roles.ends(clause, at) and at > 1:
            return Subject(clause[at:], "name", len(clause))
    verbs = [(at, word) for word in w.existential if (at := clause.find(word)) >= 0]
    if not verbs:
        return None
    at, word = min(verbs, key=lambda v: (v[0], -len(v[1])))
    for position in range(at + len(word), len(clause) - 1):
        name = lexicon.names.at(clause, position)
        between = clause[at + len(word) : position]
        if (
            name
            and position + len(name) == len(clause)
            and not re.search(r"[令命教使召唤请遣差叫见与和对向、]", between)
        ):
            return Subject(name, "name", len(clause))
    if word.endswith("是") and (kin := re.search(r"的(?P<role>[^，的]{2,4})$", clause)) and _role_end(kin["role"], 0, None) == len(kin["role"]):
        return Subject(kin["role"], "role", len(clause))  # 原来是国王的太子
    tail = re.search(r"(?:一|那|这)(?:个|位|名|员|伙|条)?(?P<role>[^，一那这]{1,6})$", clause[at:])
    if (
        tail
        and word != "见"
        and any(_role_end(tail["role"], i, None) == len(tail["role"]) for i in range(len(tail["role"])))
    ):
        role = re.sub(r".*的", "", tail["role"])
        return Subject(role, "role", len(clause))
    return None


_SUBORDINATE = ("因", "见", "虽", "若", "恐", "怕", "料", "以为", "只当", "不知", "闻", "听")
_PLACED = re.compile(r"[里中上下内外前后旁边处]有?(?P<who>一[人将女僧汉])")  # 船舱中一人纶巾道服


_SOMEBODY = re.compile(r"(?:[听闻][得见]?[^，]{0,6}|^[已早忽便又只自]{0,3})(?P<who>有人)")


def _placed(clause: str) -> Subject | None:
    """Somebody at a place: 只见船舱中一人纶巾道服."""
    match = _PLACED.search(clause) or _SOMEBODY.search(clause)
    return Subject(match["who"], "role", match.end()) if match else None


def _owned(clause: str, subject: Subject, lexicon: Lexicon, ok: list[bool] | None) -> Subject:
    """宝玉的丫头, 玄德之妻, 曹操等, 三藏师徒: not the person named, but whom the name describes."""
    begin, rest = subject.end - len(subject.mention), clause[subject.end :]
    for relation in _w().relations:
        if rest.startswith(relation):
            end = subject.end + len(relation)
            name = lexicon.names.at(clause, end)
            if name:  # 贾赦之妻邢氏
                return Subject(name, "name", end + len(name))
            return Subject(clause[begin:end], "role", end)
    for group in _GROUPS:
        if rest.startswith(group):
            return Subject(clause[begin : subject.end + len(group)], "crowd", subject.end + len(group))
    if rest[:1] in ("的", "之"):
        end = _role_end(clause, subject.end + 1, ok)
        if end > subject.end + 1 and (ok is None or ok[end]):
            return Subject(clause[begin:end], "role", end)
    return subject


_GROUPS = (
    "等",
    "们",
    "二人",
    "两个",
    "两人",
    "三人",
    "三个",
    "师徒",
    "父子",
    "兄弟",
    "夫妻",
    "夫妇",
    "一干",
    "一行",
    "众人",
    "一班",
)


def _unknown(clause: str, lexicon: Lexicon, ok: list[bool]) -> Subject | None:
    """A name the lexicon does not know: the shortest beginning that leaves a predicate."""
    start = _skip_lead(clause, lexicon)
    start += len(_w().short_lead.at(clause, start))
    match = _DEMONSTRATIVE.match(clause, start)
    start = match.end() if match else start
    if start < len(ok) and ok[start]:
        return None
    for end in range(start + 2, min(start + 5, len(clause))):
        if ok[end] and may_be_name(clause[start:end]):
            return Subject(clause[start:end], "unknown", end)
    return None


def _inside(clause: str, lexicon: Lexicon, ok: list[bool]) -> Subject | None:
    """A name in the middle of the cue after which only a predicate is left: 树林里跳出李逵叫道, 又被小妖扯住道."""
    w = _w()
    for position in range(len(clause) - 2, 0, -1):
        name, kind = lexicon.names.at(clause, position), "name"
        end = position + len(name)
        passive = clause[position - 1] in w.passive
        if name and w.sending.search(clause[max(0, position - 2) : position]) and _ERRAND.match(clause, end):
            return Subject(name, "name", end)  # 打发了翠缕来说
        if not name and (clause[position] in "那这" or passive):
            begin = position if passive else position + 1
            end = _role_end(clause, begin, ok)
            name, kind = clause[begin:end], "role"
        if not name or end >= len(clause) or not ok[end]:
            continue
        first = _list_start(clause, position, lexicon)
        if passive or clause[first - 1 : first] in w.safe_before and not w.objects.ends(clause, first):
            return Subject(name, kind, end)  # type: ignore[arg-type]
    return None


_ERRAND = re.compile(r"[来去往出进过][来去]?(?:[^，]{0,3})(?:说|道|回|问|报|请)[^，]{0,2}$")


def _list_start(clause: str, position: int, lexicon: Lexicon) -> int:
    """Start of the list of names (王基、陈骞) whose last begins at `position`."""
    while position > 1 and clause[position - 1] in "、与和并及":
        before = next((i for i in range(position - 2, max(-1, position - 7), -1)
                       if (name := lexicon.names.at(clause, i)) and i + len(name) == position - 1), None)  # fmt: skip
        if before is None:
            break
        position = before
    return position


# --- whole narrations ---------------------------------------------------------------------------------------------


def read_cue(narration: str, lexicon: Lexicon) -> Cue:
    """The cue a narration ends with, and the subject it or the sentences before it give.

    Rules, surest first: `cue` the clause of the verb opens with it; `inside` it stands in the middle of that clause;
    `guess` the clause opens with something that may be a name; `plural` 都道
    without a subject; `sentence` an earlier clause of the same sentence opens with it; `earlier` a sentence before opens with it. A pronoun passes the question on to what stands before.
    """
    sentences = [s for s in _SENTENCE.split(narration.rstrip("：:，,；; ")) if s.strip("，,：: \u3000")]
    clauses = [c.strip() for c in _CLAUSE.split(sentences[-1]) if c.strip()] if sentences else []
    if not clauses:
        return NO_CUE
    clause, head = clauses[-1][-LONGEST_CLAUSE:], clauses[-1][:-LONGEST_CLAUSE]
    if head:
        clauses.insert(-1, head)
    ok = predicate_starts(clause)
    subject, rule = subject_of(clause, lexicon, ok), "cue"
    if subject is None or subject.kind in ("role", "pronoun") and subject.end < len(ok) and not ok[subject.end]:
        inside = _inside(clause, lexicon, ok)
        subject, rule = (inside, "inside") if inside is not None else (subject, rule)
    pronoun = subject if subject is not None and subject.kind == "pronoun" else None
    if subject is not None and pronoun is None:
        for word in _w().passive:
            passive = clause.find(word, subject.end)
            if passive >= 0 and (agent := _inside(clause[passive:], lexicon, ok[passive:])):
                return Cue(agent, (), "", clause, "inside")
        others = _joint(clause, subject, lexicon, ok)
        return Cue(subject, others, _addressee(clause, subject.end, lexicon), clause, rule)
    addressee = _addressee(clause, 0, lexicon)
    guess = None if pronoun else _unknown(clause, lexicon, ok)
    if guess is not None and _looks_like_a_name(guess.mention):
        return Cue(guess, (), addressee, clause, "guess")
    if clause.startswith(_w().plural) and guess is None:
        subject, _ = _first_subject(clauses[:-1], lexicon, addressee)
        if subject is None or subject.kind != "crowd":
            return Cue(Subject("众人", "crowd", 0), (), addressee, clause, "plural")
    subject, others = _first_subject(clauses[:-1], lexicon, addressee, skip=bool(_OBJECT_PRONOUN.search(clause)))
    if subject is not None:
        return Cue(subject, others, addressee, clause, "sentence")
    for sentence in reversed(sentences[-4:-1]):
        subject, others = _first_subject([c.strip() for c in _CLAUSE.split(sentence) if c.strip()], lexicon, addressee)
        if subject is not None:
            return Cue(subject, others, addressee, clause, "earlier")
    return Cue(pronoun, (), addressee, clause, "pronoun" if pronoun else "")


_OBJECT_PRONOUN = re.compile(r"(?<!^)[他她](?![的娘们])")


def _looks_like_a_name(mention: str) -> bool:
    return mention[0] in surnames() or mention[:2] in surnames() or mention[0] in "老小" and mention[1:2] in surnames()


def _first_subject(
    clauses: list[str], lexicon: Lexicon, addressee: str, *, skip: bool = False
) -> tuple[Subject | None, tuple[str, ...]]:
    """The subject of the nearest clause, going back, that opens with one, and others named beside it.

    Args:
        skip: the cue says 推他道: the nearest one is him, somebody further back does it.
    """
    first: tuple[Subject | None, tuple[str, ...]] = None, ()
    passed = ""
    for clause in reversed(clauses):
        subject = subject_of(clause[:LONGEST_CLAUSE], lexicon)
        if subject is not None and subject.kind != "pronoun" and subject.mention != addressee:
            if skip and not passed:
                passed = subject.mention
                first = subject, _joint(clause, subject, lexicon, [False] * (len(clause) + 1))
                continue
            if subject.mention == passed:
                continue
            return subject, _joint(clause, subject, lexicon, [False] * (len(clause) + 1))
    return first if passed else (None, ())


def _joint(clause: str, subject: Subject, lexicon: Lexicon, ok: list[bool]) -> tuple[str, ...]:
    """Others who speak with the subject: 韩当、周泰大惊曰, 火德与雷公道."""
    others: list[str] = []
    end = subject.end
    while end < len(clause) and clause[end] in "、与和同并及":
        link = clause[end]
        name = lexicon.names.at(clause, end + 1) or (
            clause[end + 1 : end + 2] if clause[end + 1 : end + 2] in lexicon.singles else ""
        )
        after = end + 1 + len(name)
        if not name or after > len(clause):
            break
        rest = clause[after:]
        together = link == "、" or rest.startswith(("二人", "两个", "都", "皆", "齐", "俱", "一齐", "等", "一同"))
        if not together and not (len(rest) <= 2 and ok[after] and rest[-1:] in "道曰"):
            break
        others.append(name)
        end = after
    return tuple(others)


def _addressee(clause: str, start: int, lexicon: Lexicon) -> str:
    """谓Y曰, 对Y道, 向Y问道, 骂Y道 → Y."""
    for position in range(start, len(clause) - 1):
        for word in _w().addressing.all_at(clause, position):
            after = position + len(word)
            name = lexicon.names.at(clause, after)
            if (
                not name
                and clause[after : after + 1] in lexicon.singles
                and predicate_starts(clause[after + 1 :])[0:1] == [True]
            ):
                name = clause[after]
            if not name:
                match = _DEMONSTRATIVE.match(clause, after)
                begin = match.end() if match else after
                end = _role_end(clause, begin, None)
                name = clause[begin:end] if end - begin > 1 else ""
            if name:
                return name
    return ""


def read_trailing_cue(narration: str, lexicon: Lexicon) -> Cue:
    """A cue behind the quotation: “…”宝玉道，“…” or “…”他说。"""
    clause = re.split(r"[，,。！？；：:\n]", narration, maxsplit=1)[0].strip()
    if not clause or len(clause) > LONGEST_CLAUSE:
        return NO_CUE
    ok = predicate_starts(clause)
    subject = subject_of(clause, lexicon, ok) or _unknown(clause, lexicon, ok)
    if subject is None or subject.end >= len(clause) or not ok[subject.end] or subject.mention[0] == "等":
        return NO_CUE
    if narration[len(clause) : len(clause) + 1] in ("：", ":"):  # it announces the next quotation
        return NO_CUE
    return Cue(subject, (), _addressee(clause, subject.end, lexicon), clause, "after")


def is_role(mention: str) -> bool:
    """A role noun (国王, 那妇人), not a name."""
    return mention in _w().roles or mention[:1] in ("那", "这", "其") or mention[:2] in ("他的", "他娘", "他父", "他母")


def is_predicate_word(word: str) -> bool:
    return word in _w().adverbs or word in _w().verbs


def is_thought(clause: str) -> bool:
    return bool(_w().thought.search(clause))
