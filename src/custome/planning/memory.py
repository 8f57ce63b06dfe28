"""Peak memory of a training run, by part, and the operations a token costs.

Per layer, with D hidden, F intermediate, H·E and G·E the widths of queries and of keys: weights are 2 D·H·E + 2 D·G·E for
attention and 3 D·F for a gated MLP. What the backward pass needs of a token is listed in `_kept_values`. The figures that
cannot be derived (program, allocator) were measured; docs/log.md says how.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..config import Recipe
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
    facts_of,
)
from ..types import ModelShape

GB = 1e9
PROGRAM_BYTES = {"cpu": 0.60 * GB, "cuda": 0.70 * GB}
"""Python, libraries, tokenizer and data in memory; on a card the CUDA context and library workspaces."""
ALLOCATOR = {"cpu": 0.75, "cuda": 0.10}
"""What the allocator wastes, as a share of what comes and goes. glibc's heap leaves holes between blocks of many sizes."""
TRIMMED_VOCABULARY = 26_000
"""Tokens a Chinese book leaves of a large vocabulary, all Chinese words among them (三国 leaves 26,395 of Qwen2.5's)."""
BF16_SHARES = {0: 0.35, 800: 0.55, 1200: 0.7}
"""Hidden values from which bf16 products reach such a share of the rate: small ones cost as much around them as in them."""
WEIGHT_BYTES = {"int8": 1.0, "nf4": 0.53}
"""Bytes of a quantized weight in a linear layer; nf4 with its doubly quantized scales."""
MIXED_BYTES = 3.0
"""Of an activation that is fp32 part of the time: around trained weights, and behind DoRA's magnitudes."""
DORA_BYTES = {"cpu": MIXED_BYTES, "cuda": 2.15}
OPTIMIZER_BYTES = {"adamw": 8.0, "adamw8bit": 2.1, "adafactor": 0.1, "muon": 4.2}
"""State of a trained parameter."""
CHUNK_LOGITS = 2**25


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """Peak memory in bytes, by part."""

    program: float
    weights: float
    adapter: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    allocator: float
    loading: float
    """What loading takes before training begins, where that may be more: a base is quantized from weights read whole into
    memory; on a card they pass through the machine's memory, not the card's."""
    trainable: int
    """Trained parameters."""
    flop_per_token: float
    """Operations of the products a training step needs, for one token."""

    @property
    def total(self) -> float:
        parts = (
            self.program,
            self.weights,
            self.adapter,
            self.gradients,
            self.optimizer,
            self.activations,
            self.logits,
        )
        return max(sum(parts) + self.allocator, self.loading)


def make_plan(recipe: Recipe, shape: ModelShape, device: Literal["cpu", "cuda"]) -> MemoryPlan:
    """What a run with this recipe takes at its peak."""
    method, train = recipe.method, recipe.train
    value = value_bytes(recipe, device)
    vocab = (
        min(shape.vocab, TRIMMED_VOCABULARY) if recipe.model.vocabulary == "auto" else shape.vocab
    )
    embeddings = vocab * shape.hidden * (1 if shape.tied else 2)
    linear = shape.layers * _layer_weights(shape)
    quantization = "int8" if recipe.model.load_8bit else getattr(method, "quantization", "none")
    weights = linear * (WEIGHT_BYTES.get(quantization) or value) + embeddings * value
    masters = (
        4.0 if value < 4 else 0.0
    )  # trained weights are fp32 beside the copies that are computed with
    in_place = facts_of(method).changes == "weights"
    kept_value = value
    if value < 4 and (in_place or isinstance(method, DoraConfig)):
        kept_value = MIXED_BYTES if in_place else DORA_BYTES[device]
    trainable = TRAINED[type(method)](method, shape, vocab)
    adapter = 0.0 if in_place else trainable
    tokens = train.micro_batch_size * recipe.data.cutoff_len
    kept = _kept_values(recipe, shape)
    if recipe.model.gradient_checkpointing:
        activations = tokens * kept_value * (shape.layers * shape.hidden + kept)
    else:
        activations = tokens * kept_value * kept * _layers_behind(recipe, shape)
    logit_rows = min(tokens, max(1, CHUNK_LOGITS // vocab))
    logits = logit_rows * vocab * 4.0 * 2
    if quantization != "none":  # one dequantized matrix at a time, forwards and backwards
        activations += (
            2 * shape.hidden * max(shape.intermediate, shape.heads * shape.head_dim) * value
        )
    optimizer = trainable * OPTIMIZER_BYTES[train.optimizer]
    return MemoryPlan(
        program=PROGRAM_BYTES[device],
        weights=weights + (masters * trainable if in_place else 0.0),
        adapter=adapter * 4.0,
        gradients=trainable * 4.0,
        optimizer=optimizer,
        activations=activations,
        logits=logits,
        allocator=ALLOCATOR[device] * (activations + logits),
        loading=PROGRAM_BYTES[device] + weights + (linear + embeddings) * value
        if quantization != "none" and device == "cpu"
        else 0.0,
        trainable=round(trainable),
        flop_per_token=_flop(recipe, shape, linear, embeddings / (1 if shape.tied else 2), adapter),
    )


def value_bytes(recipe: Recipe, device: Literal["cpu", "cuda"]) -> float:
    """Bytes of a number that is computed with; `auto` is fp32 on a CPU until somebody has measured."""
    kind = recipe.model.compute_type
    return 4.0 if kind == "fp32" or (kind == "auto" and device == "cpu") else 2.0


def parameters(shape: ModelShape) -> int:
    """All weights of a base, norms left out."""
    return shape.layers * _layer_weights(shape) + shape.vocab * shape.hidden * (
        1 if shape.tied else 2
    )


def _layer_weights(shape: ModelShape) -> int:
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return (
        2 * shape.hidden * (queries + keys)
        + (3 if shape.gated else 2) * shape.hidden * shape.intermediate
    )


def _lora(rank: Callable[[Any], int]) -> Trained:
    """Parameters of a LoRA of `rank` on its targets."""

    def trained(method: LoraConfig, shape: ModelShape, vocab: int) -> float:
        queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        sides = {
            "q_proj": (shape.hidden, queries),
            "k_proj": (shape.hidden, keys),
            "v_proj": (shape.hidden, keys),
            "o_proj": (queries, shape.hidden),
            "query_key_value": (shape.hidden, queries + 2 * keys),
            "gate_proj": (shape.hidden, shape.intermediate),
            "up_proj": (shape.hidden, shape.intermediate),
            "down_proj": (shape.intermediate, shape.hidden),
        }
        names = [name for name in method.lora_targets if name in sides]
        if method.lora_targets == ("all-linear",):
            names = [name for name in sides if name != "query_key_value"]
        return shape.layers * rank(method) * sum(sum(sides[name]) for name in names)

    return trained


def _keys(shape: ModelShape) -> int:
    return shape.kv_heads * shape.head_dim


Trained = Callable[[Any, ModelShape, int], float]
"""(a method's config, shape of the base, tokens of its vocabulary) → trained parameters."""
_PLAIN = _lora(lambda method: method.lora_r)
TRAINED: dict[type[Method], Trained] = {
    LoraConfig: _PLAIN,
    RsLoraConfig: _PLAIN,
    DoraConfig: _PLAIN,
    LoraPlusConfig: _PLAIN,
    QloraConfig: _PLAIN,
    PissaConfig: _lora(lambda method: 2 * method.lora_r),
    AdaLoraConfig: _lora(lambda method: method.adalora_start_r),
    Ia3Config: lambda _, shape, vocab: shape.layers * (2 * _keys(shape) + shape.intermediate),
    PromptConfig: lambda method, shape, vocab: method.virtual_tokens * shape.hidden,
    PrefixConfig: lambda method, shape, vocab: (
        method.virtual_tokens * 2 * shape.layers * _keys(shape)
    ),
    FreezeConfig: lambda method, shape, vocab: method.last_layers * _layer_weights(shape),
    BitfitConfig: lambda _, shape, vocab: shape.layers * shape.norms * shape.hidden,
    FullConfig: lambda _, shape, vocab: (
        shape.layers * _layer_weights(shape) + vocab * shape.hidden * (1 if shape.tied else 2)
    ),
}
"""One entry a method."""


def _layers_behind(recipe: Recipe, shape: ModelShape) -> int:
    """Layers whose activations the backward pass needs."""
    return recipe.method.last_layers if isinstance(recipe.method, FreezeConfig) else shape.layers


def _kept_values(recipe: Recipe, shape: ModelShape) -> float:
    """Numbers kept for the backward pass, per token and layer."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    method, wide = recipe.method, shape.intermediate
    inputs = shape.norms * shape.hidden  # of the normalizations
    attention = (
        2 * queries + 2 * keys + ((queries + keys) if shape.qk_norm else 0)
    )  # q, k, v, out; before the norms of q and k
    # frozen products need not know their inputs
    if facts_of(method).changes != "weights" and not isinstance(method, LoraConfig):
        return inputs + attention + 3 * wide
    products = (
        2 * shape.hidden + queries
    )  # inputs of q, k, v; of gate and up; of the output projection
    quantized = recipe.model.load_8bit or (
        isinstance(method, QloraConfig) and method.quantization == "int8"
    )
    if facts_of(method).fused and not quantized and getattr(method, "lora_dropout", 0) == 0:
        return inputs + attention + products + 2 * wide
    kept = inputs + attention + products + 4 * wide  # also what the activation makes of gate and up
    if isinstance(method, DoraConfig):  # outputs of every product, before and after their scaling
        return kept + 2 * (queries + 2 * keys + 2 * shape.hidden + 2 * wide)
    return kept * (QUANTIZED_KEEPS if quantized else 1.0)


QUANTIZED_KEEPS = 1.5
"""bitsandbytes keeps quantized inputs and statistics beside; measured."""


def _flop(recipe: Recipe, shape: ModelShape, linear: float, head: float, adapter: float) -> float:
    """2 operations a weight forwards; 2 more towards the input; 2 more towards every trained weight."""
    upper = _layers_behind(recipe, shape) / shape.layers
    trained = (
        linear
        if isinstance(recipe.method, FullConfig)
        else linear * upper
        if isinstance(recipe.method, FreezeConfig)
        else 0
    )
    again = 2 * linear if recipe.model.gradient_checkpointing else 0
    return (
        2 * linear + 2 * linear * upper + 2 * trained + again + 6 * adapter + 2 * head
    )  # about half the tokens are replies


def share_of_rate(shape: ModelShape, kind: str) -> float:
    """Of the measured rate of matrix products in a number type, what training reaches (benchmarks/training.py)."""
    if kind == "bf16":
        return next(
            share for hidden, share in reversed(BF16_SHARES.items()) if shape.hidden >= hidden
        )
    return 0.65 if kind == "fp32" else 0.5
