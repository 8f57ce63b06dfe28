"""Settings that fit into a given memory: the mildest change first."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, replace
from typing import Literal

from ..config import Recipe
from ..errors import InputError
from ..tuning_methods import METHOD_NAMES, FullConfig, LoraConfig, QloraConfig
from ..types import ModelShape
from .memory import MemoryPlan, make_plan

_UNITS = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
SHORTEST = 64
MARGIN = 0.05
"""Share of the memory left free: what arithmetic does not see."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A recipe that fits and what had to change for it."""

    recipe: Recipe
    plan: MemoryPlan
    changes: tuple[str, ...]
    fits: bool


def read_bytes(text: str) -> int:
    """11GiB, 11GB, 6G, 800MB, 11264M → bytes.

    Raises:
        InputError: not a size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", text, re.I)
    if not found or float(found[1]) <= 0:
        raise InputError(f"看不懂内存大小 {text!r}", "写成 --fit 11GiB、--fit 8GB 这样")
    number, unit, binary = float(found[1]), found[2].upper(), bool(found[3])
    return int(number * (1024 ** " KMGT".index(unit or " ") if binary else _UNITS[unit]))


def fit(
    recipe: Recipe, shape: ModelShape, device: Literal["cpu", "cuda"], memory_bytes: int
) -> Fit:
    """The recipe with as few changes as it takes to stay under `memory_bytes`; `fits` tells whether that was possible."""
    room = memory_bytes * (1 - MARGIN)
    small, plan = recipe, make_plan(recipe, shape, device)
    for smaller in _WAYS:
        if plan.total <= room:
            break
        candidate = smaller(small)
        if len(candidate.problems()) > len(small.problems()):
            continue
        shrunk = make_plan(candidate, shape, device)
        if shrunk.total < plan.total * 0.99:
            small, plan = candidate, shrunk
    return Fit(
        recipe=small, plan=plan, changes=tuple(_changes(recipe, small)), fits=plan.total <= room
    )


def _changes(before: Recipe, after: Recipe) -> list[str]:
    """What is different, with its price."""
    names = [
        METHOD_NAMES[type(r.method)] + "-" + getattr(r.method, "quantization", "")
        for r in (before, after)
    ]
    pairs = [
        (
            "micro_batch_size",
            before.train.micro_batch_size,
            after.train.micro_batch_size,
            "结果不变，慢一点",
        ),
        (
            "gradient_checkpointing",
            before.model.gradient_checkpointing,
            after.model.gradient_checkpointing,
            "结果不变，多算一遍前向",
        ),
        ("optimizer", before.train.optimizer, after.train.optimizer, "优化器状态小得多"),
        ("method", *[name.rstrip("-") for name in names], "底座压缩后训练"),
        ("cutoff_len", before.data.cutoff_len, after.data.cutoff_len, "太长的样本会被截短"),
    ]
    return [f"{name}：{old} → {new}（{price}）" for name, old, new, price in pairs if old != new]


def _half_batch(recipe: Recipe) -> Recipe:
    size = max(1, recipe.train.micro_batch_size // 2)
    return replace(recipe, train=replace(recipe.train, micro_batch_size=size))


def _checkpointing(recipe: Recipe) -> Recipe:
    return replace(recipe, model=replace(recipe.model, gradient_checkpointing=True))


def _smaller_optimizer(recipe: Recipe) -> Recipe:
    if not isinstance(recipe.method, FullConfig):
        return recipe
    smaller: dict[str, Literal["adamw8bit", "adafactor"]] = {
        "adamw": "adamw8bit",
        "adamw8bit": "adafactor",
        "muon": "adafactor",
    }
    return replace(
        recipe,
        train=replace(recipe.train, optimizer=smaller.get(recipe.train.optimizer, "adafactor")),
    )


def _fewer_bits(recipe: Recipe) -> Recipe:
    method = recipe.method
    if type(method) is LoraConfig and not recipe.model.load_8bit:
        kept = {f.name: getattr(method, f.name) for f in dataclasses.fields(LoraConfig)}
        return replace(recipe, method=QloraConfig(**kept, quantization="int8"))
    return (
        replace(recipe, method=replace(method, quantization="nf4"))
        if isinstance(method, QloraConfig)
        else recipe
    )


def _shorter(recipe: Recipe) -> Recipe:
    length = min(recipe.data.cutoff_len, max(SHORTEST, recipe.data.cutoff_len // 2))
    return replace(recipe, data=replace(recipe.data, cutoff_len=length))


_WAYS = [
    *[_half_batch] * 8,
    _checkpointing,
    _smaller_optimizer,
    _smaller_optimizer,
    _fewer_bits,
    _fewer_bits,
    *[_shorter] * 4,
]
"""Mildest first; one that saves nothing is left out."""
