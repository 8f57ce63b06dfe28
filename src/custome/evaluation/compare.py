"""Base and tuned replies side by side, greedy and sampled, with validation loss and perplexity of both: as Markdown and
as one self-contained HTML page.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ..apps.cosplay.card import cue_of
from ..corpus.formats import read_samples
from ..engine.base import Engine
from ..errors import DataError
from ..files import read_text, write_text
from ..models.run_folder import VALID_FILE
from ..report import Reporter
from ..types import Character, GenerateOptions, Message, Request, Sample

GREEDY = GenerateOptions(do_sample=False, max_new_tokens=64)
SAMPLED = GenerateOptions(do_sample=True, max_new_tokens=64, seed=42)
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
    """The effect of a run."""

    name: str
    rows: tuple[Row, ...]
    losses: tuple[float, float]
    """Validation loss a token of base and tuned; nan without validation rows."""
    valid_rows: int


def read_prompts(path: Path | None) -> list[tuple[str, str]]:
    """(context, speaker) of each prompt; the shipped set without a path. JSON Lines, or plain lines of text.

    Raises:
        InputError, DataError: the file cannot be used; file, line and key are named.
    """
    if path is None:
        text, where = (files("custome") / "data" / "prompts.jsonl").read_text(encoding="utf-8"), "内置提示"
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
                f"{where}:{number}: 不是合法的 JSON：{error.msg}", '每行应形如 {"context": "…", "speaker": "曹操"}'
            ) from error
        except KeyError as error:
            raise DataError(
                f"{where}:{number}: 缺少键 'context'", '每行应形如 {"context": "…", "speaker": "曹操"}'
            ) from error
    return prompts


def compare(
    base: Engine, tuned: Engine, prompts: Sequence[tuple[str, str]], people: Sequence[Character],
    valid: Sequence[Sample], reporter: Reporter,
) -> Comparison:  # fmt: skip
    """Ask both engines everything."""
    cues = {person.name: cue_of(person, tuned.kind) for person in people}
    requests = [
        Request(messages=(Message(role="user", content=context),), speaker=cues.get(speaker, speaker))
        for context, speaker in prompts
    ]
    columns: list[list[str]] = []
    ways = [(base, GREEDY), (tuned, GREEDY), (base, SAMPLED), (tuned, SAMPLED)]
    for done, (engine, options) in enumerate(ways):
        reporter.progress("对比回答", done, len(ways), engine.name)
        parts = [requests[start : start + _AT_ONCE] for start in range(0, len(requests), _AT_ONCE)]
        columns.append([reply.text for part in parts for reply in engine.generate(part, options)])
    reporter.progress("对比回答", len(ways), len(ways))
    rows = [Row(context=context, speaker=speaker, replies=replies)
            for (context, speaker), replies in zip(prompts, zip(*columns, strict=True), strict=True)]  # fmt: skip
    losses = (mean_loss(base, valid, "底座验证损失", reporter), mean_loss(tuned, valid, "微调验证损失", reporter))
    return Comparison(name=tuned.name, rows=tuple(rows), losses=losses, valid_rows=len(valid))


def mean_loss(engine: Engine, valid: Sequence[Sample], title: str, reporter: Reporter) -> float:
    logprob, tokens = 0.0, 0
    for start in range(0, len(valid), _AT_ONCE):
        part = valid[start : start + _AT_ONCE]
        speakers = [
            (s.speaker or s.mention) if engine.kind == "template" else "" for s in part
        ]  # a novel's context has the cue
        requests = [Request(messages=(Message(role="user", content=s.context),), speaker=speaker)
                    for s, speaker in zip(part, speakers, strict=True)]  # fmt: skip
        for score in engine.score(requests, [sample.chat for sample in part]):
            logprob, tokens = logprob + score.logprob, tokens + score.tokens
        reporter.progress(title, start + len(part), len(valid))
    return -logprob / tokens if tokens else math.nan


def valid_samples(run: Path, limit: int) -> list[Sample]:
    """The first `limit` rows that a run held out; none when it held out none."""
    path = run / VALID_FILE
    return read_samples(path)[:limit] if path.is_file() and path.stat().st_size else []


def loss_table(result: Comparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(head, rows) of the numbers."""
    base, tuned = result.losses
    head: tuple[str, ...] = (f"验证集 {result.valid_rows} 条", "底座", "微调", "差")
    rows: list[tuple[str, ...]] = [("损失（nat/token）", f"{base:.3f}", f"{tuned:.3f}", f"{tuned - base:+.3f}"),
            ("困惑度", f"{math.exp(base):.1f}", f"{math.exp(tuned):.1f}", f"×{math.exp(tuned - base):.2f}")]  # fmt: skip
    return head, rows


def markdown(result: Comparison) -> str:
    """The comparison as a Markdown document."""
    numbers = [] if math.isnan(result.losses[0]) else [*_markdown_table(*loss_table(result)), ""]
    replies = _markdown_table(_HEAD, [(row.context, row.speaker, *row.replies) for row in result.rows])
    return "\n".join([f"# {result.name}：微调前后", "", *numbers, *replies, ""])


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"

    return [line(head), line(["---"] * len(head)), *map(line, rows)]


def web_page(result: Comparison) -> str:
    """The comparison as one HTML page that needs no network."""
    style = (files("custome") / "evaluation" / "compare.css").read_text(encoding="utf-8")
    numbers = "" if math.isnan(result.losses[0]) else _html_table(*loss_table(result), "numbers")
    replies = _html_table(_HEAD, [(row.context, row.speaker, *row.replies) for row in result.rows], "replies")
    title = f"{html.escape(result.name)}：微调前后"
    return (f'<!doctype html>\n<html lang="zh"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{title}</title><style>{style}</style></head>\n<body><h1>{title}</h1>\n{numbers}\n{replies}</body></html>\n")  # fmt: skip


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str) -> str:
    def cells(tag: str, values: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(value)}</{tag}>" for value in values) + "</tr>"

    body = "\n".join(cells("td", row) for row in rows)
    return f'<table class="{kind}"><thead>{cells("th", head)}</thead><tbody>\n{body}\n</tbody></table>'


def write(result: Comparison, folder: Path) -> tuple[Path, Path]:
    """Write compare.md and compare.html into a folder."""
    paths = folder / "compare.md", folder / "compare.html"
    write_text(paths[0], markdown(result))
    write_text(paths[1], web_page(result))
    return paths
