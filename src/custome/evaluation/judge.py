"""Another model as the judge: five rubrics, each asked by itself, answered as JSON. Any engine will do.

After CharacterEval (Tu et al. 2024, arXiv 2401.01275) and CoSER (Wang et al. 2025, arXiv 2502.09082); the wording is in
data/evaluation/rubrics.json, with its version.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from ..engine.base import Engine
from ..errors import EngineError
from ..reporter import Reporter
from ..types import GenerateOptions, Message, Request
from .persona import Answer, shipped, spread

MOST = 60
"""Answers that are judged: each costs five questions."""
_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
        "required": ["score"],
    }
)


@dataclass(frozen=True, kw_only=True)
class Rubric:
    name: str
    about: str


@cache
def rubrics() -> tuple[Rubric, ...]:
    return tuple(Rubric(**one) for one in shipped("rubrics.json")["rubrics"])


def judged(engine: Engine, answers: Sequence[Answer], reporter: Reporter) -> dict[str, float]:
    """Mean score of each rubric, 1–5, over a selection of the answers.

    Raises:
        EngineError: the judge does not answer with a score.
    """
    chosen = spread(answers, MOST)
    options = GenerateOptions(do_sample=False, max_new_tokens=24, json_schema=_SCHEMA)
    means = {}
    for done, rubric in enumerate(rubrics()):
        replies = engine.generate([_question(rubric, answer) for answer in chosen], options)
        means[rubric.name] = sum(_score(reply.text, engine.name) for reply in replies) / len(chosen)
        reporter.progress("裁判", done + 1, len(rubrics()), rubric.name)
    return means


def _question(rubric: Rubric, answer: Answer) -> Request:
    words = (
        f"{shipped('rubrics.json')['instruction']}\n标准「{rubric.name}」：{rubric.about}\n人物：{answer.name}\n"
        f'问题：{answer.question}\n回答：{answer.text}\n只输出 JSON：{{"score": 1 到 5 的整数}}'
    )
    return Request(messages=(Message(role="user", content=words),))


def _score(text: str, name: str) -> int:
    try:
        score = json.loads(text[text.index("{") : text.rindex("}") + 1])["score"]
        if not 1 <= int(score) <= 5:
            raise ValueError(score)
        return int(score)
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"裁判 {name!r} 没有给分：{text[:60]!r}", "换一个更大的模型当裁判"
        ) from error
