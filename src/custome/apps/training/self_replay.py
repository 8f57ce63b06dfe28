"""What a base model writes by itself when given the first words of everyday sentences: learnt again beside a book, it keeps
the model from forgetting how it wrote before (rehearsal with self-generated text, arXiv 2403.01244).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

from ...engine.base import Engine
from ...reporter import Reporter
from ...types import GenerateOptions, Request

ROUNDS = 10
"""Texts for each opening. A run that meets each of them once forgets nothing; seen a second time they are learnt by heart
and everything else suffers (docs/log.md)."""
_AS_IT_IS = GenerateOptions(
    max_new_tokens=96, temperature=1.0, top_p=1.0, top_k=0, repetition_penalty=1.0
)
"""Drawn from the model's own distribution: nothing sharpened, nothing cut off."""


def openings() -> list[str]:
    """The first words of everyday sentences."""
    return (files("custome") / "data" / "openings.txt").read_text(encoding="utf-8").split("\n")[:-1]


def self_replay(
    engine: Engine, reporter: Reporter, *, starts: Sequence[str] = (), rounds: int = ROUNDS
) -> list[str]:
    """`rounds` texts for each opening, as `engine` writes them."""
    texts: list[str] = []
    starts = starts or openings()
    for number in range(rounds):
        reporter.progress("底座自己写日常中文", number, rounds, "只做一次")
        replies = engine.generate(
            [Request(text=start) for start in starts], replace(_AS_IT_IS, seed=number + 1)
        )
        texts += [start + reply.text for start, reply in zip(starts, replies, strict=True)]
    reporter.progress("底座自己写日常中文", rounds, rounds)
    return texts
