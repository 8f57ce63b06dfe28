"""The tuning methods: a config class each, and the facts that everything else asks for by name.

A new method is a class, its name in the union `Method` and a line in FACTS here, a function in training/methods.py that puts it on a model, and a line in
planning/memory.py. One that is registered half fails tests/training/test_registry.py.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from .errors import InputError


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


@dataclass(frozen=True, kw_only=True)
class RsLoraConfig(LoraConfig):
    """rsLoRA：缩放改为 alpha / √r，秩大时更稳（arXiv 2312.03732）。"""


@dataclass(frozen=True, kw_only=True)
class DoraConfig(LoraConfig):
    """DoRA：方向和大小分开学（arXiv 2402.09353）；比 LoRA 慢一些。"""


@dataclass(frozen=True, kw_only=True)
class LoraPlusConfig(LoraConfig):
    """LoRA+：B 的学习率比 A 大（arXiv 2402.12354）。"""

    lora_plus_ratio: float = 4.0
    """B 的学习率是 A 的几倍。"""


@dataclass(frozen=True, kw_only=True)
class PissaConfig(LoraConfig):
    """PiSSA：从权重的主成分起步（arXiv 2404.02948）；存下的适配器照普通 LoRA 使用。"""

    pissa_iterations: int = 4
    """求主成分的迭代次数。"""


@dataclass(frozen=True, kw_only=True)
class AdaLoraConfig(LoraConfig):
    """AdaLoRA：训练中把秩分给要紧的层（arXiv 2303.10512）；lora_r 是最后的平均秩。"""

    adalora_start_r: int = 24
    """开始时每层的秩。"""


@dataclass(frozen=True, kw_only=True)
class QloraConfig(LoraConfig):
    """QLoRA：底座压成 4 位或 8 位，上面学 LoRA（arXiv 2305.14314）；需要 bitsandbytes。"""

    quantization: Literal["nf4", "int8"] = "nf4"
    """底座线性层的位数：nf4 每个权重半个字节，int8 一个字节。"""


@dataclass(frozen=True, kw_only=True)
class Ia3Config:
    """IA³：只学各层激活的缩放，参数极少（arXiv 2205.05638）。"""

    ia3_targets: tuple[str, ...] = ("k_proj", "v_proj", "down_proj")
    """缩放哪些层；down_proj 一类前馈层缩放输入，其余缩放输出。"""


@dataclass(frozen=True, kw_only=True)
class PromptConfig:
    """Prompt tuning：在开头学几个虚拟词（arXiv 2104.08691）。"""

    virtual_tokens: int = 20
    """虚拟词的个数。"""


@dataclass(frozen=True, kw_only=True)
class PrefixConfig:
    """Prefix tuning（P-tuning v2）：每一层都在开头学几个虚拟词的键和值（arXiv 2101.00190、2110.07602）。"""

    virtual_tokens: int = 20
    """虚拟词的个数。"""


@dataclass(frozen=True, kw_only=True)
class FreezeConfig:
    """Freeze：只练最后几层，其余冻住。"""

    last_layers: int = 2
    """练最后几层。"""


@dataclass(frozen=True, kw_only=True)
class BitfitConfig:
    """BitFit：只练偏置（arXiv 2106.10199）；没有偏置的底座（Gemma、Llama）要连归一化一起练。"""

    with_norms: bool = False
    """归一化层的缩放也练。"""


@dataclass(frozen=True, kw_only=True)
class FullConfig:
    """全参数：所有权重都练。"""


Method = (
    LoraConfig
    | RsLoraConfig
    | DoraConfig
    | LoraPlusConfig
    | PissaConfig
    | AdaLoraConfig
    | QloraConfig
    | Ia3Config
    | PromptConfig
    | PrefixConfig
    | FreezeConfig
    | BitfitConfig
    | FullConfig
)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true of a method on every base."""

    config: type[Method]
    rate: float = 2e-3
    """Peak learning rate that suits it."""
    changes: Literal["adapter", "weights", "tokens"] = "adapter"
    """What is learnt: an adapter, the base's own weights, virtual tokens in front of every sample."""
    can_be_sharded: bool = True
    """Can several processes share its weights out? Not where something it learnt with is neither trained nor the base's own."""
    fused: bool = False
    """Do its layers compute in one piece (training/fastlora.py)? Then less is kept for the backward pass."""


FACTS: dict[str, Facts] = {
    "lora": Facts(config=LoraConfig, fused=True),
    "rslora": Facts(config=RsLoraConfig, fused=True),
    "dora": Facts(config=DoraConfig),
    "lora+": Facts(config=LoraPlusConfig, fused=True),
    "pissa": Facts(config=PissaConfig, fused=True, can_be_sharded=False),
    "adalora": Facts(config=AdaLoraConfig, can_be_sharded=False),
    "qlora": Facts(config=QloraConfig, fused=True, can_be_sharded=False),
    "ia3": Facts(config=Ia3Config, rate=1e-2, can_be_sharded=False),
    "prompt": Facts(config=PromptConfig, rate=3e-2, changes="tokens", can_be_sharded=False),
    "prefix": Facts(config=PrefixConfig, rate=1e-2, changes="tokens", can_be_sharded=False),
    "freeze": Facts(config=FreezeConfig, rate=3e-4, changes="weights"),
    "bitfit": Facts(config=BitfitConfig, rate=3e-3, changes="weights"),
    "full": Facts(config=FullConfig, rate=1e-4, changes="weights"),
}
"""Tuning methods by name."""
METHODS: dict[str, type[Method]] = {name: facts.config for name, facts in FACTS.items()}
METHOD_NAMES: dict[type, str] = {cls: name for name, cls in METHODS.items()}


def facts_of(method: Method) -> Facts:
    return FACTS[METHOD_NAMES[type(method)]]


def method_class(name: str) -> type[Method]:
    """Config class of a tuning method.

    Raises:
        InputError: no such method; the nearest one is named.
    """
    if name not in METHODS:
        hint = nearest(name, list(METHODS)) or ", ".join(METHODS)
        raise InputError(
            f"没有微调方法 {name!r}", f"是不是想用 --method {hint}？可用：{', '.join(METHODS)}"
        )
    return METHODS[name]


def nearest(word: str, known: list[str]) -> str:
    """The known word most like a mistyped one, or ''."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    return found[0] if found else ""
