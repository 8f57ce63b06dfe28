"""The main path: recipe → run folder. Read it from top to bottom.

check → claim the folder → base model → samples → encode → method → train → best adapter, proven to work
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from accelerate import Accelerator

from .. import recipe_file
from ..config import Recipe
from ..corpus.cast import take_cast
from ..corpus.formats import sample_row
from ..corpus.reading import read_novel
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
from ..report import FanOut, JsonlReporter, NullReporter, Reporter
from ..tuning_methods import METHOD_NAMES, Method
from . import launch, sharding, trainer
from .assembly import make_learner, make_trainable, quantization, set_up
from .checkpoint import Checkpoints, Progress
from .curves import draw_curves
from .data import (
    Batching,
    Example,
    StepPlan,
)
from .encoded_data import EncodedData, PrepareSamples, encode, trimmed
from .methods import Attached, check_method, count
from .run_claim import check_same, claim
from .run_plan import _cache, _plan
from .run_samples import data_files, load_samples
from .watch import (
    LONGEST_REPLY,
    Panel,
    keep_samples_until,
    perplexity,
    put_to,
    sample_replies,
    write_samples,
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
    try:
        return _finetune(
            recipe.resolved(),
            reporter,
            resume=resume,
            home=home,
            stop=stop,
            replay_texts=replay_texts,
            prepare_samples=prepare_samples,
            panel=panel,
        )
    finally:
        launch.leave(Path(recipe.train.output_dir))


def _finetune(
    recipe: Recipe,
    reporter: Reporter,
    *,
    resume: bool,
    home: Path | None,
    stop: launch.StopRequest | None,
    replay_texts: Sequence[str],
    prepare_samples: PrepareSamples | None,
    panel: Panel | None,
) -> TrainResult:
    recipe.check()
    _check_given(recipe, replay_texts, prepare_samples, panel)
    remember_few_products()
    device, compute_type = _where(recipe, home)
    train_samples, valid_samples = load_samples(recipe) if recipe.data.train_path else ([], [])
    novels = [read_novel(Path(path)) for path in recipe.data.text_paths]
    folder = Path(recipe.train.output_dir)
    claim(folder, resume)
    accelerator = launch.make_accelerator(device, folder, compute_type)
    launch.check_processes(accelerator, len(train_samples) or None)
    main = accelerator.is_main_process
    if main:
        launch.announce(folder)
    reporter = reporter if main else NullReporter()

    reporter.stage("底座和样本")
    with accelerator.main_process_first():  # the others find it fetched
        base_folder = resolve_base(recipe.model.base_model, reporter, home=home)
    trust_code_in(base_folder, recipe.model.trust_remote_code, recipe.model.base_model)
    check_method(skeleton(base_folder), recipe.method)
    encoded_data = encode(
        recipe,
        base_folder,
        train_samples,
        valid_samples,
        novels,
        replay_texts,
        prepare_samples,
        reporter,
    )
    plan, steps = _plan(recipe, encoded_data)
    info = RunInfo(
        status="running",
        base_model=recipe.model.base_model,
        base_fingerprint=fingerprint(base_folder),
        chat_format=encoded_data.chat_format.name,
        data_fingerprint=encoded_data.fingerprint,
        seed=recipe.train.seed,
        steps=steps,
        compute_type=compute_type,
        characters=encoded_data.people,
        data_files=data_files(recipe),
        versions=launch.versions(),
        started_in=str(Path.cwd()),
    )
    if resume and has_run(folder):
        check_same(folder, info, recipe)
    if main:
        remove_leftovers(folder)
        write_text(folder / "recipe.yaml", recipe_file.dump(recipe))
        write_jsonl(folder / VALID_FILE, [sample_row(s) for s in valid_samples])
        write_run(folder, info)
        take_cast(
            Path(recipe.data.train_path).parent, folder, canonical=recipe.data.names == "canonical"
        )
    accelerator.wait_for_everyone()

    if recipe.model.vocabulary == "auto" and vocab.can_trim(encoded_data.tokenizer):
        encoded_data = trimmed(
            encoded_data,
            token_rows(base_folder),
            reporter,
            panel.asked(encoded_data.chat_format.kind) if panel else (),
        )
    if main:
        write_vocabulary(folder, encoded_data.tokenizer, encoded_data.kept)
    launch.release_memory()
    reporter.stage(f"载入底座模型（{device}，{compute_type}）")
    base, batching = _load(recipe, base_folder, device, compute_type, encoded_data)
    launch.give_back_freed()
    first = encoded_data.examples[-1]
    prompt = list(first.ids[: first.replies[0][0] or 1])
    with accelerator.autocast():
        base_logits = adapters.last_logits(base, prompt)
    launch.seed_step(recipe.train.seed, 0)
    attached = make_trainable(base, recipe, steps=steps, kept=encoded_data.kept)
    _report_trainable(attached, recipe.method, reporter)

    def look(learner: trainer.Learner, step: int, metrics: Reporter) -> float:
        """Validation loss; beside it what the run forgets and how it answers."""
        valid = encoded_data.valid.examples[: recipe.checks.eval_samples or None]
        loss = trainer.mean_loss(learner, valid, metrics, "验证")
        forgotten = trainer.mean_loss(learner, encoded_data.probe.examples, NullReporter(), "")
        metrics.metrics(step, {"probe_perplexity": perplexity(forgotten)})
        if (
            accelerator.num_processes == 1
        ):  # a model that is shared out cannot answer in one process
            with accelerator.autocast():
                asked = [
                    put_to(text, cue, encoded_data.chat_format.kind)
                    for text, cue in encoded_data.asked
                ]
                replies = sample_replies(
                    attached.model, encoded_data.tokenizer, encoded_data.chat_format, asked
                )
            write_samples(folder, step, encoded_data.asked, replies)
            if panel is not None:
                wanted = panel.asked(encoded_data.chat_format.kind)
                with accelerator.autocast():
                    replies = sample_replies(
                        attached.model,
                        encoded_data.tokenizer,
                        encoded_data.chat_format,
                        wanted,
                        LONGEST_REPLY,
                    )
                metrics.metrics(step, panel.measure(replies))
        return loss

    result = _run(
        recipe,
        folder,
        attached,
        batching,
        encoded_data.examples,
        plan,
        steps,
        look,
        accelerator,
        reporter,
        stop or launch.StopRequest(folder),
        resume=resume,
    )
    if main:
        draw_curves(folder)  # only now: drawing takes memory of its own
    if result.status == "complete":
        accelerator.wait_for_everyone()
        if not _shares(
            recipe, accelerator
        ):  # one process alone cannot ask a model that is shared out
            with accelerator.autocast():
                change = adapters.check_adapter_works(attached.model, folder, prompt, base_logits)
            reporter.note(f"适配器已重新读回并核对：提示末尾的 logit 最多改变 {change:.2f}")
        if main:
            results = _results(result.progress, accelerator.device.type)
            write_run(folder, dataclasses.replace(info, status="complete", results=results))
    accelerator.wait_for_everyone()
    accelerator.end_training()
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


def _load(
    recipe: Recipe,
    base_folder: Path,
    device: str,
    compute_type: ComputeType,
    encoded_data: EncodedData,
) -> tuple[Any, Batching]:
    """The frozen base, set up the way its samples will be batched."""
    base = load_model(
        base_folder,
        device,
        quantize=quantization(recipe),
        kept=encoded_data.kept,
        dtype=DTYPES[compute_type],
    )
    return base, set_up(base, recipe, encoded_data.tokenizer.pad_token_id)


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
    folder: Path,
    attached: Attached,
    batching: Batching,
    examples: list[Example],
    plan: StepPlan,
    steps: int,
    look: Callable[[trainer.Learner, int, Reporter], float],
    accelerator: Accelerator,
    reporter: Reporter,
    stop: launch.StopRequest,
    *,
    resume: bool,
) -> TrainResult:
    """Build what the loop needs, run it, leave the best adapter in the folder."""
    train, checks, model = recipe.train, recipe.checks, attached.model
    shares = _shares(recipe, accelerator)
    cache = _cache(recipe, model, batching, examples, steps, folder, accelerator.num_processes)
    learner = make_learner(attached, recipe, batching, accelerator, cache, shares=shares)
    loop = trainer.LoopConfig(
        steps=steps,
        max_grad_norm=train.max_grad_norm,
        seed=train.seed,
        schedule=trainer.make_schedule(
            train.schedule, train.learning_rate, steps, train.warmup_steps
        ),
        eval_steps=checks.eval_steps,
        save_steps=checks.save_steps,
        patience=checks.patience,
    )
    checkpoints = Checkpoints(folder / "checkpoints", checks.keep_checkpoints)
    progress = Progress()
    newest = checkpoints.latest() if resume else None
    if newest is not None:
        progress = checkpoints.load(newest, model, learner.optimizer, attached.load_state)
        reporter.note(
            f"从 {newest.name} 接着训练：共 {steps} 步，还有 {max(0, steps - progress.step)} 步；最好的验证损失 {progress.best_loss:.3f}（第 {progress.best_step} 步）"
        )

    main = accelerator.is_main_process
    metrics = FanOut(
        [
            reporter,
            *(
                [JsonlReporter(folder / "metrics.jsonl", progress.step if newest else -1)]
                if main
                else []
            ),
            launch.TrackerReporter(accelerator),
        ]
    )
    if main:
        keep_samples_until(folder, progress.step if newest else -1)

    def save_best(now: Progress) -> None:
        state = sharding.whole(adapters.trained_state(model)) if shares else None
        if main:
            adapters.save_adapter(model, folder, state)

    metrics.stage(f"训练：{steps} 步 × {train.batch_size} 条")
    reporter.note(f"另开一个窗口看曲线和回答：custome watch {folder}")
    try:
        with launch.stop_on_signal(stop):
            progress = trainer.train(
                learner,
                examples,
                plan,
                loop,
                checkpoints=checkpoints,
                progress=progress,
                stop=stop,
                validate=lambda step: look(learner, step, metrics),
                save_best=save_best,
                reporter=metrics,
            )
    finally:
        metrics.close()
    early = bool(checks.patience) and progress.evals_without_gain >= checks.patience
    if progress.step < steps and not early:
        return TrainResult(folder=folder, status="stopped", progress=progress, steps=steps)
    accelerator.wait_for_everyone()
    if not has_adapter(folder):  # resumed with fewer steps, before anything was validated
        save_best(progress)
    return TrainResult(folder=folder, status="complete", progress=progress, steps=steps)


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
