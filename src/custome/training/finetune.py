"""The main path: recipe → run folder. Read it from top to bottom.

check → claim the folder → base model → samples → encode → method → train → best adapter, proven to work
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from accelerate import Accelerator

from ..config import Recipe
from ..corpus.cast import take_cast
from ..corpus.formats import sample_row
from ..corpus.reading import Novel, read_novel
from ..errors import InputError
from ..files import remove_leftovers, write_jsonl, write_text
from ..models import adapters, vocab
from ..models.compute import DTYPES, ComputeType, pick_device, remember_few_products, training_type
from ..models.loading import (
    load_model,
    skeleton,
    token_rows,
    trust_code_in,
)
from ..models.run_folder import (
    VALID_FILE,
    RunInfo,
    has_adapter,
    has_run,
    write_run,
    write_vocabulary,
)
from ..models.sources import fingerprint, resolve_base
from ..recipe_file import dump
from ..reporter import FanOut, JsonlReporter, NullReporter, Reporter
from ..tuning_methods import METHOD_NAMES, Method
from ..types import Sample
from . import launch, sharding, trainer
from .assembly import make_learner, make_trainable, quantization, set_up
from .checkpoint import Checkpoints, Progress
from .curves import draw_curves
from .data import (
    Batching,
    StepPlan,
)
from .encoded_data import EncodedData, PrepareSamples, encode, trimmed
from .methods import Attached, check_method, count
from .run_claim import check_same, claim
from .run_plan import activation_cache, loop_config, make_step_plan
from .run_samples import data_files, load_samples
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


def finetune(
    recipe: Recipe,
    reporter: Reporter,
    *,
    resume: bool = False,
    home: Path | None = None,
    stop: launch.StopRequest | None = None,
    replay_texts: Sequence[str] = (),
    prepare_samples: PrepareSamples | None = None,
    panel: Panel | None = None,
) -> TrainResult:
    """Fine-tune a base model as the recipe says; with `resume` go on from the newest checkpoint in the output folder.

    Args:
        replay_texts: texts the base wrote itself, for `data.self_replay`.
        prepare_samples: puts who speaks in front of samples, for `data.persona_prefix`.
        panel: people who are asked at every evaluation.
        stop: set it from elsewhere to save and leave after the step at hand.

    Raises:
        RecipeError, InputError, DataError: something given cannot be used; found before any weight is read.
        SourceError: the base model cannot be had.
        RunError: the folder holds another run, or what it holds does not fit the recipe.
        TrainingError: the method finds nothing to train, the loss is not finite, or the adapter has no effect.
    """
    recipe, folder = recipe.resolved(), Path(recipe.train.output_dir)
    try:
        recipe.check()
        _check_given(recipe, replay_texts, prepare_samples, panel)
        remember_few_products()
        device, compute_type = _where(recipe, home)
        samples = load_samples(recipe) if recipe.data.train_path else ([], [])
        novels = [read_novel(Path(path)) for path in recipe.data.text_paths]
        claim(folder, resume)
        accelerator = launch.make_accelerator(device, folder, compute_type)
        launch.check_processes(accelerator, len(samples[0]) or None)
        if accelerator.is_main_process:
            launch.announce(folder)
        else:
            reporter = NullReporter()
        place = Place(
            folder=folder, accelerator=accelerator, compute_type=compute_type, reporter=reporter
        )
        material = _read(recipe, place, samples, novels, replay_texts, prepare_samples, home)
        info = _begin(recipe, place, material, samples[1], resume=resume)
        material = _trim(recipe, place, material, panel)
        learnt = _learn(recipe, place, material, panel, stop, resume=resume)
        if accelerator.is_main_process:
            draw_curves(folder)  # only now: drawing takes memory of its own
            if learnt.status == "complete":
                results = _results(learnt.progress, accelerator.device.type)
                write_run(folder, dataclasses.replace(info, status="complete", results=results))
        accelerator.wait_for_everyone()
        accelerator.end_training()
        return learnt
    finally:
        launch.leave(folder)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run takes place."""

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
class Material:
    """What a run learns from, and on what."""

    base_folder: Path
    data: EncodedData
    plan: StepPlan
    steps: int


def _read(
    recipe: Recipe,
    place: Place,
    samples: tuple[list[Sample], list[Sample]],
    novels: list[Novel],
    replay_texts: Sequence[str],
    prepare_samples: PrepareSamples | None,
    home: Path | None,
) -> Material:
    """Fetch the base, see that the method fits it, encode the samples."""
    place.reporter.stage("底座和样本")
    with place.accelerator.main_process_first():  # the others find it fetched
        base_folder = resolve_base(recipe.model.base_model, place.reporter, home=home)
    trust_code_in(base_folder, recipe.model.trust_remote_code, recipe.model.base_model)
    check_method(skeleton(base_folder), recipe.method)
    data = encode(
        recipe, base_folder, *samples, novels, replay_texts, prepare_samples, place.reporter
    )
    plan, steps = make_step_plan(recipe, data)
    return Material(base_folder=base_folder, data=data, plan=plan, steps=steps)


def _begin(
    recipe: Recipe, place: Place, material: Material, valid: list[Sample], *, resume: bool
) -> RunInfo:
    """Write down what this run is; a resumed one must be the same."""
    info = RunInfo(
        status="running",
        base_model=recipe.model.base_model,
        base_fingerprint=fingerprint(material.base_folder),
        chat_format=material.data.chat_format.name,
        data_fingerprint=material.data.fingerprint,
        seed=recipe.train.seed,
        steps=material.steps,
        compute_type=place.compute_type,
        characters=material.data.people,
        data_files=data_files(recipe),
        versions=launch.versions(),
        started_in=str(Path.cwd()),
    )
    if resume and has_run(place.folder):
        check_same(place.folder, info, recipe)
    if place.is_main:
        remove_leftovers(place.folder)
        write_text(place.folder / "recipe.yaml", dump(recipe))
        write_jsonl(place.folder / VALID_FILE, [sample_row(sample) for sample in valid])
        write_run(place.folder, info)
        canonical = recipe.data.names == "canonical"
        if not take_cast(recipe.corpus_folder, place.folder, canonical=canonical):
            place.reporter.note(
                f"{str(recipe.corpus_folder)!r} 里没有人物（cast）：只有训练数据里的名字可以聊，没有人设、本人的话和世界书；要有就用 custome corpus build 做语料，或 --corpus 指出它"
            )
    place.accelerator.wait_for_everyone()
    return info


def _trim(recipe: Recipe, place: Place, material: Material, panel: Panel | None) -> Material:
    """With the vocabulary cut to what will be used, where the recipe wants that and the tokenizer can."""
    data = material.data
    if recipe.model.vocabulary == "auto" and vocab.can_trim(data.tokenizer):
        asked = panel.asked(data.chat_format.kind) if panel else ()
        data = trimmed(data, token_rows(material.base_folder), place.reporter, asked)
    if place.is_main:
        write_vocabulary(place.folder, data.tokenizer, data.kept)
    return dataclasses.replace(material, data=data)


def _learn(
    recipe: Recipe,
    place: Place,
    material: Material,
    panel: Panel | None,
    stop: launch.StopRequest | None,
    *,
    resume: bool,
) -> TrainResult:
    """Load the base, put the method on it, train, and prove that what was saved does something."""
    accelerator, data = place.accelerator, material.data
    launch.release_memory()
    place.reporter.stage(f"载入底座模型（{place.device}，{place.compute_type}）")
    base, batching = _load(recipe, place, material)
    launch.give_back_freed()
    first = data.examples[-1]
    prompt = list(first.ids[: first.replies[0][0] or 1])
    with accelerator.autocast():
        base_logits = adapters.last_logits(base, prompt)
    launch.seed_step(recipe.train.seed, 0)
    attached = make_trainable(base, recipe, steps=material.steps, kept=data.kept)
    _report_trainable(attached, recipe.method, place.reporter)
    validation = Validation(
        folder=place.folder,
        model=attached.model,
        data=data,
        most=recipe.checks.eval_samples,
        panel=panel,
    )
    result = _run(recipe, place, material, attached, batching, validation, stop, resume=resume)
    if result.status == "complete":
        accelerator.wait_for_everyone()
        if not _shares(recipe, accelerator):  # one process alone cannot ask a model shared out
            with accelerator.autocast():
                change = adapters.check_adapter_works(
                    attached.model, place.folder, prompt, base_logits
                )
            place.reporter.note(f"适配器已重新读回并核对：提示末尾的 logit 最多改变 {change:.2f}")
    return result


def _check_given(
    recipe: Recipe,
    replay_texts: Sequence[str],
    prepare_samples: PrepareSamples | None,
    panel: Panel | None,
) -> None:
    """What a recipe wants from above must have been handed in."""
    wanted = (
        ("self_replay", recipe.data.self_replay, replay_texts, "底座自己写的日常中文"),
        ("persona_prefix", recipe.data.persona_prefix, prepare_samples, "语料里的人物"),
        ("conversations", recipe.data.conversations, prepare_samples, "语料里的人物"),
        ("persona_questions", recipe.checks.persona_questions, panel, "可问的人"),
    )
    for name, value, given, what in wanted:
        if value and not given:
            hint = f"用 custome train 训练，它会备好（人物要 custome corpus build 做的语料）；或 --{name.replace('_', '-')} 0"
            raise InputError(f"{name}={value} 要有{what}，这里没有给", hint)


def _where(recipe: Recipe, home: Path | None) -> tuple[str, ComputeType]:
    """(device, number type), the same in all processes."""
    device = pick_device(recipe.model.device)
    compute_type = launch.agreed(
        device, lambda: training_type(device, recipe.model.compute_type, home)
    )
    if compute_type == "fp16" and recipe.model.sharding != "none":
        raise InputError(
            f"fp16 不能和 sharding={recipe.model.sharding} 同用：缩放过的梯度没有人还原",
            "--compute-type bf16 或 fp32",
        )
    return device, compute_type


def _load(recipe: Recipe, place: Place, material: Material) -> tuple[Any, Batching]:
    """The frozen base, set up the way its samples will be batched."""
    base = load_model(
        material.base_folder,
        place.device,
        quantize=quantization(recipe),
        kept=material.data.kept,
        dtype=DTYPES[place.compute_type],
    )
    return base, set_up(base, recipe, material.data.tokenizer.pad_token_id)


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


def _run(
    recipe: Recipe,
    place: Place,
    material: Material,
    attached: Attached,
    batching: Batching,
    validation: Validation,
    stop: launch.StopRequest | None,
    *,
    resume: bool,
) -> TrainResult:
    """Build what the loop needs, run it, leave the best adapter in the folder."""
    folder, accelerator, steps = place.folder, place.accelerator, material.steps
    examples, model = material.data.examples, attached.model
    shares = _shares(recipe, accelerator)
    cache = activation_cache(
        recipe, model, batching, examples, steps, folder, accelerator.num_processes
    )
    learner = make_learner(attached, recipe, batching, accelerator, cache, shares=shares)
    checkpoints = Checkpoints(folder / "checkpoints", recipe.checks.keep_checkpoints)
    progress, newest = Progress(), checkpoints.latest() if resume else None
    if newest is not None:
        progress = checkpoints.load(newest, model, learner.optimizer, attached.load_state)
        place.reporter.note(
            f"从 {newest.name} 接着训练：共 {steps} 步，还有 {max(0, steps - progress.step)} 步；最好的验证损失 {progress.best_loss:.3f}（第 {progress.best_step} 步）"
        )
    metrics = _metrics(place, progress.step if newest else -1)

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
                material.plan,
                loop_config(recipe, steps),
                checkpoints=checkpoints,
                progress=progress,
                stop=request,
                validate=lambda step: validation(learner, step, metrics),
                save_best=save_best,
                reporter=metrics,
            )
    finally:
        metrics.close()
    patience = recipe.checks.patience
    early = bool(patience) and progress.evals_without_gain >= patience
    if progress.step < steps and not early:
        return TrainResult(folder=folder, status="stopped", progress=progress, steps=steps)
    accelerator.wait_for_everyone()
    if not has_adapter(folder):  # resumed with fewer steps, before anything was validated
        save_best(progress)
    return TrainResult(folder=folder, status="complete", progress=progress, steps=steps)


def _metrics(place: Place, after: int) -> FanOut:
    """Where measurements go; what an interrupted run wrote behind step `after` is taken back."""
    filed = [JsonlReporter(place.folder / "metrics.jsonl", after)] if place.is_main else []
    if place.is_main:
        keep_samples_until(place.folder, after)
    return FanOut([place.reporter, *filed, launch.TrackerReporter(place.accelerator)])


def _results(progress: Progress, device: str) -> dict[str, Any]:
    finite = {"base_valid_loss": progress.base_loss, "valid_loss": progress.best_loss}
    return {
        **{name: round(value, 4) for name, value in finite.items() if math.isfinite(value)},
        **({"best_step": progress.best_step} if math.isfinite(progress.best_loss) else {}),
        "steps": progress.step,
        "tokens": progress.tokens_seen,
        "train_seconds": round(progress.train_seconds, 1),
        "tokens_per_s": round(progress.tokens_seen / max(progress.train_seconds, 1e-9), 1),
        "peak_memory_bytes": launch.peak_memory_bytes(device),
    }
