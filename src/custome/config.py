"""The recipe of a training run: its sections, and what is wrong with one. Knows no weights, no rows and no files.

Order of precedence: defaults < recipe file (recipe_file.py) < flags.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .errors import RecipeError
from .model_catalog import chat_templates
from .tuning_methods import (
    FACTS,
    METHOD_NAMES,
    AdaLoraConfig,
    LoraConfig,
    LoraPlusConfig,
    Method,
    PissaConfig,
    QloraConfig,
    facts_of,
    method_class,
)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """数据：从哪里学。"""

    corpus: str = ""
    """语料目录（custome corpus build 做的），人物、台词、世界书从它取；留空是 train_path 所在的目录。"""
    train_path: str = ""
    """训练数据，JSON Lines 或 JSON：context/chat、多轮对话、alpaca、sharegpt、openai messages，按内容认。"""
    text_paths: tuple[str, ...] = ()
    """小说原文（txt、epub……）：先在原文上继续预训练 pretrain_steps 步，再学对话；不给 train_path 就只学原文。"""
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
    main_characters: int = 0
    """只学有主要人物在场的段落：说话最多的这么多人；0 都学。"""
    self_replay: float = 0.0
    """每步另掺多少日常中文，按样本数的比例；文字由底座自己写（每个底座写一次），学了新的不忘旧的。0 不掺。"""
    persona_prefix: float = 0.0
    """多大一部分样本（0–1），前面写上说话人是谁、平时怎么说话，和聊天时模型读到的一样；要用 custome corpus build 做的语料。"""
    conversations: int = 0
    """对话类底座：不照原文一段段学，改学这么多段问答：书里的人怎样回答书里的问题，和自带的今天的问题；学的是答话，不是接着讲故事。0 不用。"""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """底座：在什么模型上学。"""

    base_model: str = "embedded"
    """不用模型库就有的（custome models 列出：gemma3-270m 也叫 embedded、qwen2.5-coder-0.5b、qwen2.5-coder-1.5b）、本地目录、.gguf 文件、hf:组织/模型 或 ms:组织/模型。"""
    chat_format: str = "auto"
    """novel：小说体“某某曰”；template：底座自带的对话模板；auto：有模板就用模板，没带模板的看表里怎么写（custome plan），都没有就用小说体；也可以写名字：chatml gemma llama3 glm4 internlm deepseek 等（见 docs/models.md）。"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """在哪里算。"""
    compute_type: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """训练时的数值类型：auto 挑快的（显卡 bf16 或 fp16；CPU 量一秒，bf16 快就用它，如带 AVX512-BF16、AMX 的）；适配器总是 fp32。"""
    vocabulary: Literal["auto", "full"] = "auto"
    """训练时用多大的词表：auto 只留语料用到的词和全部单字、标点、字节（快一倍、省内存，适配器照样装在完整底座上）；full 不裁。"""
    trust_remote_code: str = ""
    """底座要靠它自带的 Python 代码才能载入时，照 base_model 把名字再写一遍才会运行它；先看看那些 .py 文件。"""
    load_8bit: bool = False
    """底座以 8 位整数载入（需要 bitsandbytes）。"""
    gradient_checkpointing: bool = False
    """反向时重算激活：内存少，多算一遍前向；内存够就不用开。"""
    sharding: Literal["none", "fsdp", "fsdp_offload"] = "none"
    """多进程时：none 每个进程一份完整权重（DDP）；fsdp 权重、梯度、优化器状态分摊到各进程；fsdp_offload 分摊后放在内存里，用时才上卡。"""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """训练：怎么学。"""

    output_dir: str = "runs/run"
    """运行目录：适配器、配方、曲线、检查点都在这里。"""
    steps: int = 0
    """训练步数；0 表示按 num_epochs 计算。"""
    pretrain_steps: int = 0
    """先在 text_paths 的原文上练几步（另算，不占 steps）；只给原文时不用管它。"""
    num_epochs: float = 3
    """轮数（steps 为 0 时有效）。"""
    batch_size: int = 32
    """每步的样本数。"""
    micro_batch_size: int = 8
    """一次前向的样本数（拼接时：一行最多这么多条最长样本的 token 数）；只影响内存和速度，不影响结果。"""
    packing: Literal["auto", "off"] = "auto"
    """auto：几条样本首尾相接拼成一行，互不可见，不用补齐；off：一行一条，补齐到一样长。结果相同。"""
    optimizer: Literal["adamw", "adamw8bit", "adafactor", "muon"] = "adamw"
    """优化器；adamw8bit（需要 bitsandbytes）、adafactor、muon 的状态更小，全参数训练时省内存。"""
    learning_rate: float = 0.0
    """峰值学习率；0 表示按方法选：LoRA 一类 2e-3，全参数 1e-4……"""
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
    persona_questions: int = 0
    """每次验证另问主要人物（最多十二个）这么多个问题，记下认得出是谁、与别人雷同、多长；要用 custome corpus build 做的语料。0 不问。"""


LOWEST: dict[str, dict[str, int]] = {
    "data": {
        "cutoff_len": 8,
        "val_set_size": 0,
        "conversations": 0,
        "main_characters": 0,
        "self_replay": 0,
        "persona_prefix": 0,
    },
    "method": {
        "lora_r": 1,
        "lora_alpha": 1,
        "pissa_iterations": 1,
        "adalora_start_r": 1,
        "virtual_tokens": 1,
        "last_layers": 1,
    },
    "train": {
        "steps": 0,
        "pretrain_steps": 0,
        "batch_size": 1,
        "micro_batch_size": 1,
        "warmup_steps": 0,
        "seed": 0,
        "weight_decay": 0,
        "learning_rate": 0,
    },
    "checks": {
        "eval_steps": 0,
        "eval_samples": 0,
        "save_steps": 1,
        "keep_checkpoints": 1,
        "patience": 0,
        "persona_questions": 0,
    },
}
"""The smallest value of every number that has one."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything a training run depends on."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    method: Method = field(default_factory=LoraConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    checks: CheckConfig = field(default_factory=CheckConfig)

    @property
    def corpus_folder(self) -> Path:
        """Where the people of the training data are."""
        return Path(self.data.corpus or Path(self.data.train_path).parent)

    def problems(self) -> list[str]:
        """Everything wrong with the settings, found without reading any weight."""
        wrong, formats = [], ("auto", "novel", "template", *chat_templates())
        if self.model.chat_format not in formats:
            known = "、".join(formats)
            wrong.append(f"chat_format={self.model.chat_format!r} 不认识；可用：{known}")
        if not self.data.train_path and not self.data.text_paths:
            wrong.append("没有给 train_path（训练数据），也没有给 text_paths（原文）")
        return [
            *wrong,
            *self._out_of_range(),
            *self._training_problems(),
            *self._data_problems(),
            *self._method_problems(),
        ]

    def _out_of_range(self) -> list[str]:
        """Numbers too small."""
        wrong = []
        for section, lowest in LOWEST.items():
            for name, low in lowest.items():
                value = getattr(getattr(self, section), name, low)
                if not value >= low:
                    wrong.append(f"{name}={value} 应不小于 {low}")
        above_zero = [
            ("max_grad_norm", self.train.max_grad_norm),
            ("lora_plus_ratio", getattr(self.method, "lora_plus_ratio", 1)),
        ]
        return wrong + [f"{name}={value} 应大于 0" for name, value in above_zero if not value > 0]

    def _training_problems(self) -> list[str]:
        train, data, wrong = self.train, self.data, []
        if train.steps == 0 and not train.num_epochs > 0:
            wrong.append(f"steps=0 时 num_epochs={train.num_epochs} 应大于 0")
        if train.steps == 0 and train.num_epochs == float("inf"):
            wrong.append("num_epochs 不能是无穷")
        if train.micro_batch_size > train.batch_size >= 1:
            wrong.append(
                f"micro_batch_size={train.micro_batch_size} 大于 batch_size={train.batch_size}"
            )
        if train.pretrain_steps and not data.text_paths:
            wrong.append(f"pretrain_steps={train.pretrain_steps} 要有原文：text_paths 还空着")
        if data.train_path and data.text_paths and not train.pretrain_steps:
            wrong.append(
                "既有 train_path 又有 text_paths，要说明先在原文上练几步：pretrain_steps 还是 0"
            )
        if self.model.sharding != "none" and train.optimizer != "adamw":
            wrong.append(
                f"optimizer={train.optimizer} 要看到完整的矩阵，不能和 sharding={self.model.sharding} 同用；用 adamw"
            )
        return wrong

    def _data_problems(self) -> list[str]:
        data, wrong = self.data, []
        if data.valid_path and not data.train_path:
            wrong.append("只学原文时用不上 valid_path：会从原文里划出 val_set_size 段作验证")
        if data.persona_prefix > 1:
            wrong.append(
                f"persona_prefix={data.persona_prefix} 是样本的多大一部分，应在 0 到 1 之间"
            )
        wants_people = (
            ("persona_prefix", data.persona_prefix),
            ("conversations", data.conversations),
            ("persona_questions", self.checks.persona_questions),
        )
        wrong += [
            f"{name}={value} 要知道语料里的人物，要有 train_path"
            for name, value in wants_people
            if value and not data.train_path
        ]
        if data.persona_prefix and data.conversations:
            wrong.append("persona_prefix 和 conversations 只能用一个")
        if data.self_replay and not data.train_path:
            wrong.append(f"self_replay={data.self_replay} 是和对话一起学的，要有 train_path")
        return wrong

    def _method_problems(self) -> list[str]:
        wrong, name = [], METHOD_NAMES[type(self.method)]
        dropout = getattr(self.method, "lora_dropout", 0.0)
        if not 0 <= dropout < 1:
            wrong.append(f"lora_dropout={dropout} 应在 [0, 1) 内")
        if self.model.load_8bit and facts_of(self.method).changes == "weights":
            wrong.append(
                f"load_8bit 的底座只有整数，不能用 {name} 改它的权重；用 lora、qlora，或去掉 load_8bit"
            )
        if self.model.load_8bit and isinstance(self.method, QloraConfig | PissaConfig):
            wrong.append(
                f"{name} 不能和 load_8bit 同用；8 位底座用 --method qlora --quantization int8"
            )
        if self.model.sharding != "none" and (
            self.model.load_8bit or not facts_of(self.method).can_be_sharded
        ):
            can = "、".join(name for name, facts in FACTS.items() if facts.can_be_sharded)
            wrong.append(
                f"{name}{' 加 load_8bit' * self.model.load_8bit} 不能分摊（sharding={self.model.sharding}）；能分摊的：{can}"
            )
        if isinstance(self.method, PissaConfig) and self.train.weight_decay:
            wrong.append(
                f"pissa 有一半要保持不动，weight_decay={self.train.weight_decay} 会磨掉它；用 0"
            )
        if isinstance(self.method, LoraPlusConfig) and self.train.optimizer == "muon":
            wrong.append("lora+ 要分两种学习率，muon 做不到；用 adamw")
        if facts_of(self.method).changes == "tokens" and self.model.gradient_checkpointing:
            wrong.append(f"{name} 不能和 gradient_checkpointing 同用；减小 micro_batch_size")
        if (
            isinstance(self.method, AdaLoraConfig)
            and self.method.adalora_start_r <= self.method.lora_r
        ):
            wrong.append(
                f"adalora_start_r={self.method.adalora_start_r} 应大于 lora_r={self.method.lora_r}"
            )
        return wrong

    def resolved(self) -> Recipe:
        """With a learning rate that suits the method where none was given."""
        if self.train.learning_rate:
            return self
        rate = facts_of(self.method).rate
        if self.train.optimizer == "adafactor":  # its steps are relative to the size of the weights
            rate *= 50
        return dataclasses.replace(self, train=dataclasses.replace(self.train, learning_rate=rate))

    def check(self) -> None:
        """Raise RecipeError with all problems at once."""
        wrong = self.problems()
        if wrong:
            raise RecipeError(
                f"配方有 {len(wrong)} 处不对：" + "；".join(wrong),
                "改正后重跑；各项含义：custome train --help",
            )


SECTIONS: dict[str, type] = {
    "data": DataConfig,
    "model": ModelConfig,
    "method": LoraConfig,
    "train": TrainConfig,
    "checks": CheckConfig,
}


def with_method(recipe: Recipe, name: str | None) -> Recipe:
    """The recipe with another tuning method at its defaults; as it is without a name or when it has that method.

    Raises:
        InputError: no such method.
    """
    if name is None or type(recipe.method) is method_class(name):
        return recipe
    return dataclasses.replace(recipe, method=method_class(name)())


def sources(final: Recipe, from_file: Recipe) -> list[tuple[str, str, str]]:
    """(name, value, where it came from) of every setting, for the print at the start of a run."""
    defaults = Recipe(method=type(final.method)())
    rows = []
    for name in SECTIONS:
        for declared in dataclasses.fields(getattr(final, name)):
            value, filed, default = (
                getattr(getattr(recipe, name), declared.name, None)
                for recipe in (final, from_file, defaults)
            )
            source = "默认" if value == default else "配方" if value == filed else "命令行"
            rows.append((f"{name}.{declared.name}", str(value), source))
    return rows
