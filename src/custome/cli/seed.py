"""The original scripts' command lines: train_sanguo.py, train_mingzhu.py and chat_server.py, flag for flag.

Underscores or hyphens, `--flag value` or `--flag=value`, bare booleans or `=False`, as `fire` took them. Defaults come
from recipes/seed-*.yaml.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from .. import recipe_file
from ..config import Recipe
from ..engine.open import EngineOptions
from ..errors import InputError
from ..tuning_methods import LoraConfig
from .app import guarded
from .flags import parse
from .serve import Serve, no_tunnel, run_flags
from .training import run_training

RESUME = "resume_from_checkpoint"
_WORDS = ("true", "false", "1", "0", "none")
Bool = Annotated[bool, tyro.conf.FlagConversionOff]


@dataclass(frozen=True, kw_only=True)
class SeedTrain:
    """What both training scripts take."""

    base_model: str
    """底座：本地目录、hf:组织/模型、ms:组织/模型，或 embedded。"""
    output_dir: str
    """运行目录。"""
    batch_size: int
    """每步的样本数。"""
    micro_batch_size: int
    """一次前向的样本数。"""
    num_epochs: float
    """轮数。"""
    learning_rate: float
    """学习率。"""
    cutoff_len: int
    """每条样本的最大 token 数。"""
    lora_r: int
    """LoRA 的秩。"""
    lora_alpha: int
    """LoRA 的缩放。"""
    lora_dropout: float
    """LoRA 的 dropout。"""
    train_on_inputs: Bool
    """连上文一起学。"""
    group_by_length: Bool
    """长度相近的样本放进同一步。"""
    resume_from_checkpoint: str
    """接着训练：True，或 output_dir 里的检查点目录。"""


@dataclass(frozen=True, kw_only=True)
class SeedSanguo(SeedTrain):
    """在一本书的对话上微调（三国演义）。"""

    data_path: str
    """训练数据，每行 {"context": …, "chat": …}。"""
    val_set_size: int
    """划作验证的条数。"""


@dataclass(frozen=True, kw_only=True)
class SeedMingzhu(SeedTrain):
    """在几本书的对话上微调（四大名著），验证数据单独给。"""

    train_path: str
    """训练数据。"""
    valid_path: str
    """验证数据。"""


@dataclass(frozen=True, kw_only=True)
class SeedChat:
    """聊天页。"""

    base_model: str = ""
    """底座；默认用训练时的。"""
    lora_weights: str = ""
    """运行目录，或只有适配器的目录（这时要给 base_model）。"""
    load_8bit: Bool = False
    """底座以 8 位整数载入。"""
    server_name: str = "127.0.0.1"
    """监听地址。"""
    server_port: int | None = None
    """端口；默认从 7860 起找。"""
    share_gradio: Bool = False
    """原来借 Gradio 的公网隧道；现在没有了，会说用什么代替。"""


def train_sanguo(argv: Sequence[str] | None = None) -> int:
    return _main(lambda flags: _train(SeedSanguo, "seed-sanguo", flags, "train_sanguo.py"), argv)


Flags = TypeVar("Flags", bound="SeedSanguo | SeedMingzhu")


def train_mingzhu(argv: Sequence[str] | None = None) -> int:
    return _main(lambda flags: _train(SeedMingzhu, "seed-mingzhu", flags, "train_mingzhu.py"), argv)


def chat_server(argv: Sequence[str] | None = None) -> int:
    return _main(_chat, argv)


def _main(run: Callable[[list[str]], int], argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: run(arguments), arguments)


def spell_out_booleans(cls: type, argv: Sequence[str]) -> list[str]:
    """`--flag` of a boolean becomes `--flag True`; `=False`, `=0`, `None` become False. Resuming takes True or a path."""
    booleans = {f.name for f in fields(cls) if "bool" in str(f.type).lower()} | {RESUME}
    words: list[str] = []
    waiting = list(argv)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if not word.startswith("--") or name not in booleans:
            words.append(word)
            continue
        if (
            not equals
            and waiting
            and (
                waiting[0].lower() in _WORDS or (name == RESUME and not waiting[0].startswith("--"))
            )
        ):
            value = waiting.pop(0)
        if name == RESUME:
            words += [f"--{name}", value or "True"]
        else:
            words += [f"--{name}", "False" if value.lower() in ("false", "0", "none") else "True"]
    return words


def _defaults(cls: type[Flags], recipe: Recipe) -> Flags:
    """A flags object filled from a recipe, field by field."""
    flat: dict[str, Any] = {"data_path": recipe.data.train_path, "resume_from_checkpoint": ""}
    for section in (recipe.data, recipe.model, recipe.method, recipe.train):
        flat.update({f.name: getattr(section, f.name) for f in fields(section)})
    flat["base_model"] = ""
    return cls(**{f.name: flat[f.name] for f in fields(cls)})


def _train(
    cls: type[SeedSanguo] | type[SeedMingzhu], recipe_name: str, argv: list[str], prog: str
) -> int:
    filed = recipe_file.load_recipe(Path(str(files("custome") / "recipes" / f"{recipe_name}.yaml")))
    flags = parse(
        cls, spell_out_booleans(cls, argv), f"python {prog}", default=_defaults(cls, filed)
    )
    if not flags.base_model:
        raise InputError(
            "没有给 --base_model",
            f"例如：python {prog} --base_model embedded（内置底座），或本地目录、hf:组织/模型",
        )
    data_flag = "data_path" if cls is SeedSanguo else "train_path"
    if not getattr(flags, data_flag):
        raise InputError(
            f"没有给 --{data_flag}（训练数据）",
            f"例如：python {prog} --{data_flag} corpus/sanguo/train.jsonl",
        )
    recipe = Recipe(
        data=replace(
            filed.data,
            cutoff_len=flags.cutoff_len,
            train_on_inputs=flags.train_on_inputs,
            train_path=getattr(flags, data_flag),
            valid_path=getattr(flags, "valid_path", ""),
            val_set_size=getattr(flags, "val_set_size", filed.data.val_set_size),
        ),
        model=replace(filed.model, base_model=flags.base_model),
        method=LoraConfig(
            lora_r=flags.lora_r, lora_alpha=flags.lora_alpha, lora_dropout=flags.lora_dropout
        ),
        train=replace(
            filed.train,
            **{
                name: getattr(flags, name)
                for name in (
                    "output_dir",
                    "batch_size",
                    "micro_batch_size",
                    "num_epochs",
                    "learning_rate",
                    "group_by_length",
                )
            },
        ),
        checks=filed.checks,
    )
    return run_training(
        recipe, filed, resume=_resume(flags.resume_from_checkpoint, Path(flags.output_dir))
    )


def _resume(wanted: str, output: Path) -> bool:
    if wanted.lower() in ("", "false", "none", "0"):
        return False
    if wanted.lower() in ("true", "1"):
        return True
    path = Path(wanted)
    if not path.is_dir():
        raise InputError(f"找不到检查点 {wanted!r}", f"看看有哪些：ls {output}/checkpoints")
    if output.resolve() not in (path.resolve(), *path.resolve().parents):
        raise InputError(
            f"检查点 {wanted!r} 不在输出目录 {str(output)!r} 里",
            "接着训练时，--output_dir 要指向那个检查点所在的运行目录",
        )
    newer = [
        p.name
        for p in path.parent.glob("step-*")
        if path.name.startswith("step-") and p.name > path.name
    ]
    if newer:
        raise InputError(
            f"{wanted!r} 之后还有检查点 {max(newer)!r}，总是从最新的接着来",
            f"要从它重来，先删掉更新的：rm -r {path.parent}/{max(newer)}",
        )
    return True


def _chat(argv: list[str]) -> int:
    flags = parse(SeedChat, spell_out_booleans(SeedChat, argv), "python chat_server.py")
    if not flags.lora_weights:
        raise InputError(
            "没有给 --lora_weights",
            "例如：python chat_server.py --lora_weights runs/sanguo；还没训练过先跑 custome quickstart",
        )
    if flags.share_gradio:
        raise no_tunnel("--share_gradio")
    model = EngineOptions(
        engine="local", base_model=flags.base_model, load_8bit=flags.load_8bit
    )  # beams are transformers'
    return run_flags(
        Serve(
            runs=(flags.lora_weights,),
            host=flags.server_name,
            port=flags.server_port,
            allow_open=True,  # as the original did; it says so
            model=model,
        )
    )
