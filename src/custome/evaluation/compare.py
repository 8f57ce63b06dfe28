"""Base and tuned replies side by side, greedy and sampled, with validation loss and perplexity of both: as Markdown and
as one self-contained HTML page.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ..corpus.cast import Cast
from ..corpus.formats import read_samples
from ..corpus.voices import Voices
from ..engine.base import Engine
from ..errors import DataError
from ..files import read_text, write_text
from ..models.run_folder import VALID_FILE
from ..report.render import Table, markdown_table, page
from ..reporter import Reporter
from ..types import Message, Request, Sample
from .panel import LEAST_LINES
from .persona import Answer, Answerer, odd_half
from .sense import Sense, sense_of

_AT_ONCE = 32
"""Rows handed over together."""
_HEAD = ("上文", "人物", "底座 · 贪心", "微调 · 贪心", "底座 · 采样", "微调 · 采样")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One prompt and what each way of answering made of it."""

    context: str
    speaker: str
    replies: tuple[str, ...]
    """Base greedy, tuned greedy, base sampled, tuned sampled."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Losses, replies and scores of a base and of the run tuned on it."""

    name: str
    rows: tuple[Row, ...]
    losses: tuple[float, float]
    """Validation loss a token of base and tuned; nan without validation rows."""
    valid_rows: int
    senses: tuple[Sense, ...] = ()
    """What the base thinks of its own greedy replies and of the tuned ones."""
    voices: tuple[float, ...] = (math.nan, math.nan)
    """Share of the greedy replies of base and tuned that are recognised."""


def read_prompts(path: Path | None) -> list[tuple[str, str]]:
    """(context, speaker) of each prompt; the shipped set without a path. JSON Lines, or plain lines of text.

    Raises:
        InputError, DataError: the file cannot be used; file, line and key are named.
    """
    if path is None:
        text, where = (
            (files("custome") / "data" / "prompts.jsonl").read_text(encoding="utf-8"),
            "内置提示",
        )
    else:
        text, where = read_text(path, "提示文件"), str(path)
    prompts = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if not line.lstrip().startswith("{"):
            prompts.append((line.strip(), ""))
            continue
        try:
            row = json.loads(line)
            prompts.append((str(row["context"]), str(row.get("speaker") or "")))
        except json.JSONDecodeError as error:
            raise DataError(
                f"{where}:{number}: 不是合法的 JSON：{error.msg}",
                '每行应形如 {"context": "…", "speaker": "曹操"}',
            ) from error
        except KeyError as error:
            raise DataError(
                f"{where}:{number}: 缺少键 'context'",
                '每行应形如 {"context": "…", "speaker": "曹操"}',
            ) from error
    return prompts


def ask_both(
    base: Answerer, tuned: Answerer, prompts: Sequence[tuple[str, str]], reporter: Reporter
) -> tuple[Row, ...]:
    """Every prompt to the base and to what was made of it, greedy and drawn."""
    columns: list[list[str]] = []
    ways = [(base, True), (tuned, True), (base, False), (tuned, False)]
    for done, (answerer, greedy) in enumerate(ways):
        reporter.progress("对比回答", done, len(ways))
        columns.append([reply.text for reply in answerer(prompts, greedy)])
    reporter.progress("对比回答", len(ways), len(ways))
    return tuple(
        Row(context=context, speaker=speaker, replies=replies)
        for (context, speaker), replies in zip(prompts, zip(*columns, strict=True), strict=True)
    )


def compare(
    name: str,
    rows: Sequence[Row],
    *,
    base: Engine,
    tuned: Engine,
    valid: Sequence[Sample],
    cast: Cast,
    reporter: Reporter,
) -> Comparison:
    """What the replies and the held-out rows tell.

    Args:
        base: scores; reads the replies too, where it is one that follows orders.
        tuned: scores.
        cast: tells whose voice a reply has.
    """
    losses = (
        mean_loss(base, valid, "底座验证损失", reporter),
        mean_loss(tuned, valid, "微调验证损失", reporter),
    )
    columns = [
        [
            Answer(question=row.context, kind="", name=row.speaker, text=row.replies[place])
            for row in rows
        ]
        for place in (0, 1)
    ]
    senses: list[Sense] = []
    if base.kind == "template" and len({row.context for row in rows}) > 1:
        senses = [sense_of(base, answers, reporter) for answers in columns]
    return Comparison(
        name=name,
        rows=tuple(rows),
        losses=losses,
        valid_rows=len(valid),
        senses=tuple(senses),
        voices=tuple(_recognised(cast, answers) for answers in columns),
    )


def _recognised(cast: Cast, answers: Sequence[Answer]) -> float:
    """Share of replies that a classifier of the people who were asked gives to who said them; nan for fewer than two."""
    counts = Counter(line.speaker for line in cast.lines)
    names = sorted({answer.name for answer in answers if counts[answer.name] >= LEAST_LINES})
    if len(names) < 2:
        return math.nan
    voices = Voices(odd_half(cast.lines), names)
    hits = [voices.who(answer.text) == answer.name for answer in answers if answer.name in names]
    return sum(hits) / len(hits)


def mean_loss(engine: Engine, valid: Sequence[Sample], title: str, reporter: Reporter) -> float:
    logprob, tokens = 0.0, 0
    for start in range(0, len(valid), _AT_ONCE):
        part = valid[start : start + _AT_ONCE]
        speakers = [
            (s.speaker or s.mention) if engine.kind == "template" else "" for s in part
        ]  # a novel's context has the cue
        requests = [
            Request(messages=(Message(role="user", content=s.context),), speaker=speaker)
            for s, speaker in zip(part, speakers, strict=True)
        ]
        for score in engine.score(requests, [sample.chat for sample in part]):
            logprob, tokens = logprob + score.logprob, tokens + score.tokens
        reporter.progress(title, start + len(part), len(valid))
    return -logprob / tokens if tokens else math.nan


def valid_samples(run: Path, limit: int) -> list[Sample]:
    """The first `limit` rows that a run held out; none when it held out none."""
    path = run / VALID_FILE
    return read_samples(path)[:limit] if path.is_file() and path.stat().st_size else []


def numbers(result: Comparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(head, rows) of the numbers; what was not measured is not there."""
    rows: list[tuple[str, ...]] = []

    def row(title: str, values: Sequence[float], form: str) -> None:
        if not any(math.isnan(value) for value in values):
            one, other = values
            rows.append((title, f"{one:{form}}", f"{other:{form}}", f"{other - one:{'+' + form}}"))

    row("认得出是谁", result.voices, ".0%")
    if result.senses:
        means = [sense.means() for sense in result.senses]
        row("自己的问题最像（碰巧 0.17）", [one["wins"] for one in means], ".2f")
        row("切题，nat/字", [one["information"] for one in means], ".2f")
        row("不像话，nat/字", [one["language"] for one in means], ".2f")
    row(f"验证集 {result.valid_rows} 条的损失，nat/token", result.losses, ".3f")
    row("困惑度", [math.exp(loss) for loss in result.losses], ".1f")
    return ("", "底座", "微调", "差"), rows


def markdown(result: Comparison) -> str:
    """The comparison as a Markdown document."""
    measured = numbers(result)
    tables = [measured] if measured[1] else []
    parts = [markdown_table(*table) for table in (*tables, _replies(result))]
    return "\n\n".join([f"# {result.name}：微调前后", *parts, ""])


def web_page(result: Comparison) -> str:
    """The comparison as one HTML page that needs no network."""
    return page(
        "compare.html",
        title=f"{result.name}：微调前后",
        numbers=numbers(result),
        replies=_replies(result),
    )


def _replies(result: Comparison) -> Table:
    return _HEAD, [(row.context, row.speaker, *row.replies) for row in result.rows]


def write(result: Comparison, folder: Path) -> tuple[Path, Path]:
    """Write compare.md and compare.html into a folder."""
    paths = folder / "compare.md", folder / "compare.html"
    write_text(paths[0], markdown(result))
    write_text(paths[1], web_page(result))
    return paths
