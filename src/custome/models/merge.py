"""Several LoRA adapters of one base → one, by peft's ways of adding them; the result is a run folder like any other."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from peft import PeftConfig, PeftModel

from ..errors import InputError, RunError
from ..files import atomic_folder
from ..reporter import Reporter
from ..types import Character
from .adapters import load_adapter
from .loading import load_model
from .run_folder import ADAPTER_FILES, RunInfo, check_adapter, read_run, write_run
from .sources import other_base, resolve_base

How = Literal["linear", "cat", "svd", "ties", "dare_ties"]
MERGED = "merged"


def merge(
    runs: Sequence[Path],
    weights: Sequence[float],
    output: Path,
    reporter: Reporter,
    *,
    how: How = "linear",
    density: float = 0.5,
    home: Path | None = None,
) -> None:
    """Write the weighted sum of the runs' adapters as the run folder `output`.

    Args:
        weights: one for each run.
        how: linear needs equal ranks; cat is exact and adds the ranks up; svd finds the best of the largest rank; ties and
            dare_ties keep the strongest `density` of the changes and let signs vote (arXiv 2306.01708, 2311.03099).

    Raises:
        InputError: fewer than two runs, or not a weight for each, or the output is there already.
        RunError: a run has no LoRA adapter, or they stand on different bases.
    """
    infos = _fitting(runs, weights, output)
    reporter.stage("载入底座和适配器")
    base_folder = resolve_base(infos[0].base_model, reporter, home=home)
    if mismatch := other_base(runs[0], infos[0], base_folder):
        raise RunError(mismatch, "把底座换回训练时的那份")
    model = load_model(base_folder)
    names = [f"adapter{number}" for number in range(len(runs))]
    for name, run in zip(names, runs, strict=True):
        model = load_adapter(model, run, name)
    # The sum is scaled by one; peft would take over the first one's root of the rank.
    model.peft_config[names[0]].use_rslora = False
    try:
        options = {"density": density} if "ties" in how else {}
        model.add_weighted_adapter(names, list(weights), MERGED, combination_type=how, **options)
    except ValueError as error:
        raise InputError(
            f"这几个适配器不能用 {how} 合并：{str(error).splitlines()[0]}",
            "秩不同用 --how svd 或 cat",
        ) from error
    _save(model, runs, infos, output)
    summed = [f"{run.name} × {weight:g}" for run, weight in zip(runs, weights, strict=True)]
    reporter.note(f"{'、'.join(summed)} → {output}（{how}）")


def _fitting(runs: Sequence[Path], weights: Sequence[float], output: Path) -> list[RunInfo]:
    """What the runs say of themselves; raises InputError, RunError where they cannot be merged."""
    if len(runs) < 2 or len(weights) != len(runs):
        raise InputError(
            f"{len(runs)} 个运行目录，{len(weights)} 个权重，合不起来",
            "至少两个运行目录，每个一个权重：custome merge A B --weights 0.7 0.3",
        )
    if output.exists():
        raise InputError(
            f"输出位置 {str(output)!r} 已经有东西了",
            f"换一个目录：-o 别的名字；不要了就删掉：rm -r {output}",
        )
    infos = [_checked(run) for run in runs]
    first = infos[0]
    for run, info in zip(runs, infos, strict=True):
        if (info.base_fingerprint, info.chat_format) != (first.base_fingerprint, first.chat_format):
            raise RunError(
                f"{str(run)!r} 和 {str(runs[0])!r} 不是同一个底座、同一种对话格式上练的（{info.base_model!r}、{first.base_model!r}）",
                "只能合并同一个底座上的适配器",
            )
    return infos


def _save(model: PeftModel, runs: Sequence[Path], infos: Sequence[RunInfo], output: Path) -> None:
    """Write the merged adapter as a run folder."""
    with atomic_folder(output) as folder:
        model.save_pretrained(
            str(folder / "adapters"), selected_adapters=[MERGED], save_embedding_layers=False
        )
        for name in ADAPTER_FILES:
            shutil.move(folder / "adapters" / MERGED / name, folder / name)
        shutil.rmtree(folder / "adapters")
        if (runs[0] / "recipe.yaml").is_file():
            shutil.copy(runs[0] / "recipe.yaml", folder / "recipe.yaml")
        info = dataclasses.replace(
            infos[0], status="complete", characters=_people(infos), data_files={}, results={}
        )
        write_run(folder, info)


def _checked(run: Path) -> RunInfo:
    info = read_run(run)
    check_adapter(run)
    if not (run / ADAPTER_FILES[1]).is_file():
        raise RunError(
            f"{str(run)!r} 练的是底座自己的权重，不是适配器，合不了", "只能合并 LoRA 一类的适配器"
        )
    settings = PeftConfig.from_pretrained(str(run))
    if settings.peft_type.value != "LORA" or getattr(settings, "use_dora", False):
        kind = "DoRA" if getattr(settings, "use_dora", False) else settings.peft_type.value
        raise RunError(
            f"{str(run)!r} 学的是 {kind}，合不了", "只能合并 LoRA、rsLoRA、LoRA+、PiSSA 的适配器"
        )
    return info


def _people(infos: Sequence[RunInfo]) -> tuple[Character, ...]:
    """Everybody, who speaks most first."""
    known = {person.name: person for info in reversed(infos) for person in info.characters}
    return tuple(sorted(known.values(), key=lambda person: -person.utterances))
