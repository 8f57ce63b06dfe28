"""The main path: recipe → run folder. Read it from top to bottom.

check → claim the folder → base model → samples → encode → method → train → best adapter, proven to work
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator

from .. import config
from ..config import Recipe
from ..corpus.dataset import canonical_cue, characters
from ..corpus.formats import read_samples, sample_row
from ..errors import DataError, RunError
from ..files import remove_leftovers, write_jsonl, write_text
from ..models import adapters, vocab
from ..models.chat_format import open_format
from ..models.loading import fingerprint, load_base, pick_device
from ..models.run_folder import ADAPTER_FILES, VALID_FILE, RunInfo, has_run, read_run, write_run
from ..models.sources import resolve_base
from ..report import FanOut, JsonlReporter, NullReporter, Reporter
from ..resources import sha256_of
from ..types import Sample
from . import fastlora, launch, trainer
from .checkpoint import Checkpoints, Progress
from .data import BatchPlan, EncodedSet, data_fingerprint, encode_samples
from .loss import ReplyLoss
from .methods import attach

OWN_FILES = {"recipe.yaml", "run.json", VALID_FILE, "metrics.jsonl", "tensorboard", "checkpoints", *ADAPTER_FILES}


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """How a run ended."""

    folder: Path
    status: Literal["complete", "stopped"]
    progress: Progress
    steps: int


def finetune(recipe: Recipe, reporter: Reporter, *, resume: bool = False, home: Path | None = None) -> TrainResult:
    """Fine-tune a base model as the recipe says; with `resume` go on from the newest checkpoint in the output folder.

    Raises:
        RecipeError, InputError, DataError: something given cannot be used; found before any weight is read.
        SourceError: the base model cannot be had.
        RunError: the folder holds another run, or what it holds does not fit the recipe.
        TrainingError: the loss is not finite, or the adapter has no effect.
    """
    recipe.check()
    device = pick_device(recipe.model.device)
    train_samples, valid_samples = load_samples(recipe)
    folder = Path(recipe.train.output_dir)
    _claim(folder, resume)
    accelerator = launch.make_accelerator(device, folder)
    main = accelerator.is_main_process
    reporter = reporter if main else NullReporter()

    reporter.stage("载入底座模型")
    with accelerator.main_process_first():  # the others find it fetched
        base_folder = resolve_base(recipe.model.base_model, reporter, home=home)
    base = load_base(base_folder, device, load_8bit=recipe.model.load_8bit)
    chat_format = open_format(base.tokenizer, recipe.model.chat_format)

    reporter.stage("编码样本")
    train_set, valid_set = (
        encode_samples(samples, chat_format, cutoff_len=recipe.data.cutoff_len, whole_text=recipe.data.train_on_inputs,
                       reporter=reporter, title=title)
        for samples, title in ((train_samples, "训练集"), (valid_samples, "验证集"))
    )  # fmt: skip
    reporter.note(_describe(train_set, valid_set, recipe.data.cutoff_len))

    info = RunInfo(
        status="running", base_model=recipe.model.base_model, base_fingerprint=fingerprint(base_folder),
        chat_format=chat_format.kind, data_fingerprint=data_fingerprint(train_set, valid_set),
        seed=recipe.train.seed, characters=tuple(characters(train_samples)),
        data_files=data_files(recipe), versions=launch.versions(),
    )  # fmt: skip
    if resume and has_run(folder):
        _check_same(folder, info, recipe)
    if main:
        remove_leftovers(folder)
        write_text(folder / "recipe.yaml", config.dump(recipe))
        write_jsonl(folder / VALID_FILE, [sample_row(s) for s in valid_samples])
        write_run(folder, info)
    accelerator.wait_for_everyone()

    tokenizer = base.tokenizer
    if recipe.model.vocabulary == "auto" and vocab.can_trim(tokenizer):
        used = {number for encoded in (train_set, valid_set) for example in encoded.examples for number in example.ids}
        tokenizer, smaller = vocab.trim(base.model, tokenizer, used)
        train_set, valid_set = (encoded.renumbered(smaller.renumbered) for encoded in (train_set, valid_set))
        reporter.note(
            f"词表裁到 {len(smaller.kept):,}（原 {smaller.before:,}，语料用到 {len(used):,}）；适配器照样装在完整底座上"
        )
    launch.seed_step(recipe.train.seed, 0)
    model = attach(base.model, recipe.method)
    fastlora.install(model)
    _report_trainable(model, reporter)
    result = _run(recipe, folder, info, model, tokenizer, train_set, valid_set, accelerator, reporter, resume=resume)
    accelerator.end_training()
    return result


def _run(
    recipe: Recipe, folder: Path, info: RunInfo, model: Any, tokenizer: Any,
    train_set: EncodedSet, valid_set: EncodedSet, accelerator: Accelerator, reporter: Reporter, *, resume: bool,
) -> TrainResult:  # fmt: skip
    """Build what the loop needs, run it, finish the folder."""
    train, checks = recipe.train, recipe.checks
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=train.learning_rate, weight_decay=train.weight_decay)
    loss, optimizer = accelerator.prepare(ReplyLoss(model), optimizer)
    learner = trainer.Learner(
        accelerator=accelerator, loss=loss, model=model, optimizer=optimizer, pad_id=tokenizer.pad_token_id
    )
    plan = BatchPlan(lengths=[len(e.ids) for e in train_set.examples], batch_size=train.batch_size, seed=train.seed,
                     group_by_length=train.group_by_length)  # fmt: skip
    steps = train.steps or max(1, math.ceil(plan.steps_per_epoch * train.num_epochs))
    rhythm = trainer.Rhythm(
        steps=steps, micro_batch_size=train.micro_batch_size, max_grad_norm=train.max_grad_norm, seed=train.seed,
        schedule=trainer.make_schedule(train.schedule, train.learning_rate, steps, train.warmup_steps),
        eval_steps=checks.eval_steps, save_steps=checks.save_steps, patience=checks.patience,
    )  # fmt: skip
    checkpoints = Checkpoints(folder / "checkpoints", checks.keep_checkpoints)
    progress = Progress()
    newest = checkpoints.latest() if resume else None
    if newest is not None:
        progress = checkpoints.load(newest, model, optimizer)
        reporter.note(f"从 {newest.name} 接着训练（共 {steps} 步）")
    valid_examples = valid_set.examples[: checks.eval_samples or None]

    main = accelerator.is_main_process
    metrics = FanOut([
        reporter,
        *([JsonlReporter(folder / "metrics.jsonl", progress.step if newest else -1)] if main else []),
        launch.TrackerReporter(accelerator),
    ])  # fmt: skip

    def save_best(now: Progress) -> None:
        if main:
            adapters.save_adapter(model, folder)

    metrics.stage(f"训练：{steps} 步 × {train.batch_size} 条")
    try:
        with launch.stop_on_signal() as stop:
            progress = trainer.train(
                learner, train_set.examples, plan, rhythm, checkpoints=checkpoints, progress=progress, stop=stop,
                validate=lambda: trainer.mean_loss(learner, valid_examples, train.micro_batch_size, metrics, "验证"),
                save_best=save_best, reporter=metrics,
            )  # fmt: skip
    finally:
        metrics.close()
    early = bool(checks.patience) and progress.evals_without_gain >= checks.patience
    if progress.step < steps and not early:
        return TrainResult(folder=folder, status="stopped", progress=progress, steps=steps)
    if not (folder / ADAPTER_FILES[1]).is_file():  # resumed with fewer steps, before anything was validated
        save_best(progress)
    accelerator.wait_for_everyone()
    change = adapters.check_adapter_works(
        model, folder, list(train_set.examples[0].ids[: train_set.examples[0].replies[0][0] or 1])
    )
    reporter.note(f"适配器已重新读回并核对：提示末尾的 logit 最多改变 {change:.2f}")
    if main:
        write_run(
            folder, dataclasses.replace(info, status="complete", results=_results(progress, accelerator.device.type))
        )
    accelerator.wait_for_everyone()
    return TrainResult(folder=folder, status="complete", progress=progress, steps=steps)


def data_files(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of the files a recipe learns from."""
    paths = {"train": recipe.data.train_path, "valid": recipe.data.valid_path}
    return {name: sha256_of(Path(path)) for name, path in paths.items() if path}


def _read(recipe: Recipe, path: str) -> list[Sample]:
    samples = read_samples(Path(path))
    return [canonical_cue(sample) for sample in samples] if recipe.data.names == "canonical" else samples


def load_samples(recipe: Recipe) -> tuple[list[Sample], list[Sample]]:
    """(training, validation) samples; without a validation file the last `val_set_size` of a fixed shuffle are held out.

    Raises:
        InputError, DataError: see corpus.formats.read_samples; or nothing is left to train on.
    """
    samples = _read(recipe, recipe.data.train_path)
    if recipe.data.valid_path:
        return samples, _read(recipe, recipe.data.valid_path)
    held_out = recipe.data.val_set_size
    if held_out >= len(samples):
        raise DataError(f"{recipe.data.train_path!r} 只有 {len(samples)} 条，不够划出 {held_out} 条作验证", f"减小验证集：--val-set-size {len(samples) // 10}")  # fmt: skip
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(recipe.train.seed)).tolist()
    cut = len(samples) - held_out
    return [samples[i] for i in sorted(order[:cut])], [samples[i] for i in sorted(order[cut:])]


def _claim(folder: Path, resume: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunError(f"输出位置 {str(folder)!r} 是一个文件", "换一个目录：--output-dir runs/别的名字")
    if has_run(folder) and not resume:
        raise RunError(
            f"输出目录 {str(folder)!r} 里已有一次训练（状态：{read_run(folder).status}）",
            f"接着训练加 --resume；另起一次换目录 --output-dir；不要了就删掉：rm -r {folder}",
        )
    foreign = (
        [p.name for p in folder.iterdir() if p.name not in OWN_FILES and p.suffix != ".tmp"] if folder.is_dir() else []
    )
    if foreign and not has_run(folder):
        raise RunError(
            f"输出目录 {str(folder)!r} 不是空的，也不是训练目录：里面有 {foreign[0]!r}",
            "换一个目录：--output-dir runs/别的名字",
        )


def _check_same(folder: Path, info: RunInfo, recipe: Recipe) -> None:
    before = read_run(folder)
    method = config.load_recipe(folder / "recipe.yaml").method
    for what, old, new in (("底座模型", before.base_fingerprint, info.base_fingerprint),
                           ("数据", before.data_fingerprint, info.data_fingerprint),
                           ("种子", before.seed, info.seed), ("微调设置", method, recipe.method)):  # fmt: skip
        if old != new:
            raise RunError(f"{str(folder)!r} 当初的{what}与现在的不同（{old} → {new}），接不上", "用当初的配方：custome train --recipe "
                           f"{folder}/recipe.yaml --resume；或换一个 --output-dir")  # fmt: skip


def _describe(train_set: EncodedSet, valid_set: EncodedSet, cutoff_len: int) -> str:
    tokens = sum(len(e.ids) for e in train_set.examples)
    labelled = sum(e.labelled for e in train_set.examples)
    cut = train_set.cut + valid_set.cut
    return (f"训练 {len(train_set):,} 条、验证 {len(valid_set):,} 条；{tokens:,} token，其中 {labelled:,} 计损失；"
            f"超过 {cutoff_len} token 被截短的 {cut:,} 条")  # fmt: skip


def _report_trainable(model: Any, reporter: Reporter) -> None:
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    reporter.note(f"可训练参数 {trainable:,} / {total:,}（{100 * trainable / total:.2f}%）")


def _results(progress: Progress, device: str) -> dict[str, Any]:
    finite = {"base_valid_loss": progress.base_loss, "valid_loss": progress.best_loss}
    return {
        **{name: round(value, 4) for name, value in finite.items() if math.isfinite(value)},
        "best_step": progress.best_step,
        "steps": progress.step,
        "tokens": progress.tokens_seen,
        "train_seconds": round(progress.train_seconds, 1),
        "tokens_per_s": round(progress.tokens_seen / max(progress.train_seconds, 1e-9), 1),
        "peak_memory_bytes": launch.peak_memory_bytes(device),
    }
