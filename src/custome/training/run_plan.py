"""Which steps a run takes over its examples, and what it may remember of frozen layers."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

from ..config import Recipe
from ..models.loading import (
    split_head,
)
from ..tuning_methods import FreezeConfig
from .activation_cache import ActivationCache
from .data import (
    Batching,
    BatchPlan,
    EncodedSet,
    Example,
    Mixed,
    StepPlan,
    TwoStages,
)
from .encoded_data import EncodedData
from .trainer import LoopConfig, make_schedule


def make_step_plan(recipe: Recipe, encoded_data: EncodedData) -> tuple[StepPlan, int]:
    """(which of the encoded_data's examples make up which step, how many steps)."""
    train = recipe.train

    def over(encoded: EncodedSet) -> BatchPlan:
        return BatchPlan(
            lengths=[len(e.ids) for e in encoded.examples],
            batch_size=train.batch_size,
            seed=train.seed,
            group_by_length=train.group_by_length,
        )

    only: StepPlan = (
        plan := over(encoded_data.train if recipe.data.train_path else encoded_data.text)
    )
    steps = train.steps or max(1, math.ceil(plan.steps_per_epoch * train.num_epochs))
    if recipe.data.self_replay:
        lengths = [len(e.ids) for e in encoded_data.self_replay.examples]
        size = max(1, round(recipe.data.self_replay * train.batch_size))
        only = Mixed(
            main=plan,
            beside=BatchPlan(lengths=lengths, batch_size=size, seed=train.seed),
            first=len(encoded_data.train),
        )
    if recipe.data.train_path and encoded_data.text.examples:
        stages = TwoStages(
            first=over(encoded_data.text), first_steps=train.pretrain_steps, second=only
        )
        return stages, train.pretrain_steps + steps
    return only, steps


def activation_cache(
    recipe: Recipe,
    model: Any,
    batching: Batching,
    *,
    examples: list[Example],
    steps: int,
    folder: Path,
    processes: int,
) -> ActivationCache | None:
    """Remembers what frozen lower layers give, where that pays: several epochs, and room on the disk."""
    method, tokens = recipe.method, sum(len(e.ids) for e in examples)
    repeats = steps * recipe.train.batch_size > len(examples)
    if (
        not isinstance(method, FreezeConfig)
        or not batching.row_tokens
        or processes > 1
        or not repeats
    ):
        return None
    backbone = split_head(model)[0]
    layers = getattr(backbone, "layers", [])
    room = shutil.disk_usage(folder).free
    if (
        not 0 < method.last_layers < len(layers)
        or tokens * backbone.config.hidden_size * 4 > room / 2
    ):
        return None
    return ActivationCache(
        backbone, method.last_layers, [len(e.ids) for e in examples], folder / ".lower.tmp"
    )


def loop_config(recipe: Recipe, steps: int) -> LoopConfig:
    """How long, how big, and when to look up."""
    train, checks = recipe.train, recipe.checks
    return LoopConfig(
        steps=steps,
        max_grad_norm=train.max_grad_norm,
        seed=train.seed,
        schedule=make_schedule(train.schedule, train.learning_rate, steps, train.warmup_steps),
        eval_steps=checks.eval_steps,
        save_steps=checks.save_steps,
        patience=checks.patience,
    )
