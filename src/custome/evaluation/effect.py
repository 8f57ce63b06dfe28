"""A run folder → base against tuned, asked as on the page: tables for the reporter, files in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..corpus.cast import read_cast
from ..engine.open import EngineOptions, check_run, name_of, open_local_engine, open_models
from ..reporter import Reporter
from .answering import Answering
from .compare import ask_both, compare, numbers, valid_samples, write

if TYPE_CHECKING:
    from ..engine.local import LocalEngine


def compare_run(
    run: Path,
    output: Path,
    prompts: list[tuple[str, str]],
    valid_rows: int,
    options: EngineOptions,
    reporter: Reporter,
) -> None:
    """Base against tuned, asked as on the page: tables on the console, files in `output`."""
    people = list(dict.fromkeys(speaker for _, speaker in prompts))
    judge: Any  # an engine that has its base in itself
    hosted = open_models([str(run)], options, reporter).hosted[0]
    if hosted.open_base is not None:
        base = hosted.open_base()
        rows = ask_both(
            Answering(base, run, people), Answering(hosted.engine, run, people), prompts, reporter
        )
        base.close()
        hosted.engine.close()
        judge = open_tuned(run, options, reporter, fast=hosted.engine.kind == "template")
    else:  # what is not by llama.cpp has its base in itself
        judge = hosted.engine
        if not hasattr(judge, "base"):
            judge = open_tuned(run, options, reporter)
        rows = ask_both(
            Answering(judge.base(), run, people), Answering(judge, run, people), prompts, reporter
        )
    valid = valid_samples(run, valid_rows)
    result = compare(
        name_of(str(run)),
        rows,
        base=judge.base(),
        tuned=judge,
        valid=valid,
        cast=read_cast(run),
        reporter=reporter,
    )
    judge.close()
    reporter.table("", *numbers(result))
    for row in result.rows:
        reporter.note(
            f"{row.context}【{row.speaker or '—'}】\n    底座：{row.replies[0]}\n    微调：{row.replies[1]}"
        )
    markdown, page = write(result, output)
    reporter.note(f"对比表 → {markdown}　{page}")


def open_tuned(
    run: Path, options: EngineOptions, reporter: Reporter, *, fast: bool = False
) -> LocalEngine:
    """A run in transformers, whose adapter can be switched off; `fast` as open_local has it."""
    check_run(run)
    reporter.stage("载入模型")
    return open_local_engine(run, options, reporter, fast=fast)
