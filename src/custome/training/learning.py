"""The heart of a run: the base in memory, the method on it, the loop, the best adapter in the folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from accelerate import Accelerator

from ..config import Recipe
from ..models import adapters
from ..models.compute import DTYPES, ComputeType
from ..models.loading import (
    load_model,
)
from ..models.run_folder import (
    has_adapter,
)
from ..reporter import FanOut, JsonlReporter, Reporter
from ..tuning_methods import METHOD_NAMES, Method
from . import launch, sharding, trainer
from .assembly import make_learner, make_trainable, quantization, set_up
from .checkpoint import Checkpoints, Progress
from .curves import draw_curves
from .data import (
    Batching,
    StepPlan,
)
from .encoded_data import EncodedData
from .methods import Attached, count
from .run_plan import activation_cache, loop_config
from .validation import Validation
from .watch import (
    Panel,
    keep_samples_until,
)


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How a run ended."""

    folder: Path
    status: Literal["complete", "stopped"]
    progress: Progress
    steps: int


@dataclass(frozen=True, kw_only=True)
class RunPlace:
    """Folder, devices and reporter of a run."""

    folder: Path
    accelerator: Accelerator
    compute_type: ComputeType
    reporter: Reporter

    @property
    def device(self) -> str:
        return self.accelerator.device.type

    @property
    def is_main(self) -> bool:
        return self.accelerator.is_main_process


@dataclass(frozen=True, kw_only=True)
class RunData:
    """Base model and encoded data of a run."""

    base_folder: Path
    data: EncodedData
    plan: StepPlan
    steps: int


def learn(
    recipe: Recipe,
    place: RunPlace,
    run_data: RunData,
    panel: Panel | None,
    stop: launch.StopRequest | None,
    *,
    resume: bool,
) -> TrainResult:
    """Load the base, put the method on it, train, and prove that what was saved does something."""
    accelerator, data = place.accelerator, run_data.data
    launch.release_memory()
    place.reporter.stage(f"载入底座模型（{place.device}，{place.compute_type}）")
    base, batching = _load(recipe, place, run_data)
    launch.give_back_freed()
    first = data.examples[-1]
    prompt = list(first.ids[: first.replies[0][0] or 1])
    with accelerator.autocast():
        base_logits = adapters.last_logits(base, prompt)
    launch.seed_step(recipe.train.seed, 0)
    attached = make_trainable(base, recipe, steps=run_data.steps, vocab_ids=data.vocab_ids)
    _report_trainable(attached, recipe.method, place.reporter)
    validation = Validation(
        folder=place.folder,
        model=attached.model,
        data=data,
        most=recipe.checks.eval_samples,
        panel=panel,
    )
    result = _train(
        recipe,
        place,
        run_data,
        attached=attached,
        batching=batching,
        validation=validation,
        stop=stop,
        resume=resume,
    )
    if place.is_main:
        draw_curves(place.folder)  # only now: drawing takes memory of its own
    if result.status == "complete":
        accelerator.wait_for_everyone()
        if not _shares(recipe, accelerator):  # one process alone cannot ask a model shared out
            with accelerator.autocast():
                change = adapters.check_adapter_works(
                    attached.model, place.folder, prompt, base_logits
                )
            place.reporter.note(f"适配器已重新读回并核对：提示末尾的 logit 最多改变 {change:.2f}")
    return result


def _load(recipe: Recipe, place: RunPlace, run_data: RunData) -> tuple[Any, Batching]:
    """The frozen base, set up the way its samples will be batched."""
    base = load_model(
        run_data.base_folder,
        place.device,
        quantize=quantization(recipe),
        vocab_ids=run_data.data.vocab_ids,
        dtype=DTYPES[place.compute_type],
    )
    return base, set_up(base, recipe, run_data.data.tokenizer.pad_token_id)


def _report_trainable(attached: Attached, method: Method, reporter: Reporter) -> None:
    trainable, total = count(attached.model)
    reporter.note(
        f"{METHOD_NAMES[type(method)]}：可训练参数 {trainable:,} / {total:,}（{100 * trainable / total:.2f}%）"
    )
    for note in attached.notes:
        reporter.note(note)


def _shares(recipe: Recipe, accelerator: Accelerator) -> bool:
    """Are the weights shared out among processes?"""
    return recipe.model.sharding != "none" and accelerator.num_processes > 1


def _train(
    recipe: Recipe,
    place: RunPlace,
    run_data: RunData,
    *,
    attached: Attached,
    batching: Batching,
    validation: Validation,
    stop: launch.StopRequest | None,
    resume: bool,
) -> TrainResult:
    """Build what the loop needs, run it, leave the best adapter in the folder."""
    folder, accelerator, model = place.folder, place.accelerator, attached.model
    steps, examples = run_data.steps, run_data.data.examples
    shares = _shares(recipe, accelerator)
    cache = activation_cache(
        recipe,
        model,
        batching,
        examples=examples,
        steps=steps,
        folder=folder,
        processes=accelerator.num_processes,
    )
    learner = make_learner(attached, recipe, batching, accelerator, cache, shares=shares)
    checkpoints = Checkpoints(folder / "checkpoints", recipe.checks.keep_checkpoints)
    progress = _so_far(checkpoints, learner, attached, steps, place) if resume else None
    metrics = _metrics(place, progress.step if progress else -1)

    def save_best(now: Progress) -> None:
        state = sharding.whole(adapters.trained_state(model)) if shares else None
        if place.is_main:
            adapters.save_adapter(model, folder, state)

    metrics.stage(f"训练：{steps} 步 × {recipe.train.batch_size} 条")
    place.reporter.note(f"另开一个窗口看曲线和回答：custome watch {folder}")
    request = stop or launch.StopRequest(folder)
    try:
        with launch.stop_on_signal(request):
            progress = trainer.train(
                learner,
                examples,
                run_data.plan,
                loop_config(recipe, steps),
                checkpoints=checkpoints,
                progress=progress or Progress(),
                stop=request,
                validate=lambda step: validation(learner, step, metrics),
                save_best=save_best,
                reporter=metrics,
            )
    finally:
        metrics.close()
    early = 0 < recipe.checks.patience <= progress.evals_without_gain
    if progress.step < steps and not early:
        return TrainResult(folder=folder, status="stopped", progress=progress, steps=steps)
    accelerator.wait_for_everyone()
    if not has_adapter(folder):  # resumed with fewer steps, before anything was validated
        save_best(progress)
    return TrainResult(folder=folder, status="complete", progress=progress, steps=steps)


def _so_far(
    checkpoints: Checkpoints,
    learner: trainer.Learner,
    attached: Attached,
    steps: int,
    place: RunPlace,
) -> Progress | None:
    """What an interrupted run had come to, loaded; None where there is no checkpoint."""
    newest = checkpoints.latest()
    if newest is None:
        return None
    found = checkpoints.load(newest, attached.model, learner.optimizer, attached.load_state)
    place.reporter.note(
        f"从 {newest.name} 接着训练：共 {steps} 步，还有 {max(0, steps - found.step)} 步；最好的验证损失 {found.best_loss:.3f}（第 {found.best_step} 步）"
    )
    return found


def _metrics(place: RunPlace, after: int) -> FanOut:
    """Where measurements go; what an interrupted run wrote behind step `after` is taken back."""
    filed = [JsonlReporter(place.folder / "metrics.jsonl", after)] if place.is_main else []
    if place.is_main:
        keep_samples_until(place.folder, after)
    return FanOut([place.reporter, *filed, launch.TrackerReporter(place.accelerator)])
