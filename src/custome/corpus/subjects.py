"""Who a clause is about: its subject, by name, title, role noun, number or pronoun. Pure functions of a clause and a
lexicon; no sentence, no chapter.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from .names import CJK, Lexicon, may_be_name, skip_lead
from .roles import (
    BREAKS,
    DEMONSTRATIVE,
    WHICH,
    counted,
    counts_things,
    crowd_end,
    far_role,
    role_end,
)
from .words import grammar, surnames

Kind = Literal["name", "role", "crowd", "pronoun", "unknown"]


class Subject(NamedTuple):
    """The subject of a clause as the text writes it."""

    mention: str
    kind: Kind
    end: int
    """Where the mention ends in its clause."""


# --- predicates ---------------------------------------------------------------------------------------------------


# --- subjects -----------------------------------------------------------------------------------------------------


def subject_of(clause: str, lexicon: Lexicon, ok: list[bool] | None = None) -> Subject | None:
    """The subject a clause opens with, or None.

    Args:
        ok: `predicate_starts(clause)` where the clause is the cue itself; allows what needs the predicate to be seen.
    """
    w = grammar()
    start = skip_lead(clause, lexicon)
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
    if (
        found is None
        and ok is None
        and (whose := re.search("有(?P<name>[\u4e00-\u9fff]{2,4})者$", clause))
    ):
        found = Subject(whose["name"], "unknown", whose.end())
    if found is None and ok is None:
        found = _introduced(clause, lexicon) or _placed(clause)
    if (
        found is None
        and ok is not None
        and (somebody := re.search("有一?个?人", clause))
        and ok[somebody.end()]
    ):
        found = Subject(somebody.group(), "role", somebody.end())
    if found is None and ok is not None:
        found = _described(clause, start + len(short), ok)
    return found


def _subject_at(clause: str, start: int, lexicon: Lexicon, ok: list[bool] | None) -> Subject | None:
    w = grammar()
    if start >= len(clause):
        return None
    match = DEMONSTRATIVE.match(clause, start)
    bare = match.end() if match else start
    pointed = bare > start
    for position in (start, bare) if pointed else (start,):
        name = lexicon.names.at(clause, position)
        if name:
            return _owned(clause, Subject(name, "name", position + len(name)), lexicon, ok)
    if match and match["many"]:
        return Subject(
            clause[start : crowd_end(clause, bare, ok)], "crowd", crowd_end(clause, bare, ok)
        )
    for position in (start, bare) if pointed else (start,):
        crowd = w.crowd.at(clause, position) or counted(clause, position)
        if crowd and not counts_things(clause, position + len(crowd), crowd, ok):
            end = crowd_end(clause, position + len(crowd), ok)
            return Subject(clause[position:end], "crowd", end)
    single = clause[start]
    titled = len(w.roles.at(clause, start)) > 1  # 长史杨仪 is not 长
    if (
        single in lexicon.singles
        and not titled
        and (
            clause[start + 1 : start + 2] == "等"
            or ok is not None
            and ok[start + 1]
            or single not in w.adverbs
            and single not in w.verbs
            and clause[start : start + 2] not in w.adverbs
            and clause[start + 1 : start + 2] not in ("其", "之", "此")
        )
    ):
        return _owned(clause, Subject(single, "name", start + 1), lexicon, ok)
    him = clause[start] in "他她"
    role = role_end(clause, bare, ok)
    if (
        role > bare
        and (not him or role - bare > 1)
        and (pointed or role - bare > 1 or ok is not None and ok[role])
    ):
        return _titled(clause, start, bare, role, lexicon, ok)
    if him and clause[start + 1 : start + 2] in w.kin:
        return Subject(clause[start : start + 2], "role", start + 2)
    if ok is None and clause[start] in "那这" and (end := far_role(clause, bare)):
        return Subject(clause[bare:end], "role", end)
    which = WHICH.match(clause, start)
    if which and (ok is None or ok[which.end()]):
        return Subject(which.group(), "role", which.end())
    pronoun = next((p for p in w.pronouns if clause.startswith(p, start)), "")
    if pronoun and not CJK.match(clause[start + len(pronoun) : start + len(pronoun) + 1] or "。"):
        return None
    if pronoun and (ok is None or ok[start + len(pronoun)]):
        return Subject(pronoun, "pronoun", start + len(pronoun))
    return None


def _titled(
    clause: str, start: int, bare: int, end: int, lexicon: Lexicon, ok: list[bool] | None
) -> Subject:
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
    kept = (
        clause[start:bare] in ("那", "其", "此")
        and end - bare == 1
        or clause[start:bare] in ("他", "她")
    )
    return Subject(clause[start if kept else bare : end], "role", end)


def _described(clause: str, start: int, ok: list[bool]) -> Subject | None:
    """A role noun behind what describes it: 北门守将, 跟随的人, 探事的."""
    w = grammar()
    match = DEMONSTRATIVE.match(clause, start)
    bare = match.end() if match else start
    relative = re.compile(r"[\u4e00-\u9fff]{2,4}的").match(clause, bare)  # 跟随的人
    end = role_end(clause, relative.end(), ok) if relative else 0
    if relative and end > relative.end() and ok[end]:
        return Subject(clause[bare:end], "role", end)
    for begin in range(bare + 1, min(bare + 6, len(clause))):
        if clause[begin - 1] in BREAKS:
            return None
        if (
            clause[begin - 1] == "的"
            and ok[begin]
            and begin - bare > 2
            and not _DOUBLED.search(clause[bare:begin])
        ):
            return Subject(clause[bare:begin], "role", begin)
        end = role_end(clause, begin, ok)
        if end > begin and clause[end : end + 1] == "们" and ok[end + 1]:
            return Subject(clause[bare : end + 1], "crowd", end + 1)
        if end > begin and ok[end] and clause[begin - 1] in w.places:
            return Subject(clause[begin:end], "role", end)
        verbal = any(
            words.at(clause, at)
            for at in range(bare, begin)
            for words in (w.adverbs, w.objects, w.verbs)
        )
        if end > begin and ok[end] and (not verbal or "的" in clause[bare:begin]):
            return Subject(clause[bare:end].lstrip("的"), "role", end)
    return None


_DOUBLED = re.compile(r"(.)\1的$")  # 战兢兢的: how, not who


def _introduced(clause: str, lexicon: Lexicon) -> Subject | None:
    """Somebody who enters at the end of a clause: 旁边闪出李逵, 却是做媒的王婆, 早有一个巡水的夜叉."""
    w = grammar()
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
    if (
        word.endswith("是")
        and (kin := re.search(r"的(?P<role>[^，的]{2,4})$", clause))
        and role_end(kin["role"], 0, None) == len(kin["role"])
    ):
        return Subject(kin["role"], "role", len(clause))  # 原来是国王的太子
    tail = re.search(r"(?:一|那|这)(?:个|位|名|员|伙|条)?(?P<role>[^，一那这]{1,6})$", clause[at:])
    if (
        tail
        and word != "见"
        and any(
            role_end(tail["role"], i, None) == len(tail["role"]) for i in range(len(tail["role"]))
        )
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
    for relation in grammar().relations:
        if rest.startswith(relation):
            end = subject.end + len(relation)
            name = lexicon.names.at(clause, end)
            if name:  # 贾赦之妻邢氏
                return Subject(name, "name", end + len(name))
            return Subject(clause[begin:end], "role", end)
    for group in _GROUPS:
        if rest.startswith(group):
            return Subject(
                clause[begin : subject.end + len(group)], "crowd", subject.end + len(group)
            )
    if rest[:1] in ("的", "之"):
        end = role_end(clause, subject.end + 1, ok)
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


def unknown_subject(clause: str, lexicon: Lexicon, ok: list[bool]) -> Subject | None:
    """A name the lexicon does not know: the shortest beginning that leaves a predicate."""
    start = skip_lead(clause, lexicon)
    start += len(grammar().short_lead.at(clause, start))
    match = DEMONSTRATIVE.match(clause, start)
    start = match.end() if match else start
    if start < len(ok) and ok[start]:
        return None
    for end in range(start + 2, min(start + 5, len(clause))):
        if ok[end] and may_be_name(clause[start:end]):
            return Subject(clause[start:end], "unknown", end)
    return None


def inside_subject(clause: str, lexicon: Lexicon, ok: list[bool]) -> Subject | None:
    """A name in the middle of the cue after which only a predicate is left: 树林里跳出李逵叫道, 又被小妖扯住道."""
    w = grammar()
    for position in range(len(clause) - 2, 0, -1):
        name, kind = lexicon.names.at(clause, position), "name"
        end = position + len(name)
        passive = clause[position - 1] in w.passive
        if (
            name
            and w.sending.search(clause[max(0, position - 2) : position])
            and _ERRAND.match(clause, end)
        ):
            return Subject(name, "name", end)  # 打发了翠缕来说
        if not name and (clause[position] in "那这" or passive):
            begin = position if passive else position + 1
            end = role_end(clause, begin, ok)
            name, kind = clause[begin:end], "role"
        if not name or end >= len(clause) or not ok[end]:
            continue
        first = _list_start(clause, position, lexicon)
        if (
            passive
            or clause[first - 1 : first] in w.safe_before
            and not w.objects.ends(clause, first)
        ):
            return Subject(name, kind, end)  # type: ignore[arg-type]
    return None


_ERRAND = re.compile(r"[来去往出进过][来去]?(?:[^，]{0,3})(?:说|道|回|问|报|请)[^，]{0,2}$")


def _list_start(clause: str, position: int, lexicon: Lexicon) -> int:
    """Start of the list of names (王基、陈骞) whose last begins at `position`."""
    while position > 1 and clause[position - 1] in "、与和并及":
        before = next(
            (
                i
                for i in range(position - 2, max(-1, position - 7), -1)
                if (name := lexicon.names.at(clause, i)) and i + len(name) == position - 1
            ),
            None,
        )
        if before is None:
            break
        position = before
    return position


def is_role(mention: str) -> bool:
    """A role noun (国王, 那妇人), not a name."""
    return (
        mention in grammar().roles
        or mention[:1] in ("那", "这", "其")
        or mention[:2] in ("他的", "他娘", "他父", "他母")
    )


def is_predicate_word(word: str) -> bool:
    return word in grammar().adverbs or word in grammar().verbs
