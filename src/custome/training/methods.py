"""Tuning methods: a method's config → what is trainable on a frozen base, and what the loop must do for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from peft import AdaLoraConfig as PeftAdaLora
from peft import IA3Config, PrefixTuningConfig, PromptTuningConfig, PromptTuningInit, get_peft_model
from peft import LoraConfig as PeftLora
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from ..errors import TrainingError
from ..models.adapters import check_targets
from ..models.partial_weights import PartialWeights
from ..tuning_methods import (
    AdaLoraConfig,
    BitfitConfig,
    DoraConfig,
    FreezeConfig,
    FullConfig,
    Ia3Config,
    LoraConfig,
    LoraPlusConfig,
    Method,
    PissaConfig,
    PrefixConfig,
    PromptConfig,
    QloraConfig,
    RsLoraConfig,
)

VocabIds = tuple[int, ...] | None
"""Tokens of a trimmed vocabulary."""
BEHIND = ("down_proj", "dense_4h_to_h", "fc2", "w2", "o_proj")
"""Layers whose input IA³ scales; of others it scales the output."""


@dataclass(frozen=True, kw_only=True)
class Attached:
    """A model ready to learn."""

    model: Any
    after_step: Callable[[int], None] = lambda step: None
    """Called with the number of the step (from 1) after the optimizer."""
    penalty: Callable[[], Tensor] | None = None
    """Added to the mean loss of a step."""
    rate_of: Callable[[str], float] = lambda name: 1.0
    """Factor on the learning rate of a parameter."""
    state: Callable[[], dict[str, Any]] = dict
    """What the method has to remember in a checkpoint."""
    load_state: Callable[[dict[str, Any]], None] = lambda state: None
    notes: tuple[str, ...] = ()


def check_method(skeleton: nn.Module, method: Method) -> None:
    """Raise TrainingError when a base of this shape has nothing for the method; `skeleton` may be without weights."""
    if isinstance(method, LoraConfig):
        check_targets(skeleton, method.lora_targets, "--lora-targets")
    if isinstance(method, Ia3Config):
        check_targets(skeleton, method.ia3_targets, "--ia3-targets")
    if (
        isinstance(method, PromptConfig | PrefixConfig)
        and getattr(skeleton.config, "model_type", "") == "chatglm"
    ):
        raise TrainingError(
            "ChatGLM-6B 的位置由上文里的 [gMASK]、<sop> 定，虚拟词还接不上", "换 --method lora"
        )
    layers = decoder_layers(skeleton)
    if isinstance(method, FreezeConfig) and method.last_layers > len(layers):
        raise TrainingError(
            f"last_layers={method.last_layers}，可底座只有 {len(layers)} 层",
            f"--last-layers {max(1, len(layers) // 8)}",
        )
    if isinstance(method, BitfitConfig) and not _names(skeleton, method):
        raise TrainingError(
            "底座没有偏置（bias），BitFit 没有可练的",
            "连归一化一起练：--with-norms；或换方法：--method lora",
        )


def attach(
    model: Any, method: Method, *, steps: int, vocab_ids: tuple[int, ...] | None = None
) -> Attached:
    """Make a frozen base trainable the way `method` says.

    Args:
        steps: length of the run; AdaLoRA plans its ranks by it.
        vocab_ids: tokens of a trimmed vocabulary, which trained embeddings have to know.
    """
    return ATTACH[type(method)](model, method, steps, vocab_ids)


def _plain_lora(model: Any, method: LoraConfig, steps: int, vocab_ids: VocabIds) -> Attached:
    return Attached(model=get_peft_model(model, _lora(method)))


def _lora_plus(model: Any, method: LoraPlusConfig, steps: int, vocab_ids: VocabIds) -> Attached:
    return Attached(
        model=get_peft_model(model, _lora(method)),
        rate_of=lambda name: method.lora_plus_ratio if ".lora_B." in name else 1.0,
    )


def _ia3(model: Any, method: Ia3Config, steps: int, vocab_ids: VocabIds) -> Attached:
    settings = IA3Config(
        target_modules=list(method.ia3_targets),
        feedforward_modules=[name for name in method.ia3_targets if name in BEHIND],
        task_type="CAUSAL_LM",
    )
    return Attached(model=get_peft_model(model, settings))


def _prompt(model: Any, method: PromptConfig, steps: int, vocab_ids: VocabIds) -> Attached:
    settings = PromptTuningConfig(
        num_virtual_tokens=method.virtual_tokens,
        prompt_tuning_init=PromptTuningInit.RANDOM,
        task_type="CAUSAL_LM",
    )
    return Attached(model=get_peft_model(model, settings))


def _in_place(model: Any, method: Method, steps: int, vocab_ids: VocabIds) -> Attached:
    """The base's own weights, those that the method names."""
    names = _names(model, method)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)
        if name in names:  # small steps would be lost in fewer bits
            parameter.data = parameter.data.float()
    return Attached(
        model=PartialWeights(model, names, vocab_ids if _embeddings_in(model, names) else None)
    )


def _lora(method: LoraConfig, **others: Any) -> PeftLora:
    targets: Any = (
        method.lora_targets[0]
        if method.lora_targets == ("all-linear",)
        else list(method.lora_targets)
    )
    settings = {"r": method.lora_r, "lora_alpha": method.lora_alpha, **others}
    return PeftLora(
        lora_dropout=method.lora_dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
        use_rslora=isinstance(method, RsLoraConfig),
        use_dora=isinstance(method, DoraConfig),
        **settings,
    )


def _pissa(model: Any, method: PissaConfig, steps: int, vocab_ids: VocabIds) -> Attached:
    """W x + s (B A - B₀ A₀) x with B₀ A₀ the principal part of W: a plain LoRA of twice the rank, half of it fixed.

    That way the base stays as it is, and the saved adapter fits every base like any other LoRA.
    """
    r = method.lora_r
    tuned = get_peft_model(model, _lora(method, r=2 * r, lora_alpha=2 * method.lora_alpha))
    for layer in [m for m in tuned.modules() if isinstance(m, LoraLayer)]:
        a, b, scale = (
            layer.lora_A["default"].weight,
            layer.lora_B["default"].weight,
            layer.scaling["default"],
        )
        weight = layer.get_base_layer().weight.detach().float()
        u, s, v = torch.svd_lowrank(weight, q=min(r, *weight.shape), niter=method.pissa_iterations)
        root = (s / scale).sqrt()
        with torch.no_grad():
            a.zero_(), b.zero_()
            n = len(root)
            a[:n] = a[r : r + n] = root[:, None] * v.t()
            b[:, :n] = u * root
            b[:, r : r + n] = -u * root
        a.register_hook(lambda g, r=r: torch.cat([g[:r], torch.zeros_like(g[r:])]))
        b.register_hook(lambda g, r=r: torch.cat([g[:, :r], torch.zeros_like(g[:, r:])], dim=1))
    return Attached(
        model=tuned, notes=(f"PiSSA：存下的适配器是秩 {2 * r} 的普通 LoRA，其中一半固定",)
    )


def _adalora(model: Any, method: AdaLoraConfig, steps: int, vocab_ids: VocabIds) -> Attached:
    targets: Any = (
        method.lora_targets[0]
        if method.lora_targets == ("all-linear",)
        else list(method.lora_targets)
    )
    settings = PeftAdaLora(
        init_r=method.adalora_start_r,
        target_r=method.lora_r,
        lora_alpha=method.lora_alpha,
        lora_dropout=method.lora_dropout,
        target_modules=targets,
        total_step=max(steps, 4),
        tinit=steps // 5,
        tfinal=max(1, steps // 3),
        deltaT=max(1, steps // 50),
        task_type="CAUSAL_LM",
    )
    tuned = get_peft_model(model, settings)
    pairs = [p for name, p in tuned.named_parameters() if ".lora_A." in name or ".lora_B." in name]

    def penalty() -> Tensor:
        """Both factors should stay orthogonal (the paper's regularizer)."""
        parts = []
        for p in pairs:
            small = p @ p.t() if p.shape[0] <= p.shape[1] else p.t() @ p  # (r, r)
            parts.append((small - torch.eye(len(small), device=p.device)).norm())
        return settings.orth_reg_weight * torch.stack(parts).mean()

    allocator, active = tuned.base_model.rankallocator, tuned.peft_config["default"]
    scores = ("ipt", "exp_avg_ipt", "exp_avg_unc")

    def state() -> dict[str, Any]:
        return {
            **{name: getattr(allocator, name) for name in scores},
            "rank_pattern": active.rank_pattern,
        }

    def load_state(saved: dict[str, Any]) -> None:
        active.rank_pattern = saved["rank_pattern"]
        for name in scores:
            setattr(
                allocator, name, {key: value.to(model.device) for key, value in saved[name].items()}
            )

    return Attached(
        model=tuned,
        after_step=tuned.base_model.update_and_allocate,
        penalty=penalty,
        state=state,
        load_state=load_state,
    )


def _prefix(model: Any, method: PrefixConfig, steps: int, vocab_ids: VocabIds) -> Attached:
    shape = model.config.get_text_config()
    heads = shape.num_key_value_heads
    head_dim = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
    settings = PrefixTuningConfig(
        num_virtual_tokens=method.virtual_tokens,
        token_dim=heads * head_dim,
        num_attention_heads=heads,
        num_layers=shape.num_hidden_layers,
        task_type="CAUSAL_LM",
    )
    return Attached(model=get_peft_model(model, settings))


ATTACH: dict[type[Method], Callable[[Any, Any, int, VocabIds], Attached]] = {
    LoraConfig: _plain_lora,
    RsLoraConfig: _plain_lora,
    DoraConfig: _plain_lora,
    QloraConfig: _plain_lora,
    LoraPlusConfig: _lora_plus,
    PissaConfig: _pissa,
    AdaLoraConfig: _adalora,
    Ia3Config: _ia3,
    PromptConfig: _prompt,
    PrefixConfig: _prefix,
    FreezeConfig: _in_place,
    BitfitConfig: _in_place,
    FullConfig: _in_place,
}
"""One entry a method."""


def decoder_layers(model: Any) -> list[nn.Module]:
    """The decoder layers: the longest list of modules of a model."""
    lists = [list(m) for m in model.modules() if isinstance(m, nn.ModuleList)]
    return max(lists, key=len, default=[])


def _names(model: Any, method: Method) -> tuple[str, ...]:
    """Parameters of the base an in-place method trains."""
    if isinstance(method, FreezeConfig):
        chosen = {
            id(p)
            for layer in decoder_layers(model)[-method.last_layers :]
            for p in layer.parameters()
        }
        return tuple(name for name, p in model.named_parameters() if id(p) in chosen)
    if isinstance(method, BitfitConfig):
        norms = {
            id(p)
            for n, m in model.named_modules()
            if "norm" in type(m).__name__.lower()
            for p in m.parameters(recurse=False)
        }
        return tuple(
            name
            for name, p in model.named_parameters()
            if name.endswith(".bias") or (method.with_norms and id(p) in norms)
        )
    return tuple(name for name, _ in model.named_parameters())


def _embeddings_in(model: Any, names: tuple[str, ...]) -> bool:
    own = {id(p) for name, p in model.named_parameters() if name in names}
    return id(model.get_input_embeddings().weight) in own


def count(model: nn.Module) -> tuple[int, int]:
    """(trainable, all) parameters; a 4-bit weight counts as what it stands for."""
    sizes = [
        (p.numel() * (2 if type(p).__name__ == "Params4bit" else 1), p.requires_grad)
        for p in model.parameters()
    ]
    return sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)
