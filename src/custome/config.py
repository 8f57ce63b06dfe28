"""The recipe of a training run: sections, loading, merging, checking, dumping. Knows no weights and no rows.

Order of precedence: defaults < recipe file < flags. Field docstrings are the only place a setting is explained; the
command line's help and the comments in recipe.yaml are generated from them.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from .errors import InputError, RecipeError
from .files import read_text


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """数据：从哪里学。"""

    train_path: str = ""
    """训练数据，JSON Lines 或 JSON：context/chat、多轮对话、alpaca、sharegpt、openai messages，按内容认。"""
    valid_path: str = ""
    """验证数据；留空则从训练数据中划出 val_set_size 条。"""
    val_set_size: int = 100
    """没有 valid_path 时划作验证的条数；0 表示不验证。"""
    cutoff_len: int = 512
    """每条样本的最大 token 数；超出的从上文开头截去，截了多少条会报告。"""
    names: Literal["book", "canonical"] = "book"
    """回答前“某某曰”的某某：book 照书里的叫法（操、玄德），canonical 换成统一的人名（曹操、刘备），声音更分明。"""
    train_on_inputs: bool = False
    """连上文一起学（默认只学回答）。"""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """底座：在什么模型上学。"""

    base_model: str = "embedded"
    """embedded（内置 Gemma 3 270M）、本地目录、.gguf 文件、hf:组织/模型 或 ms:组织/模型。"""
    chat_format: Literal["auto", "novel", "template"] = "auto"
    """novel：小说体“某某曰”；template：底座自带的对话模板；auto：有模板就用模板。"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """在哪里算。"""
    vocabulary: Literal["auto", "full"] = "auto"
    """训练时用多大的词表：auto 只留语料用到的词和全部单字、标点、字节（快一倍、省内存，适配器照样装在完整底座上）；full 不裁。"""
    load_8bit: bool = False
    """底座以 8 位整数载入（需要 bitsandbytes）。"""


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """LoRA：给线性层加低秩增量，底座不动。"""

    lora_r: int = 16
    """秩。"""
    lora_alpha: int = 32
    """缩放：增量乘以 alpha / r。"""
    lora_dropout: float = 0.0
    """增量支路输入的 dropout。"""
    lora_targets: tuple[str, ...] = ("all-linear",)
    """加在哪些层上；all-linear 表示除输出头外的全部线性层。"""


METHODS: dict[str, type[LoraConfig]] = {"lora": LoraConfig}
"""Tuning methods by name; one config class each."""
METHOD_NAMES: dict[type, str] = {cls: name for name, cls in METHODS.items()}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """训练：怎么学。"""

    output_dir: str = "runs/run"
    """运行目录：适配器、配方、曲线、检查点都在这里。"""
    steps: int = 0
    """训练步数；0 表示按 num_epochs 计算。"""
    num_epochs: float = 3
    """轮数（steps 为 0 时有效）。"""
    batch_size: int = 32
    """每步的样本数。"""
    micro_batch_size: int = 8
    """一次前向的样本数；只影响内存和速度，不影响结果。"""
    learning_rate: float = 2e-3
    """峰值学习率。"""
    warmup_steps: int = 10
    """学习率从 0 线性升到峰值所用的步数；多于总步数三分之一时取三分之一。"""
    schedule: Literal["linear", "constant", "cosine"] = "linear"
    """预热之后学习率的走法。"""
    weight_decay: float = 0.0
    """AdamW 的权重衰减。"""
    max_grad_norm: float = 1.0
    """梯度裁剪的范数。"""
    group_by_length: bool = False
    """把长度相近的样本放进同一步（更快，但批次不再均匀混合）。"""
    seed: int = 42
    """随机种子；同种子、同数据、同机器得到同样的权重。"""


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """检查：何时验证、存盘、停下。"""

    eval_steps: int = 20
    """每隔多少步算一次验证损失；0 表示只在开头和结尾算。"""
    eval_samples: int = 160
    """验证最多用多少条；0 表示全部。"""
    save_steps: int = 10
    """每隔多少步存一次检查点。"""
    keep_checkpoints: int = 2
    """保留最近几个检查点。"""
    patience: int = 0
    """连续多少次验证没有变好就停；0 表示不提前停。"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything a training run depends on."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    method: LoraConfig = field(default_factory=LoraConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    checks: CheckConfig = field(default_factory=CheckConfig)

    def problems(self) -> list[str]:
        """Everything wrong with the settings, found without reading any weight."""
        train, data, checks, method = self.train, self.data, self.checks, self.method
        wrong = []
        if not data.train_path:
            wrong.append("没有给 train_path（训练数据）")
        at_least = [("cutoff_len", data.cutoff_len, 8), ("val_set_size", data.val_set_size, 0), ("steps", train.steps, 0),
                    ("batch_size", train.batch_size, 1), ("micro_batch_size", train.micro_batch_size, 1),
                    ("warmup_steps", train.warmup_steps, 0), ("lora_r", method.lora_r, 1),
                    ("lora_alpha", method.lora_alpha, 1), ("eval_steps", checks.eval_steps, 0),
                    ("eval_samples", checks.eval_samples, 0), ("save_steps", checks.save_steps, 1),
                    ("keep_checkpoints", checks.keep_checkpoints, 1), ("patience", checks.patience, 0)]  # fmt: skip
        wrong += [f"{name}={value} 应不小于 {low}" for name, value, low in at_least if value < low]
        above_zero = [("learning_rate", train.learning_rate), ("max_grad_norm", train.max_grad_norm)]
        wrong += [f"{name}={value} 应大于 0" for name, value in above_zero if not value > 0]
        if train.steps == 0 and not train.num_epochs > 0:
            wrong.append(f"steps=0 时 num_epochs={train.num_epochs} 应大于 0")
        if not 0 <= method.lora_dropout < 1:
            wrong.append(f"lora_dropout={method.lora_dropout} 应在 [0, 1) 内")
        wrong += [f"{name}={value} 应不小于 0" for name, value in (("seed", train.seed), ("weight_decay", train.weight_decay))
                  if not value >= 0]  # fmt: skip
        if train.steps == 0 and train.num_epochs == float("inf"):
            wrong.append("num_epochs 不能是无穷")
        if train.micro_batch_size > train.batch_size >= 1:
            wrong.append(f"micro_batch_size={train.micro_batch_size} 大于 batch_size={train.batch_size}")
        return wrong

    def check(self) -> None:
        """Raise RecipeError with all problems at once."""
        wrong = self.problems()
        if wrong:
            raise RecipeError(
                f"配方有 {len(wrong)} 处不对：" + "；".join(wrong), "改正后重跑；各项含义：custome train --help"
            )


SECTIONS: dict[str, type] = {
    "data": DataConfig, "model": ModelConfig, "method": LoraConfig, "train": TrainConfig, "checks": CheckConfig,
}  # fmt: skip


def field_docs(cls: type) -> dict[str, str]:
    """Docstring of every field of a dataclass, read from the source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    for declared, following in zip(body.body, body.body[1:], strict=False):
        named = isinstance(declared, ast.AnnAssign) and isinstance(declared.target, ast.Name)
        if named and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            docs[declared.target.id] = str(following.value.value)  # type: ignore[attr-defined]
    return docs


def nearest(word: str, known: list[str]) -> str:
    """The known word most like a mistyped one, or ''."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    return found[0] if found else ""


def method_class(name: str) -> type[LoraConfig]:
    """Config class of a tuning method.

    Raises:
        InputError: no such method; the nearest one is named.
    """
    if name not in METHODS:
        hint = nearest(name, list(METHODS)) or ", ".join(METHODS)
        raise InputError(f"没有微调方法 {name!r}", f"是不是想用 --method {hint}？可用：{', '.join(METHODS)}")
    return METHODS[name]


def load_recipe(path: Path) -> Recipe:
    """Read a YAML recipe; what it leaves out keeps its default.

    Raises:
        InputError: not readable, not YAML, unknown section or key, or a value of the wrong type.
    """
    try:
        raw = yaml.safe_load(read_text(path, "配方"))
    except yaml.YAMLError as error:
        raise InputError(
            f"配方 {str(path)!r} 不是合法的 YAML：{str(error).splitlines()[0]}", "对照 docs/train.md 里的例子"
        ) from error
    if not isinstance(raw, dict):
        raise InputError(f"配方 {str(path)!r} 的最外层应是若干节：{', '.join(SECTIONS)}", "对照 docs/train.md 里的例子")
    sections = {}
    for name, values in raw.items():
        if name not in SECTIONS:
            raise InputError(
                f"配方 {str(path)!r} 里没有 {name!r} 这一节", f"是不是 {nearest(str(name), list(SECTIONS))!r}？"
            )
        cls = SECTIONS[name]
        if name == "method" and isinstance(values, str):
            values = {"name": values}
        if not isinstance(values or {}, dict):
            raise InputError(
                f"配方 {str(path)!r} 的 {name} 应是若干“键: 值”，这里是 {values!r}", "对照 docs/train.md 里的例子"
            )
        values = dict(values or {})
        if name == "method":
            cls = method_class(str(values.pop("name", "lora")))
        sections[name] = _section(cls, values, f"配方 {str(path)!r} 的 {name}")
    return Recipe(**sections)


def _section(cls: type, values: dict[str, Any], where: str) -> Any:
    known = {f.name: f for f in dataclasses.fields(cls)}
    hints = get_type_hints(cls)
    converted = {}
    for key, value in values.items():
        if key not in known:
            raise InputError(
                f"{where} 里没有 {key!r} 这一项", f"是不是 {nearest(str(key), list(known)) or list(known)}？"
            )
        converted[key] = _convert(value, known[key], where)
        allowed = get_args(hints[key]) if get_origin(hints[key]) is Literal else ()
        if allowed and converted[key] not in allowed:
            raise InputError(
                f"{where}.{key} = {value!r}，只能是 {'、'.join(map(str, allowed))}",
                f"是不是 {nearest(str(value), list(allowed))}？",
            )
    return cls(**converted)


def _convert(value: Any, declared: dataclasses.Field[Any], where: str) -> Any:
    default = declared.default
    if isinstance(default, bool):
        fits = isinstance(value, bool)
    elif isinstance(default, tuple):
        value = tuple(value) if isinstance(value, list) else (value,)
        fits = all(isinstance(item, str) for item in value)
    elif isinstance(default, float) or declared.name == "num_epochs":
        value = float(value) if isinstance(value, (int, float)) or _is_number(value) else value
        fits = isinstance(value, float)
    elif isinstance(default, int):
        fits = isinstance(value, int) and not isinstance(value, bool)
    else:
        fits = isinstance(value, str)
    if not fits:
        raise InputError(f"{where}.{declared.name} = {value!r}，应是 {declared.type}", f"默认值是 {default!r}")
    return value


def _is_number(value: Any) -> bool:
    """YAML 1.1 reads 2e-3 as a string."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def dump(recipe: Recipe) -> str:
    """The recipe as YAML with every field's explanation as a comment; load_recipe reads it back."""
    lines = []
    for name in SECTIONS:
        section = getattr(recipe, name)
        docs = field_docs(type(section))
        lines.append(f"{name}:  # {(type(section).__doc__ or '').strip()}")
        if name == "method":
            lines.append(f"  name: {METHOD_NAMES[type(section)]}")
        for declared in dataclasses.fields(section):
            value = getattr(section, declared.name)
            value = list(value) if isinstance(value, tuple) else value
            shown = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=10**6).splitlines()[0]
            lines.append(f"  {declared.name}: {shown}  # {docs.get(declared.name, '')}")
    return "\n".join(lines) + "\n"


def sources(final: Recipe, from_file: Recipe) -> list[tuple[str, str, str]]:
    """(name, value, where it came from) of every setting, for the print at the start of a run."""
    defaults = Recipe(method=type(final.method)())
    rows = []
    for name in SECTIONS:
        for declared in dataclasses.fields(getattr(final, name)):
            value, filed, default = (
                getattr(getattr(recipe, name), declared.name, None) for recipe in (final, from_file, defaults)
            )
            source = "默认" if value == default else "配方" if value == filed else "命令行"
            rows.append((f"{name}.{declared.name}", str(value), source))
    return rows
