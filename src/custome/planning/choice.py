"""Which base a computer trains in the time somebody has, and for how many steps: arithmetic on what was measured.

The largest base that makes sense comes first. One that fits for chatting but not for training in time is played untuned, with
its people's own lines in front: it answers what was asked, where the tuned 270M does not (docs/log.md).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..config import Recipe
from ..types import ModelShape
from .memory import make_plan, share_of_rate

ASIDE_S = 150.0
"""Beside the steps: loading, looking at held-out rows twice, proving the adapter, merging it for the chat."""
FEWEST, MOST = 8, 24
"""Steps: fewer teach nothing, more of so few conversations are learnt by heart."""
TOKENS_OF_A_CONVERSATION = 320
CHATTING_BYTES = 0.4e9
"""Beside a model's file: program, cache of what was read, tables of a book's people."""
LEFT_FREE_BYTES = 0.5e9


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A base that could be taken."""

    name: str
    shape: ModelShape
    file_bytes: float
    recipe: Recipe
    """The recipe that comes with it."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The chosen base, its steps and the reason."""

    candidate: Candidate
    steps: int
    """0: it is played untuned."""
    why: str
    seconds: float = 0.0
    """What training is to take."""
    peak_bytes: float = 0.0


def choose(
    candidates: Mapping[str, Candidate],
    *,
    memory_bytes: float,
    rate: float,
    kind: str,
    minutes: float,
    chatting: bool,
) -> Choice:
    """The best of the candidates, which come best first.

    Args:
        memory_bytes: free now.
        rate: GFLOP/s of matrix products in the number type `kind`.
        minutes: of training somebody is ready to wait for.
        chatting: one may chat while it trains, so both must fit.
    """
    reasons = []
    for name, one in candidates.items():
        chat_bytes = one.file_bytes + CHATTING_BYTES
        if chat_bytes + LEFT_FREE_BYTES > memory_bytes:
            reasons.append(
                f"{name} 聊天就要 {chat_bytes / 1e9:.1f} GB，空闲只有 {memory_bytes / 1e9:.1f} GB"
            )
            continue
        fixed = (
            one.recipe.data.conversations == 0
        )  # such a recipe keeps its steps, and is done before anybody chats
        step_s = step_seconds(one, rate, kind)
        needed = _training_bytes(one, kind) + (chat_bytes if chatting and not fixed else 0)
        steps = (
            one.recipe.train.steps if fixed else min(MOST, int((minutes * 60 - ASIDE_S) / step_s))
        )
        if needed + LEFT_FREE_BYTES > memory_bytes:
            why = f"训练要 {needed / 1e9:.1f} GB，空闲 {memory_bytes / 1e9:.1f} GB，就用没微调的"
            return Choice(candidate=one, steps=0, why="；".join([*reasons, f"{name}：{why}"]))
        if steps < FEWEST:
            why = f"{minutes:.0f} 分钟只够 {max(0, steps)} 步（每步约 {step_s:.0f} 秒），少于 {FEWEST} 步学不到什么，就用没微调的；要练就给 {math.ceil((FEWEST * step_s + ASIDE_S) / 60)} 分钟以上"
            return Choice(candidate=one, steps=0, why="；".join([*reasons, f"{name}：{why}"]))
        seconds = steps * step_s + ASIDE_S
        why = f"空闲内存 {memory_bytes / 1e9:.0f} GB，{kind} 矩阵速度 {rate:.0f} GFLOP/s：练 {steps} 步，约 {seconds / 60:.0f} 分钟"
        return Choice(
            candidate=one,
            steps=steps,
            why="；".join([*reasons, f"{name}：{why}"]),
            seconds=seconds,
            peak_bytes=_training_bytes(one, kind),
        )
    smallest = list(candidates.values())[-1]
    return Choice(candidate=smallest, steps=0, why="；".join(reasons))


def step_seconds(one: Candidate, rate: float, kind: str) -> float:
    """How long a step of the candidate's recipe takes."""
    tokens = one.recipe.train.batch_size * TOKENS_OF_A_CONVERSATION
    return (
        tokens
        * make_plan(one.recipe, one.shape, "cpu").flop_per_token
        / (rate * 1e9 * share_of_rate(one.shape, kind))
    )


def _training_bytes(one: Candidate, kind: str) -> float:
    model = dataclasses.replace(one.recipe.model, compute_type="bf16" if kind == "bf16" else "fp32")
    return make_plan(dataclasses.replace(one.recipe, model=model), one.shape, "cpu").total
