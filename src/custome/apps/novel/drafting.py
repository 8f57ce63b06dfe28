"""What happens → the words for it: several tries of a model, cut where they go astray, the best by code; where none will do, the plan's own
sentence stands. Knows engines and plans, no folder.

A small model says in one sentence what it was given, and makes things up from the second (docs/log.md): so it is given little at a time,
and whatever names somebody who is not there, repeats the chapter or its own words is cut off.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ...engine.base import Cancel, Engine, OnPiece
from ...types import GenerateOptions, Message, Reply, Request
from .brief import Brief
from .folder import Beat
from .passages import Plan, asked, surnames
from .prose import coverage, letters, repeated, sentences
from .retelling import SHOWN
from .style import Manner

CANDIDATES = 4
BEFORE = 60
"""Characters of what stands before that a model is shown."""
ALREADY = 6
"""Letters in a row that stand in the chapter already, of which a sentence may have few."""
OWN = 0.85
"""What the plan's own sentence is worth: a try that says less of the plan is worth less."""
SAME_LETTERS = 0.7
"""Share of the plan's letters that a book's words for the same thing have, at best."""
MORE = 0.3
"""What is added for a try that is as long as was asked; one that is longer loses as much again."""
MANNER = 0.2
"""What is added for a try in the manner of the book."""
SURE = 0.8
"""What a nat a token of the model's own likelihood is worth: what it was least sure of is what makes no sense (docs/log.md)."""
AS_SURE = -0.65
"""How sure a model has to be of a try, in nats a token, to be as sure as we are of the plan's own sentence."""
OTHER_SPEECH = 0.3
"""What a try is worth that says of the plan what it should, but has more or fewer speeches."""
SAID_AGAIN = 1.0
"""What is taken off for saying, instead of the plan, what stands right before."""
NO_MANNER = Manner(favours={})
_ORDER = "把提纲里的一句话改写成小说里的一两句话。意思不变，人物不变，不加新的事；可以添一个动作、一样看得见的东西，或者一句对话。"
_SHOTS = (
    ("周掌柜拿十两银子求钱勇连夜送一只箱子过江。",
     "周掌柜把一锭银子往钱勇脚边一放，道：“十两。今夜把这只箱子送过江去。”"),
    ("钱勇问箱里是什么，周掌柜不肯说。", "“里头装的什么？”钱勇伸手去摸那锁。周掌柜拨开他的手，只是笑，不肯说。"),
    ("船到江心，小豆子听见箱里有铃铛响。",
     "船到江心，浪头一下高似一下。小豆子忽然把耳朵贴在箱子上，里头叮的一声，是铃铛响。"),
    ("钱勇变了脸色，把橹摇得更急。", "钱勇听了不答，脸色白得像纸，只把橹摇得更急了。"),
    ("岸上有人举着火把追来。", "岸上亮起一点火光，接着是两点、三点，有人举着火把沿江追来了。"),
    ("小豆子要把箱子扔下水，钱勇不许。", "小豆子抱起箱子就要往水里扔，钱勇一把按住，道：“不许扔！”"),
)  # fmt: skip
"""(what happens, the words for it), shown to a model that was not taught to write novels; version 2."""
_BOILERPLATE = re.compile(
    r"第[一二三四五六七八九十\d]+[章回]|未完待续|侵权|作者|上文|正文|http|[A-Za-z]{3,}|[\U0001f300-\U0001faff]"
)
_NO = re.compile("[不没未别莫]")
_SAYS = re.compile(r"([\u4e00-\u9fff]{2,3})(?:笑|怒|冷笑|大声|低声)?(?:道|说|问)[：，]")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One try of a model."""

    text: str
    sure: float = AS_SURE
    """Its log probability a token, in nats."""


class Writer(Protocol):
    """Whoever words a plan."""

    name: str
    manner: Manner
    """Of the book it learnt from."""

    def drafts(
        self, plan: Plan, event: str, drawing: Drawing, on_piece: OnPiece | None
    ) -> list[Draft]:
        """Several tries."""

    def says(self, text: str, beat: Beat, aliases: Mapping[str, Sequence[str]]) -> float:
        """How much of the plan stands in a try, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How many tries, and how they are drawn."""

    candidates: int = CANDIDATES
    seed: int = 0
    temperature: float = 0.5
    cancel: Cancel | None = None


class Storyteller:
    """A model that talks, shown how a sentence of a plan becomes one of a novel."""

    manner = NO_MANNER

    def __init__(self, engine: Engine, name: str) -> None:
        self.name, self._engine = name, engine

    def drafts(
        self, plan: Plan, event: str, drawing: Drawing, on_piece: OnPiece | None
    ) -> list[Draft]:
        shots = [
            message
            for told, text in _SHOTS
            for message in (
                Message(role="user", content=told),
                Message(role="assistant", content=text),
            )
        ]
        order = Message(role="system", content=_ORDER)
        request = Request(messages=(order, *shots, Message(role="user", content=event)))
        return _drawn(self._engine, request, plan, drawing, on_piece, strength=0.0)

    def says(self, text: str, beat: Beat, aliases: Mapping[str, Sequence[str]]) -> float:
        """Letters and pairs of letters of the plan's sentence; a try that says no where the plan does not has half."""
        same = (_shared(text, beat.event, 1) + _shared(text, beat.event, 2)) / 2
        return same / 2 if len(_NO.findall(text)) > len(_NO.findall(beat.event)) + 1 else same


class Novelist:
    """A model that was taught to put plain words into a book's (custome novel train-style)."""

    def __init__(self, engine: Engine, name: str, manner: Manner = NO_MANNER) -> None:
        self.name, self._engine, self.manner = name, engine, manner

    def drafts(
        self, plan: Plan, event: str, drawing: Drawing, on_piece: OnPiece | None
    ) -> list[Draft]:
        request = Request(messages=(Message(role="user", content=asked(plan)),))
        return _drawn(self._engine, request, plan, drawing, on_piece, strength=1.0)

    def says(self, text: str, beat: Beat, aliases: Mapping[str, Sequence[str]]) -> float:
        """What must be named, and letters of the plan's sentence; less where it has not as many speeches."""
        named = coverage(text, (*beat.keywords, *beat.people), aliases)
        same = (named + min(1.0, _shared(text, beat.event, 1) / SAME_LETTERS)) / 2
        return same * OTHER_SPEECH if text.count("“") != beat.event.count("“") else same


class PlanItself:
    """Nobody: the plan's own sentences."""

    name, manner = "none", NO_MANNER

    def drafts(
        self, plan: Plan, event: str, drawing: Drawing, on_piece: OnPiece | None
    ) -> list[Draft]:
        return []

    def says(self, text: str, beat: Beat, aliases: Mapping[str, Sequence[str]]) -> float:
        return 1.0


def _drawn(
    engine: Engine,
    request: Request,
    plan: Plan,
    drawing: Drawing,
    on_piece: OnPiece | None,
    *,
    strength: float,
) -> list[Draft]:
    wanted = GenerateOptions(
        max_new_tokens=round(plan.length * 1.5) + 24,
        temperature=drawing.temperature,
        top_p=0.95,
        repetition_penalty=1.0,
        dry_multiplier=0.8,
        seed=drawing.seed,
        afresh=False,
        stop=("\n",),
        strength=strength,
        as_written=True,
        logprobs=0 if strength else None,
    )
    more = {name: getattr(wanted, name) for name in sorted(engine.supports)}
    options = dataclasses.replace(GenerateOptions(), **more)
    replies = engine.generate([request] * drawing.candidates, options, drawing.cancel, on_piece)
    return [_draft(reply) for reply in replies]


def _draft(reply: Reply) -> Draft:
    text = reply.text.strip()
    if reply.logprob is None:
        return Draft(text=text)
    return Draft(text=text, sure=reply.logprob / max(1, reply.completion_tokens))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A try, cut where it went astray, and what it is worth."""

    text: str
    worth: float
    problems: tuple[str, ...] = ()


def ranked(
    drafts: Sequence[Draft], beat: Beat, brief: Brief, written: str, writer: Writer
) -> list[Judged]:
    """The best first; the plan's own sentence is one of them.

    Args:
        written: the chapter so far.
    """
    seen = _grams(written)
    once = {draft.text: draft for draft in drafts}
    judged = [_judged(draft, beat, brief, seen, writer) for draft in once.values()]
    last = _grams(written[-2 * BEFORE :], 2) - _grams(beat.event, 2)
    judged = [replace(one, worth=one.worth - SAID_AGAIN * _share(last, one.text)) for one in judged]
    own = OWN + MANNER * writer.manner.of(beat.event) + SURE * AS_SURE
    plain = Judged(text=beat.event, worth=own)
    return sorted([one for one in judged if one.text] + [plain], key=lambda one: -one.worth)


def _judged(draft: Draft, beat: Beat, brief: Brief, seen: frozenset[str], writer: Writer) -> Judged:
    kept, problems = "", []
    for one in sentences(draft.text):
        wrong = _astray(one, kept, beat, brief, seen, writer)
        if wrong:
            problems.append(wrong)
            break
        kept += one
    if not kept:
        return Judged(text="", worth=0, problems=tuple(problems))
    size = len(letters(kept)) / max(1, beat.length)
    fit = min(size, max(-1.0, 2 - size))
    says = writer.says(kept, beat, brief.aliases())
    worth = says + MORE * fit + MANNER * writer.manner.of(kept) - 2 * repeated(kept, 5)
    worth += SURE * draft.sure
    return Judged(text=kept, worth=worth, problems=tuple(problems))


def _astray(
    one: str, kept: str, beat: Beat, brief: Brief, seen: frozenset[str], writer: Writer
) -> str:
    """Why a sentence is not taken; '' where nothing is wrong with it."""
    for person in brief.people:
        if person.name not in beat.people and any(
            name in one for name in (person.name, *person.aliases)
        ):
            return f"{person.name} 不在场"
    stranger = _stranger(one, brief, writer.manner.people)
    if stranger:
        return f"没有叫 {stranger} 的人"
    for word in brief.forbidden:
        if word in one:
            return f"不许出现 {word}"
    if _BOILERPLATE.search(one):
        return "不像正文"
    if one[-1] not in "。！？…”’」』":
        return "没有写完"
    if one.count("“") != one.count("”"):
        return "引号不成对"
    grams = _grams(one)
    old = seen | _grams(kept)
    if grams and len(grams & old) / len(grams) > 0.5:
        return "前面写过了"
    return ""


def _stranger(one: str, brief: Brief, people: Collection[str]) -> str:
    """Somebody of the book it was learnt from, or who speaks and is nobody of the story, by a surname."""
    known = [name for person in brief.people for name in (person.name, *person.aliases)]
    for name in (*SHOWN, *people):
        if name in one and not any(name in other for other in known):
            return name
    for name in _SAYS.findall(one):
        if name[0] in surnames() and not any(name in other or other in name for other in known):
            return str(name)
    return ""


def _share(grams: Collection[str], text: str) -> float:
    """Share of a text's pairs of letters that are among these."""
    own = _grams(text, 2)
    return len(own & frozenset(grams)) / max(1, len(own))


def _shared(text: str, told: str, n: int) -> float:
    """Share of what is told that stands in a text, in pieces of n letters."""
    wanted = _grams(told, n)
    return len(wanted & _grams(text, n)) / max(1, len(wanted))


def _grams(text: str, n: int = ALREADY) -> frozenset[str]:
    plain = letters(text)
    return frozenset(plain[at : at + n] for at in range(len(plain) - n + 1))


def plan_of(beat: Beat, brief: Brief, written: str) -> Plan:
    """What a model is asked for: the beat, and the last whole sentence before it."""
    last = sentences(written[-2 * BEFORE :])
    return Plan(
        before=last[-1][-BEFORE:] if last else "",
        people=beat.people,
        event=beat.event,
        keywords=beat.keywords,
        length=beat.length,
    )
