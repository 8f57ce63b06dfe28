"""`custome evaluate`: how well runs play their people, in numbers beside the base and real quotations."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ..engine.base import Engine
from ..engine.open import EngineOptions, open_models
from ..errors import InputError
from ..evaluation.evaluate import Drawing
from ..reporter import ConsoleReporter
from .flags import parse


@dataclass(frozen=True, kw_only=True)
class Judging:
    """再请一个更大的模型打分。"""

    judge_url: str = ""
    """OpenAI 兼容的地址，如 http://127.0.0.1:8000/v1；不给就不请。"""
    judge_model: str = ""
    """那边的模型名；默认是它列出的第一个。"""
    judge_key_file: str = ""
    """密钥在哪个文件里；默认用环境变量 OPENAI_API_KEY。"""
    judge_plain: bool = False
    """只送 OpenAI 自己的参数；OpenAI 官方的 API 要这样。"""


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """演得像不像：十二个人物、一百二十个问题，和底座、真实引文并排。"""

    runs: Positional[tuple[str, ...]]
    """运行目录，可以给几个。"""
    corpus: str = ""
    """语料目录，真实引文从它没用来训练的章节里取；默认是第一个运行目录训练时用的。"""
    questions: int = 0
    """每类最多问几个；0 全问。"""
    base: bool = True
    """也问没微调的底座。"""
    information: bool = True
    """算互信息和文体（要用 transformers 载入底座，几分钟）。"""
    sense: tuple[str, ...] = ()
    """通不通情理：请这些没微调的底座来读（如 qwen2.5-coder-1.5b qwen2.5-coder-0.5b；transformers 载入，十几分钟一个），先用真实的问答检验裁判。"""
    sense_answers: int = 60
    """每个运行目录有多少个回答给裁判读。"""
    plain: tuple[str, ...] = ()
    """哪些照最初的样子问（运行目录名，或 底座）：问题原样，一个候选，不给人设和本人的话。"""
    output: Annotated[str, arg(aliases=["-o"])] = ""
    """结果放在哪个目录；默认放进第一个运行目录。"""
    play: Drawing = field(default_factory=Drawing)
    judge: Judging = field(default_factory=Judging)
    model: EngineOptions = field(default_factory=EngineOptions)


def evaluate(argv: list[str]) -> int:
    flags = parse(Evaluate, argv, "custome evaluate")
    if not flags.runs:
        raise InputError("没有给运行目录", "例如：custome evaluate runs/sanguo")
    from ..evaluation import evaluate as exams
    from ..evaluation.unfinished import Unfinished

    reporter, bases = ConsoleReporter(), exams.bases_of(flags.runs) if flags.base else {}
    exams.check_plain(flags.plain, flags.runs, bases)
    opened = open_models(flags.runs, flags.model, reporter)
    critic = _critic(flags.judge)  # a wrong address is said before the questions are asked
    exam = exams.make_exam(flags.runs, flags.corpus, flags.questions, flags.output, flags.model)
    asked = exams.contestants(
        flags.runs, opened, flags.play, reporter, bases=bases, plain=flags.plain
    )
    unfinished = Unfinished(exam.folder)
    results = exams.ask_everybody(exam, asked, unfinished, reporter)
    if flags.information:
        exams.under_the_base(exam, results, Path(flags.runs[0]), unfinished, reporter)
    if critic is not None:
        exams.add_marks(critic, results, reporter)
    senses = exams.sense_tables(
        exam, results, flags.sense, flags.sense_answers, unfinished, reporter
    )
    exams.publish(exam, results, senses, reporter)
    unfinished.finish()
    return 0


def _critic(judging: Judging) -> Engine | None:
    """The model that judges, None where none is asked for."""
    if not judging.judge_url:
        return None
    from ..engine.open import open_remote

    return open_remote(
        judging.judge_url, judging.judge_model, judging.judge_key_file, plain=judging.judge_plain
    )
