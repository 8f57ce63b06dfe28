"""How an assistant does on messages whose right outcome is known, and what a shop's day was like."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ...conversations.store import Store
from ...errors import DataError
from ...files import read_text
from .shelves import APP, owner_of
from .turning import SILENT, Assistant, Slots

_REPEAT = re.compile(r"\{\{REPEAT:(\d{1,5}):(.*?)\}\}")
"""A message that repeats itself, written short."""
ASKED = 12
"""Questions that are listed in a report."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A conversation and what must come of it."""

    turns: tuple[str, ...]
    kind: str
    must: tuple[str, ...]
    """In the last answer; where a person must be called, in any of them."""
    must_not: tuple[str, ...]
    handoff: bool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it."""

    message: Message
    answers: tuple[str, ...]
    kinds: tuple[str, ...]
    handed: bool
    slowest_s: float
    problems: tuple[str, ...]
    """What is not as expected; none where all is."""


def read_messages(path: Path) -> list[Message]:
    """Messages of a file: turns, expect.kind, must, must_not, handoff.

    Raises:
        DataError: a row has other keys: file, line, key.
    """
    found = []
    for number, line in enumerate(read_text(path, "消息文件").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            expect = row["expect"]
            turns = tuple(_REPEAT.sub(lambda m: m[2] * int(m[1]), turn) for turn in row["turns"])
            found.append(
                Message(
                    turns=turns,
                    kind=expect["kind"],
                    must=tuple(expect["must"]),
                    must_not=tuple(expect["must_not"]),
                    handoff=bool(expect["handoff"]),
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}:{number} 读不懂：{error!r}",
                '例如 {"turns": ["…"], "expect": {"kind": "price", "must": [], "must_not": [], "handoff": false}}',
            ) from error
    if not found:
        raise DataError(f"{str(path)!r} 里没有消息", "一行一个 JSON")
    return found


def measure(assistant: Assistant, messages: Sequence[Message]) -> list[Outcome]:
    """Say every conversation to an assistant."""
    return [_outcome(assistant, one) for one in messages]


def _outcome(assistant: Assistant, message: Message) -> Outcome:
    slots, answers, kinds, handed, slowest = Slots(), [], [], False, 0.0
    for turn in message.turns:
        if handed:
            answers.append(SILENT)
            kinds.append("silent")
            continue
        begun = time.perf_counter()
        said = assistant.answer(turn, slots)
        slowest = max(slowest, time.perf_counter() - begun)
        slots, handed = said.slots, bool(said.reason)
        answers.append(said.text)
        kinds.append(said.kind)
    judged = "\n".join(answers) if message.handoff else answers[-1]
    problems = [f"没有“{one}”" for one in message.must if one not in judged]
    problems += [f"有“{one}”" for one in message.must_not if one in judged]
    if handed != message.handoff:
        problems.append("转了人工" if handed else "没转人工")
    return Outcome(
        message=message,
        answers=tuple(answers),
        kinds=tuple(kinds),
        handed=handed,
        slowest_s=slowest,
        problems=tuple(problems),
    )


def figures(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """What is shown of a measurement."""
    whole = len(outcomes)
    right = sum(not one.problems for one in outcomes)
    called = [one for one in outcomes if one.handed]
    meant = [one for one in outcomes if one.message.handoff]
    both = sum(one.message.handoff for one in called)
    rows = [one for one in outcomes if one.message.kind in ("price", "stock")]
    wrong = sum(any(problem.startswith("有") for problem in one.problems) for one in rows)
    leaks = sum(
        any(problem.startswith("有") for problem in one.problems)
        for one in outcomes
        if one.message.kind == "order" or "QC" in "".join(one.message.must_not)
    )
    slowest = sorted(one.slowest_s for one in outcomes)
    return {
        "消息": f"{whole} 段",
        "如所期望": f"{right}/{whole} = {right / whole:.3f}",
        "说错价格或库存": f"{wrong}/{len(rows)}",
        "没核对就说了订单": str(leaks),
        "转人工：准": f"{both}/{len(called)}" if called else "—",
        "转人工：全": f"{both}/{len(meant)}" if meant else "—",
        "一句话，九成五以内": f"{slowest[int(0.95 * (whole - 1))] * 1000:.0f} 毫秒",
    }


def day_report(store: Store, shop: str, day: date) -> str:
    """A shop's day on one page, in Markdown: conversations, what was asked most, what nobody could answer, how it was rated."""
    owner = owner_of(shop)
    chats = [
        one
        for one in store.chats(owner, limit=10_000, app=APP)
        if datetime.fromtimestamp(one.updated).date() >= day
    ]
    customers = 0
    kinds: Counter[str] = Counter()
    questions: Counter[str] = Counter()
    unanswered: list[str] = []
    stars: list[int] = []
    for one in chats:
        scene: Mapping[str, Any] = one.scene
        asked, here = "", False
        for turn in store.read(one.id, owner).turns:
            if turn.by_user:
                asked = turn.text
                continue
            if datetime.fromtimestamp(turn.stats.get("at", one.updated)).date() != day:
                continue
            here = True
            kind = turn.stats.get("kind", "")
            kinds[kind] += bool(kind)
            if kind in ("faq", "suggest"):
                questions.update(turn.stats.get("sources", ()))
            if kind == "unknown":
                unanswered.append(asked)
        customers += here
        if here and "stars" in scene:
            stars.append(int(scene["stars"]))
    handed = kinds["handoff"]
    answered = sum(kinds.values()) - kinds["note"] - kinds["silent"]
    lines = [
        f"# {shop} · {day.isoformat()}",
        "",
        f"- {customers} 位客人，助手答了 {answered} 句，转人工 {handed} 次",
        f"- 评分 {sum(stars) / len(stars):.1f}（{len(stars)} 人）" if stars else "- 还没有人评分",
        "",
        "## 问得最多的",
        "",
        *(f"- {question} × {count}" for question, count in questions.most_common(ASKED)),
        "",
        "## 没答上来的",
        "",
        *(f"- {words[:80]}" for words in unanswered[:ASKED]),
    ]
    return "\n".join(lines).rstrip() + "\n"
