"""`custome compare`: what tuning did, base and tuned side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from .. import config
from ..engine.open import EngineOptions
from ..reporter import ConsoleReporter
from .flags import parse


@dataclass(frozen=True, kw_only=True)
class Compare:
    """微调前后并排对比，出 Markdown 和网页。"""

    run: Positional[str]
    """运行目录，如 runs/sanguo。"""
    prompts: str = ""
    """提示文件：每行一句，或 {"context": …, "speaker": …}；默认用内置的一组。"""
    output: Annotated[str, arg(aliases=["-o"])] = ""
    """结果放在哪个目录；默认放进运行目录。"""
    valid_rows: int = config.CheckConfig.eval_samples
    """验证损失最多用多少条。"""
    model: EngineOptions = field(default_factory=EngineOptions)


def compare(argv: list[str]) -> int:
    flags = parse(Compare, argv, "custome compare")
    from ..evaluation.compare import read_prompts
    from ..evaluation.effect import compare_run

    prompts = read_prompts(Path(flags.prompts) if flags.prompts else None)
    output = Path(flags.output or flags.run)
    compare_run(Path(flags.run), output, prompts, flags.valid_rows, flags.model, ConsoleReporter())
    return 0
