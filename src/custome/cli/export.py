"""`custome export`, a run → files for other programs, and `custome merge`, several runs → one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from ..reporter import ConsoleReporter
from .flags import parse


@dataclass(frozen=True, kw_only=True)
class Export:
    """把微调好的模型写成别的程序能用的文件，读回来核对过才算数。"""

    run: Positional[str]
    """运行目录。"""
    to: Literal["hf", "gguf", "ollama", "adapter-gguf"] = "gguf"
    """hf：合并好的 safetensors 目录；gguf：合并好的一个文件（llama.cpp、LM Studio……）；ollama：再加 Modelfile；adapter-gguf：只有 LoRA，配底座自己的 GGUF 用。"""
    quant: Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"] = "f16"
    """权重的数值类型；hf 只有前三种。底座本来是 GGUF 的，没练过的部分照原样保留。"""
    vocabulary: Literal["run", "full"] = "run"
    """gguf 和 ollama：run 只留训练时用的词表（文件小得多），full 底座的全部词表。"""
    trust_remote_code: str = ""
    """底座要靠它自带的 Python 代码才能载入时，写出它的名字才运行。"""
    output: Annotated[str, arg(aliases=["-o"])] = ""
    """写到哪个目录；默认 exports/运行名-格式-类型。"""


def export(argv: list[str]) -> int:
    flags = parse(Export, argv, "custome export")
    reporter = ConsoleReporter()
    from ..corpus.formats import read_samples
    from ..models import export as exporting
    from ..models.run_folder import VALID_FILE

    run = Path(flags.run)
    output = (
        Path(flags.output) if flags.output else exporting.default_output(run, flags.to, flags.quant)
    )
    held_out = run / VALID_FILE
    samples = read_samples(held_out) if held_out.is_file() and held_out.stat().st_size else []
    done = exporting.export(
        run,
        flags.to,
        output,
        reporter,
        quant=flags.quant,
        vocabulary=flags.vocabulary,
        trust_remote_code=flags.trust_remote_code,
        samples=samples,
    )
    reporter.note(done.agreement.describe())
    reporter.note(
        f"{exporting.total_bytes(done.folder, done.files) / 1e6:.0f} MB → {done.folder}（{'、'.join(done.files)}）"
    )
    return 0


@dataclass(frozen=True, kw_only=True)
class Merge:
    """同一个底座上的几个 LoRA 合成一个，得到的还是运行目录。"""

    runs: Positional[tuple[str, ...]]
    """两个以上的运行目录。"""
    weights: tuple[float, ...] = ()
    """各占多少；默认平分。"""
    how: Literal["linear", "cat", "svd", "ties", "dare_ties"] = "linear"
    """linear 要秩相同；cat 精确，秩相加；svd 秩可以不同；ties、dare_ties 只留变化大的部分，正负由多数定。"""
    density: float = 0.5
    """ties、dare_ties 留下多少。"""
    output: Annotated[str, arg(aliases=["-o"])] = ""
    """写到哪个目录；默认 runs/名字+名字。"""


def merge(argv: list[str]) -> int:
    flags = parse(Merge, argv, "custome merge")
    from ..models.merge import merge as merging

    runs = [Path(run) for run in flags.runs]
    output = (
        Path(flags.output) if flags.output else Path("runs") / "+".join(run.name for run in runs)
    )
    weights = flags.weights or (1 / max(1, len(runs)),) * len(runs)
    merging(runs, weights, output, ConsoleReporter(), how=flags.how, density=flags.density)
    return 0
