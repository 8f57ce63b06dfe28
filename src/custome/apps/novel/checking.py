"""Does a chapter keep to its brief and its plan: everything that code can tell, each with the words it is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .brief import Brief, Person
from .export import parted
from .folder import Beat, NovelFolder, Row
from .prose import coverage, distinct, letters, repeated, repeated_sentences, sentences

LENGTH_OFF = 0.1
"""Share by which a chapter may be longer or shorter than asked."""
COVERED = 0.9
REPEATED = 0.02
SAME_SENTENCES = 0.02
DISTINCT = 0.65
_SAID = re.compile(r"([^。！？”]{0,24})[：，]“([^”]*)”")
_SPEAKS = r"[^，。！？“”说]{0,6}(?:道|说|问|喝道|叫道|答)[：，]"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that must hold of a chapter."""

    chapter: int
    what: str
    passed: bool
    found: str
    """The figure, or the words that break it."""


def check(folder: NovelFolder, number: int) -> list[Check]:
    """All checks of a written chapter."""
    brief, row = folder.brief(), folder.row(number)
    text = "".join(parted(folder.chapter(number)).paragraphs)
    rows = [
        _length(brief, text),
        _named(brief, row, text),
        _covered(brief, folder.beats(number), text),
        *(_forbidden(brief, text)),
        *(one for person in brief.people for one in _in_time(person, number, text)),
        *_promised(brief, number, text),
        *_told_by_who_knows(brief, text),
        _share("十字重复", repeated(text), REPEATED),
        _share("整句重复", repeated_sentences(text), SAME_SENTENCES),
        (
            "用词不单调（前一千字 distinct-2）",
            distinct(text) >= DISTINCT,
            f"{distinct(text):.2f}",
        ),
        _title(brief, row),
        _whole(text),
    ]
    return [
        Check(chapter=number, what=what, passed=passed, found=found) for what, passed, found in rows
    ]


Found = tuple[str, bool, str]
"""(what must hold, does it, the figure or words)"""


def _length(brief: Brief, text: str) -> Found:
    size = len("".join(text.split()))
    return (
        f"字数 {brief.length:,} ±{LENGTH_OFF:.0%}",
        abs(size - brief.length) <= LENGTH_OFF * brief.length,
        f"{size:,}",
    )


def _named(brief: Brief, row: Row, text: str) -> Found:
    aliases = brief.aliases()
    missing = [name for name in row.people if not coverage(text, [name], aliases)]
    return "目录里的人都出场", not missing, "、".join(missing) or "都在"


def _covered(brief: Brief, beats: Sequence[Beat], text: str) -> Found:
    words = [word for beat in beats for word in beat.keywords]
    share = coverage(text, words, brief.aliases())
    return f"要写到的都写到（≥ {COVERED:.0%}）", share >= COVERED, f"{share:.0%}"


def _forbidden(brief: Brief, text: str) -> list[Found]:
    if not brief.forbidden:
        return []
    there = [_around(text, word) for word in brief.forbidden if word in text]
    return [("没有不许出现的", not there, "；".join(there) or "没有")]


def _in_time(person: Person, number: int, text: str) -> list[Found]:
    names = [name for name in (person.name, *person.aliases) if name in text]
    found: list[Found] = []
    if number < person.enters:
        found.append(
            (
                f"{person.name} 第 {person.enters} 回才出场",
                not names,
                _around(text, names[0]) if names else "没有提到",
            )
        )
    if person.dies and number > person.dies:
        acts = re.search(
            f"(?:{'|'.join(map(re.escape, (person.name, *person.aliases)))}){_SPEAKS}", text
        )
        found.append(
            (
                f"{person.name} 死在第 {person.dies} 回，不再说话",
                acts is None,
                _around(text, acts.group()) if acts else "没有开口",
            )
        )
    return found


def _promised(brief: Brief, number: int, text: str) -> list[Found]:
    found: list[Found] = []
    for promise in brief.promises:
        for chapter, what in ((promise.planted, "埋下"), (promise.paid, "收回")):
            if chapter == number:
                named = [word for word in promise.words if word in text]
                told = _around(text, named[0]) if named else f"没有提到 {promise.words[0]}"
                found.append((f"伏笔 {promise.what} {what}", bool(named), told))
    return found


def _told_by_who_knows(brief: Brief, text: str) -> list[Found]:
    """A secret in somebody's mouth, who does not know it."""
    found: list[Found] = []
    for secret in brief.secrets:
        wrong = ""
        for cue, said in _SAID.findall(text):
            if not all(word in said for word in secret.words):
                continue
            speaker = _speaker(brief, cue)
            if speaker and speaker not in secret.known_to:
                wrong = f"{speaker}：{_around(text, said[:12])}"
        known = "、".join(secret.known_to)
        found.append((f"秘密 {secret.what} 只有 {known} 说得出", not wrong, wrong or "没有说漏"))
    return found


def _speaker(brief: Brief, cue: str) -> str:
    """Who speaks, of the words before a speech: the first who is named in its last clause, and not as whom it is said to."""
    clause = re.split("[，；]", cue)[-1]
    told = [
        (clause.find(name), one.name)
        for one in brief.people
        for name in (one.name, *one.aliases)
        if name in clause and clause[: clause.find(name)][-1:] not in ("对", "向", "问", "跟", "给")
    ]
    return min(told, default=(0, ""))[1]


def _share(what: str, share: float, most: float) -> Found:
    return f"{what} ≤ {most:.0%}", share <= most, f"{share:.1%}"


def _title(brief: Brief, row: Row) -> Found:
    if brief.titles == "plain":
        return "有回目", bool(row.title), row.title
    halves = row.title.split("　")
    even = len(halves) == 2 and len(halves[0]) == len(halves[1])
    return "回目是一副对子", even, row.title


def _whole(text: str) -> Found:
    """Every speech is closed, and the last sentence ended."""
    last = sentences(text)
    ended = bool(last) and text.rstrip()[-1:] in "。！？…”’」』"
    even = text.count("“") == text.count("”")
    return "句子写完，引号成对", ended and even, "" if ended and even else text.rstrip()[-20:]


def _around(text: str, word: str) -> str:
    at = text.find(word)
    return f"“…{text[max(0, at - 8) : at + len(word) + 8]}…”"


def letters_written(folder: NovelFolder) -> int:
    """Characters of all chapters."""
    return sum(len(letters(folder.chapter(number))) for number in folder.written())
