"""`custome plan`: what a training run will take, before anything is downloaded or read."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import Annotated, Literal

from tyro.conf import arg

from .. import config, recipe_file
from ..config import Recipe
from ..machine import device_here, read_rates
from ..model_catalog import all_models, find_model
from ..planning.fit import Fit, fit, read_bytes
from ..planning.memory import GB, MemoryPlan, make_plan, share_of_rate
from ..planning.shapes import find_shape
from ..reporter import ConsoleReporter, Reporter
from ..tuning_methods import METHOD_NAMES, FullConfig, LoraConfig, Method, QloraConfig
from ..types import ModelShape
from .flags import parse, take


@dataclass(frozen=True, kw_only=True)
class Plan:
    """训练要多少内存、多少时间：只按形状算，不下载、不读权重。"""

    recipe: str = ""
    """配方文件（YAML），或自带的配方名：cosplay、sanguo、long……"""
    method_name: Annotated[str, arg(name="method")] = "lora"
    """微调方法。"""
    base: str = ""
    """底座：表里的名字（Qwen/Qwen3-8B……）、本地目录（读 config.json）或 embedded；与 --base-model 相同。"""
    fit: str = ""
    """装进多大的内存，如 11GiB；会说明要改什么。"""
    on: Literal["auto", "cpu", "cuda"] = "auto"
    """按哪种机器算；auto 看这台机器有没有显卡。"""
    tokens: int = 0
    """一共要学多少 token；0 按配方的步数和截断长度估。"""
    rate: float = 0.0
    """机器的矩阵速度，GFLOP/s；0 表示现场量一秒（只对 cpu）。"""
    table: bool = False
    """列出表里每个底座的用量。"""
    settings: Recipe = field(default_factory=Recipe)


def plan(argv: list[str]) -> int:
    filed = (
        recipe_file.load_recipe(recipe_file.find_recipe(path))
        if (path := take(argv, "recipe"))
        else Recipe()
    )
    filed = config.with_method(filed, take(argv, "method"))
    flags = parse(Plan, argv, "custome plan", default=Plan(settings=filed))
    device = device_here() if flags.on == "auto" else flags.on
    recipe = with_known_type(flags.settings.resolved(), device)
    reporter = ConsoleReporter()
    if flags.table:
        reporter.table("", *overview(recipe, device))
        return 0
    shape = find_shape(flags.base or recipe.model.base_model)
    if known := find_model(flags.base or recipe.model.base_model):
        reporter.note(f"许可：{known.licence}；对话：{known.chat_format}")
    if flags.fit:
        found = fit(recipe, shape, device, read_bytes(flags.fit))
        say_fit(found, flags.fit, reporter)
        show(found.plan, found.recipe, device, reporter)
        say_time(found.plan, found.recipe, shape, device, flags, reporter)
        return 0 if found.fits else 1
    made = make_plan(recipe, shape, device)
    show(made, recipe, device, reporter)
    say_time(made, recipe, shape, device, flags, reporter)
    return 0


def with_known_type(recipe: Recipe, device: str) -> Recipe:
    """The number type a run on this CPU would choose, where a run has measured it already."""
    rates = read_rates() if device == "cpu" and recipe.model.compute_type == "auto" else None
    if rates is None:
        return recipe
    return dataclasses.replace(
        recipe, model=dataclasses.replace(recipe.model, compute_type=rates.faster)
    )


def show(made: MemoryPlan, recipe: Recipe, device: str, reporter: Reporter) -> None:
    """Memory by part."""
    rows = [
        ("程序本身", made.program),
        ("底座权重", made.weights),
        ("适配器", made.adapter),
        ("梯度", made.gradients),
        ("优化器状态", made.optimizer),
        ("激活", made.activations),
        ("输出层", made.logits),
        ("分配器的空隙", made.allocator),
    ]
    table = [[name, f"{value / GB:.2f} GB"] for name, value in rows if value >= 0.005 * GB]
    reporter.table(
        f"内存峰值（{device}，{METHOD_NAMES[type(recipe.method)]}，一次 {recipe.train.micro_batch_size}×{recipe.data.cutoff_len} token）",
        ["部分", "用量"],
        [*table, ["合计", f"{made.total / GB:.2f} GB"]],
    )
    if made.loading == made.total:
        reporter.note("底座压缩前要整个读进内存，合计按这时算")
    reporter.note(
        f"练 {made.trainable / 1e6:.1f} M 个参数；每个 token {made.flop_per_token / 1e9:.2f} GFLOP"
    )


def say_fit(found: Fit, wanted: str, reporter: Reporter) -> None:
    if found.fits:
        reporter.note(
            f"装得进 {wanted}"
            + ("，要改：" + "；".join(found.changes) if found.changes else "，什么都不用改")
        )
    else:
        reporter.note(
            f"装不进 {wanted}：改到头（{'；'.join(found.changes) or '没有可改的'}）还要 {found.plan.total / GB:.2f} GB；换小一点的底座：custome plan --table"
        )


def say_time(
    made: MemoryPlan,
    recipe: Recipe,
    shape: ModelShape,
    device: str,
    flags: Plan,
    reporter: Reporter,
) -> None:
    tokens = (
        flags.tokens or recipe.train.steps * recipe.train.batch_size * recipe.data.cutoff_len // 4
    )
    kind: Literal["fp32", "bf16"] = "bf16" if recipe.model.compute_type == "bf16" else "fp32"
    rate = flags.rate or (cpu_rate(kind) if device == "cpu" else 0.0)
    if not rate or not tokens:
        reporter.note("时间：给出 --tokens 和 --rate（GFLOP/s；一张卡的 bf16 速度）就能估")
        return
    reached = share_of_rate(shape, kind)
    seconds = tokens * made.flop_per_token / (rate * 1e9 * reached)
    reporter.note(
        f"时间：{tokens:,} token，{kind} 矩阵速度 {rate:.0f} GFLOP/s，用得上 {reached:.0%}，约 {seconds / 60:.0f} 分钟"
    )


def cpu_rate(kind: Literal["fp32", "bf16"]) -> float:
    """GFLOP/s of the products training does: what a run measured, else an fp32 product of numpy's for a second."""
    known = read_rates()
    if known is not None:
        return known.of(kind)
    import numpy as np

    a: np.ndarray = np.ones((512, 2048), np.float32)
    b: np.ndarray = np.ones((2048, 640), np.float32)
    a @ b
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < 1:
        a @ b
        done += 1
    return 2 * 512 * 2048 * 640 * done / (time.perf_counter() - started) / 1e9


_COLUMNS: list[tuple[Method, bool]] = [
    (LoraConfig(), False),
    (LoraConfig(), True),
    (QloraConfig(quantization="int8"), False),
    (QloraConfig(), False),
    (QloraConfig(), True),
    (FullConfig(), False),
]


def overview(recipe: Recipe, device: Literal["cpu", "cuda"]) -> tuple[list[str], list[list[str]]]:
    """Every base of the list with its memory at full, 8 and 4 bits, and with full training."""
    header = ["底座（GB）", "lora", "重算", "int8", "nf4", "nf4重算", "full"]
    rows = []
    for name, known in all_models().items():
        cells = [name.split("/")[-1]]
        for method, checkpointing in _COLUMNS:
            model = dataclasses.replace(recipe.model, gradient_checkpointing=checkpointing)
            variant = dataclasses.replace(recipe, model=model, method=method)
            cells.append(f"{make_plan(variant, known.shape, device).total / GB:.1f}")
        rows.append(cells)
    return header, rows
