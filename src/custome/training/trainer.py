"""The training loop: one step after another, with validation, checkpoints and a way out. Knows nothing of recipes,
files of samples or where models come from.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator

from ..errors import TrainingError
from ..reporter import Reporter
from . import sharding
from .checkpoint import Checkpoints, Progress
from .data import Batching, Example, StepPlan
from .launch import StopRequest, give_back_freed, peak_memory_bytes, seed_step

Schedule = Callable[[int], float]
"""Step (from 1) → learning rate."""


@dataclass(frozen=True, kw_only=True)
class Learner:
    """The distributed loss module, the model inside it and its optimizer."""

    accelerator: Accelerator
    loss: Any
    model: Any
    optimizer: Any
    batching: Batching
    after_step: Callable[[int], None] = lambda step: None
    """What the tuning method does behind the optimizer."""
    penalty: Callable[[], torch.Tensor] | None = None
    """What the tuning method adds to the mean loss of a step."""
    method_state: Callable[[], dict[str, Any]] = dict
    """What the tuning method remembers in a checkpoint."""


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Steps, batch sizes, schedule and intervals of the training loop."""

    steps: int
    schedule: Schedule
    max_grad_norm: float
    eval_steps: int
    save_steps: int
    patience: int
    seed: int


def make_schedule(kind: str, peak: float, steps: int, warmup_steps: int) -> Schedule:
    """Linear warm-up to `peak`, then constant, linear or cosine decay to zero after the last step."""
    warmup = min(warmup_steps, steps // 3)

    def rate(step: int) -> float:
        if step <= warmup:
            return peak * step / warmup
        left = (steps + 1 - step) / (steps + 1 - warmup)  # 1 → 0
        return (
            peak
            * {"constant": 1.0, "linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left)}[
                kind
            ]
        )

    return rate


def train(
    learner: Learner,
    examples: Sequence[Example],
    plan: StepPlan,
    loop: LoopConfig,
    *,
    validate: Callable[[int], float],
    save_best: Callable[[Progress], None],
    checkpoints: Checkpoints,
    progress: Progress,
    stop: StopRequest,
    reporter: Reporter,
) -> Progress:
    """Train from `progress.step` to the end, to an early stop or to a request to stop, and return where it got.

    Raises:
        TrainingError: loss or gradient is not finite.
    """
    if progress.step == 0:
        progress = dataclasses.replace(progress, base_loss=validate(0))
        reporter.metrics(0, {"valid_loss": progress.base_loss})
        _save(learner, checkpoints, progress)
    stopping = False
    while progress.step < loop.steps and not stopping and not _exhausted(progress, loop):
        progress = _advance(
            learner,
            examples,
            plan,
            loop=loop,
            checkpoints=checkpoints,
            progress=progress,
            reporter=reporter,
        )
        last = progress.step == loop.steps
        if last or (loop.eval_steps and progress.step % loop.eval_steps == 0):
            progress = _look_up(validate, save_best, progress, reporter)
            if _exhausted(progress, loop):
                reporter.note(
                    f"验证损失连续 {loop.patience} 次没有变好，在第 {progress.step} 步提前结束"
                )
        stopping = _anybody(learner.accelerator, stop.wanted)
        due = progress.step % loop.save_steps == 0
        if due or last or stopping or _exhausted(progress, loop):
            _save(learner, checkpoints, progress)
    return progress


def _advance(
    learner: Learner,
    examples: Sequence[Example],
    plan: StepPlan,
    *,
    loop: LoopConfig,
    checkpoints: Checkpoints,
    progress: Progress,
    reporter: Reporter,
) -> Progress:
    """One step, timed and told."""
    step, started = progress.step + 1, time.monotonic()
    loss, tokens, grad_norm = _one_step(
        learner, examples, plan.batch(step), step, loop, checkpoints
    )
    seconds = time.monotonic() - started
    speed, memory = tokens / seconds, peak_memory_bytes(learner.accelerator.device.type)
    reporter.metrics(
        step,
        {
            "loss": loss,
            "grad_norm": grad_norm,
            "learning_rate": loop.schedule(step),
            "tokens_per_s": speed,
            "peak_memory_bytes": memory,
        },
    )
    status = f"损失 {loss:.3f} · {speed:.0f} tok/s · {memory / 1e9:.1f} GB"
    reporter.progress("训练", step, loop.steps, status)
    return dataclasses.replace(
        progress,
        step=step,
        tokens_seen=progress.tokens_seen + tokens,
        train_seconds=progress.train_seconds + seconds,
    )


def _save(learner: Learner, checkpoints: Checkpoints, progress: Progress) -> None:
    weights = sharding.whole(
        {n: p.detach() for n, p in learner.model.named_parameters() if p.requires_grad}
    )
    optimizer = sharding.whole(
        learner.optimizer.state_dict()
    )  # all processes take part in putting shards together
    if learner.accelerator.is_main_process:
        checkpoints.save(weights, optimizer, progress, learner.method_state())
    learner.accelerator.wait_for_everyone()


def _anybody(accelerator: Accelerator, wanted: bool) -> bool:
    """Has any process been asked to stop? All must leave after the same step."""
    if accelerator.num_processes == 1:
        return wanted
    return bool(
        accelerator.reduce(torch.tensor(float(wanted), device=accelerator.device), "sum") > 0
    )


def _exhausted(progress: Progress, loop: LoopConfig) -> bool:
    return bool(loop.patience) and progress.evals_without_gain >= loop.patience


def _look_up(
    validate: Callable[[int], float],
    save_best: Callable[[Progress], None],
    progress: Progress,
    reporter: Reporter,
) -> Progress:
    loss = validate(progress.step)
    reporter.metrics(progress.step, {"valid_loss": loss})
    better = not loss >= progress.best_loss  # without validation data every look is a gain
    progress = dataclasses.replace(
        progress,
        best_loss=loss if better else progress.best_loss,
        best_step=progress.step if better else progress.best_step,
        evals_without_gain=0 if better else progress.evals_without_gain + 1,
    )
    if better:
        save_best(progress)
    if not math.isnan(loss):
        reporter.note(
            f"第 {progress.step} 步：验证损失 {loss:.3f}" + ("（最好，已存）" if better else "")
        )
    return progress


def _one_step(
    learner: Learner,
    examples: Sequence[Example],
    batch: list[int],
    step: int,
    loop: LoopConfig,
    checkpoints: Checkpoints,
) -> tuple[float, int, float]:
    """One optimizer step; the loss is the mean over all labelled tokens of the batch, however it is divided.

    Returns (loss, tokens computed, gradient norm).
    """
    accelerator = learner.accelerator
    seed_step(loop.seed, step, accelerator.process_index)
    learner.model.train()
    lengths = {index: len(examples[index].ids) for index in batch}
    labelled = max(1, sum(examples[index].labelled for index in batch))
    total = torch.zeros((), device=accelerator.device)
    parts = _my_parts(learner, batch, lengths)
    for number, (part, weight) in enumerate(parts, 1):
        rows = (
            learner.batching.collate([examples[i] for i in part])
            ._replace(samples=tuple(part))
            .to(accelerator.device)
        )
        with accelerator.no_sync(learner.loss) if number < len(parts) else nullcontext():
            with accelerator.autocast():
                loss = learner.loss(*rows) * weight
            if not torch.isfinite(loss):
                raise _not_finite("损失", step, [examples[i].source for i in part], checkpoints)
            # Gradients are averaged over processes; the mean wanted is over all tokens of the step.
            share = loss * (accelerator.num_processes / labelled)
            if learner.penalty is not None and number == len(parts):
                share = share + learner.penalty()
            accelerator.backward(share)
            if accelerator.device.type == "cpu":
                give_back_freed()
        total += loss.detach()
    grad_norm = float(
        sharding.whole(accelerator.clip_grad_norm_(_trainable(learner.model), loop.max_grad_norm))
    )
    # an fp16 scaler skips such a step and goes on
    if not math.isfinite(grad_norm) and accelerator.scaler is None:
        raise _not_finite("梯度", step, [examples[i].source for i in batch], checkpoints)
    for group in learner.optimizer.param_groups:
        group["lr"] = loop.schedule(step) * group.get("scale", 1.0)
    learner.optimizer.step()
    if not getattr(learner.optimizer, "step_was_skipped", False):
        learner.after_step(step)  # AdaLoRA reads gradients here
    learner.optimizer.zero_grad()
    mean = float(accelerator.reduce(total, "sum")) / labelled
    return mean, sum(lengths.values()), grad_norm


def _my_parts(
    learner: Learner, indices: Sequence[int], lengths: Sequence[int] | Mapping[int, int]
) -> list[tuple[list[int], float]]:
    """This process's forward passes and their weight: 0 where there is nothing left to do.

    Processes whose weights are shared out must all take part in every pass, so all get the same number of them.
    """
    rank, world = learner.accelerator.process_index, learner.accelerator.num_processes
    divided = [learner.batching.divide(indices[r::world], lengths) for r in range(world)]
    passes = max(map(len, divided))
    return [(part, 1.0) for part in divided[rank]] + [([indices[0]], 0.0)] * (
        passes - len(divided[rank])
    )


def _trainable(model: Any) -> list[torch.nn.Parameter]:
    return [p for p in model.parameters() if p.requires_grad]


def _not_finite(
    what: str, step: int, sources: list[str], checkpoints: Checkpoints
) -> TrainingError:
    shown = "、".join(sources[:4]) + (f" 等 {len(sources)} 条" if len(sources) > 4 else "")
    return TrainingError(
        f"第 {step} 步的{what}不是有限数；样本：{shown}；最后一个好的检查点：{str(checkpoints.latest())!r}",
        "看看这几条样本，或调低 --learning-rate，再加 --resume 接着训练",
    )


@torch.no_grad()
def mean_loss(
    learner: Learner, examples: Sequence[Example], reporter: Reporter, title: str
) -> float:
    """Mean loss a token over `examples` (nan without any), shared among the processes."""
    if not examples:
        return math.nan
    accelerator = learner.accelerator
    learner.model.eval()
    lengths = [len(e.ids) for e in examples]
    parts = _my_parts(learner, range(len(examples)), lengths)
    total = torch.zeros((), device=accelerator.device)
    # A wrapper for gradients is not needed here and would wait for the others' gradients.
    loss = accelerator.unwrap_model(learner.loss)
    for done, (part, weight) in enumerate(parts, 1):
        with accelerator.autocast():
            total += weight * loss(
                *learner.batching.collate([examples[i] for i in part]).to(accelerator.device)
            )
        reporter.progress(title, done, len(parts))
    return float(accelerator.reduce(total, "sum")) / sum(e.labelled for e in examples)
