"""The main path: recipe → run folder. Read it from top to bottom.

check → claim the folder → base model → samples → encode → method → train → best adapter, proven to work
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config import Recipe
from ..corpus.cast import take_cast
from ..corpus.formats import sample_row
from ..corpus.reading import Novel, read_novel
from ..errors import InputError
from ..files import remove_leftovers, write_jsonl, write_text
from ..models import vocab
from ..models.compute import ComputeType, pick_device, remember_few_products, training_type
from ..models.loading import (
    skeleton,
    token_rows,
    trust_code_in,
)
from ..models.run_folder import (
    VALID_FILE,
    RunInfo,
    has_run,
    write_run,
    write_vocabulary,
)
from ..models.sources import fingerprint, resolve_base
from ..recipe_file import dump
from ..reporter import NullReporter, Reporter
from ..types import Sample
from . import launch
from .checkpoint import Progress
from .encoded_data import PrepareSamples, encode, trimmed
from .learning import RunData, RunPlace, TrainResult, learn
from .methods import check_method
from .run_claim import check_same, claim
from .run_plan import make_step_plan
from .run_samples import data_files, load_samples
from .watch import (
    Panel,
)


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
        place = RunPlace(
            folder=folder, accelerator=accelerator, compute_type=compute_type, reporter=reporter
        )
        run_data = _read(
            recipe,
            place,
            samples=samples,
            novels=novels,
            replay_texts=replay_texts,
            prepare_samples=prepare_samples,
            home=home,
        )
        info = _begin(recipe, place, run_data, samples[1], resume=resume)
        run_data = _trim(recipe, place, run_data, panel)
        learnt = learn(recipe, place, run_data, panel, stop, resume=resume)
        _write_down(place, info, learnt)
        accelerator.end_training()
        return learnt
    finally:
        launch.leave(folder)


def _write_down(place: RunPlace, info: RunInfo, learnt: TrainResult) -> None:
    """What came of a run that is complete."""
    if place.is_main and learnt.status == "complete":
        results = _results(learnt.progress, place.accelerator.device.type)
        write_run(place.folder, dataclasses.replace(info, status="complete", results=results))
    place.accelerator.wait_for_everyone()


def _read(
    recipe: Recipe,
    place: RunPlace,
    *,
    samples: tuple[list[Sample], list[Sample]],
    novels: list[Novel],
    replay_texts: Sequence[str],
    prepare_samples: PrepareSamples | None,
    home: Path | None,
) -> RunData:
    """Fetch the base, see that the method fits it, encode the samples."""
    place.reporter.stage("底座和样本")
    with place.accelerator.main_process_first():  # the others find it fetched
        base_folder = resolve_base(recipe.model.base_model, place.reporter, home=home)
    trust_code_in(base_folder, recipe.model.trust_remote_code, recipe.model.base_model)
    check_method(skeleton(base_folder), recipe.method)
    data = encode(
        recipe,
        base_folder,
        train_samples=samples[0],
        valid_samples=samples[1],
        novels=novels,
        replay_texts=replay_texts,
        prepare_samples=prepare_samples,
        reporter=place.reporter,
    )
    plan, steps = make_step_plan(recipe, data)
    return RunData(base_folder=base_folder, data=data, plan=plan, steps=steps)


def _begin(
    recipe: Recipe, place: RunPlace, run_data: RunData, valid: list[Sample], *, resume: bool
) -> RunInfo:
    """Write down what this run is; a resumed one must be the same."""
    info = RunInfo(
        status="running",
        base_model=recipe.model.base_model,
        base_fingerprint=fingerprint(run_data.base_folder),
        chat_format=run_data.data.chat_format.name,
        data_fingerprint=run_data.data.fingerprint,
        seed=recipe.train.seed,
        steps=run_data.steps,
        compute_type=place.compute_type,
        characters=run_data.data.people,
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
        wanted = recipe.data.train_path or recipe.data.corpus
        if wanted and not take_cast(recipe.corpus_folder, place.folder, canonical=canonical):
            place.reporter.note(
                f"{str(recipe.corpus_folder)!r} 里没有人物（cast）：只有训练数据里的名字可以聊，没有人设、本人的话和世界书；要有就用 custome corpus build 做语料，或 --corpus 指出它"
            )
    place.accelerator.wait_for_everyone()
    return info


def _trim(recipe: Recipe, place: RunPlace, run_data: RunData, panel: Panel | None) -> RunData:
    """With the vocabulary cut to what will be used, where the recipe wants that and the tokenizer can."""
    data = run_data.data
    if recipe.model.vocabulary == "auto" and vocab.can_trim(data.tokenizer):
        asked = panel.asked(data.chat_format.kind) if panel else ()
        data = trimmed(data, token_rows(run_data.base_folder), place.reporter, asked)
    if place.is_main:
        write_vocabulary(place.folder, data.tokenizer, data.vocab_ids)
    return dataclasses.replace(run_data, data=data)


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
