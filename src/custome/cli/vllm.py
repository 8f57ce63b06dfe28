"""`custome serve --engine vllm`: the command for vLLM, written and run."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from ..errors import InputError
from .flags import parse


@dataclass(frozen=True, kw_only=True)
class ServeVllm:
    """大模型、显卡、多机：让 vLLM 来算，写好它的命令并运行；页面用 --engine remote 接上。"""

    runs: Positional[tuple[str, ...]]
    """运行目录，要同一个底座；各成一个 LoRA。"""
    engine: Literal["vllm"] = "vllm"
    """固定为 vllm。"""
    tensor_parallel: int = 1
    """一份模型切到几张卡上。"""
    data_parallel: int = 1
    """开几份。"""
    ray: bool = False
    """多机：用 Ray 分派（先在各机 ray start）。"""
    vllm_host: str = "127.0.0.1"
    """vLLM 监听的地址。"""
    vllm_port: int = 8000
    """vLLM 的端口。"""
    print_only: bool = False
    """只印出命令，不运行。"""


def serve_vllm(argv: list[str]) -> int:
    flags = parse(ServeVllm, argv, "custome serve --engine vllm")
    command = vllm_command(flags)
    print(shlex.join(command), flush=True)
    page = f"custome serve {flags.runs[0]} --engine remote --url http://{flags.vllm_host}:{flags.vllm_port}/v1 --remote-model {Path(flags.runs[0]).resolve().name}"
    print(f"页面：{page}", flush=True)
    if flags.print_only:
        return 0
    try:
        return subprocess.run(command, check=False).returncode
    except FileNotFoundError as error:
        raise InputError(
            "没有装 vLLM", "pip install vllm（要显卡）；或先看命令：--print-only"
        ) from error


RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as --max-lora-rank."""


def vllm_command(flags: ServeVllm) -> list[str]:
    """The vLLM command line for runs on one base, each as a LoRA.

    Raises:
        RunError, InputError: no runs, different bases, or something other than a plain LoRA.
    """
    base, rank = _base_and_rank(flags.runs)
    modules = [f"{Path(run).resolve().name}={Path(run).resolve()}" for run in flags.runs]
    room = next((size for size in RANKS if size >= rank), rank)
    command = [
        "vllm",
        "serve",
        base,
        "--host",
        flags.vllm_host,
        "--port",
        str(flags.vllm_port),
        "--enable-lora",
        "--max-lora-rank",
        str(room),
        "--max-loras",
        str(len(modules)),
        "--lora-modules",
        *modules,
    ]
    if flags.tensor_parallel > 1:
        command += ["--tensor-parallel-size", str(flags.tensor_parallel)]
    if flags.data_parallel > 1:
        command += ["--data-parallel-size", str(flags.data_parallel)]
    return [*command, "--distributed-executor-backend", "ray"] if flags.ray else command


def _base_and_rank(runs: Sequence[str]) -> tuple[str, int]:
    """What vLLM is to load: the base of all the runs, and their largest rank."""
    from ..model_catalog import shipped_name
    from ..models.lora_file import read_lora
    from ..models.run_folder import check_adapter, read_run

    bases, ranks = [], []
    for run in runs:
        check_adapter(Path(run))
        lora = read_lora(Path(run))
        if lora is None:
            raise InputError(
                f"{run!r} 学的不是普通 LoRA，vLLM 装不上",
                f"先合并：custome export {run} --to hf，再 vllm serve 那个目录",
            )
        bases.append(read_run(Path(run)).base_model)
        ranks.append(lora.rank)
    if len(set(bases)) > 1:
        raise InputError(
            f"底座不一样：{'、'.join(sorted(set(bases)))}", "一次只给同一个底座上的运行目录"
        )
    base = bases[0].removeprefix("hf:")
    if base.startswith("ms:"):
        raise InputError(
            f"vLLM 不认 {base!r} 这样的写法",
            "先 export VLLM_USE_MODELSCOPE=True，再照印出的样子自己运行",
        )
    if shipped_name(base) is not None or base.endswith(".gguf"):
        raise InputError(
            f"vLLM 不从 {base!r} 这样的 GGUF 上装 LoRA",
            f"先合并：custome export {runs[0]} --to hf，再 vllm serve 那个目录；小模型用 --engine llamacpp 就够快",
        )
    return base, max(ranks)
