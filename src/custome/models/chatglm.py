"""ChatGLM-6B, without anybody else's code: configuration, model and tokenizer, known to transformers' Auto classes.

A prefix language model (GLM, https://arxiv.org/abs/2103.10360). A sequence is

    context [gMASK] <sop> reply <eop>

Everything in front of <sop> sees each other; from <sop> on a token sees what is before it. Every token has two positions:
its place, which behind <sop> stays at that of the mask, and its place behind <sop>, 0 in the context. Half of each head is
rotated by either. Names of weights are those of the official shards, so these load as they are.

B batch, T tokens, S tokens with the cached ones, H heads, E head size, D hidden size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache, DynamicCache
from transformers.generation import GenerationMixin
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .chatglm_tokenizer import ChatGLMTokenizer


@strict
class ChatGLMConfig(PreTrainedConfig):
    """Sizes and special tokens; the defaults are ChatGLM-6B's."""

    model_type = "chatglm"
    keys_to_ignore_at_inference = ["past_key_values"]
    attribute_map = {
        "num_hidden_layers": "num_layers",
        "intermediate_size": "inner_hidden_size",
        "max_position_embeddings": "max_sequence_length",
    }

    vocab_size: int = 130528
    hidden_size: int = 4096
    num_layers: int = 28
    num_attention_heads: int = 32
    inner_hidden_size: int = 16384
    max_sequence_length: int = 2048
    layernorm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    use_cache: bool = True
    bos_token_id: int | None = 130004
    eos_token_id: int | list[int] | None = 130005
    pad_token_id: int | None = 3
    mask_token_id: int = 130000
    gmask_token_id: int = 130001
    position_encoding_2d: bool = True
    quantization_bit: int = 0
    tie_word_embeddings: bool = False

    def validate_architecture(self) -> None:
        """Part of `@strict`: what carries the same name and is something else."""
        if hasattr(self, "multi_query_attention") or hasattr(self, "ffn_hidden_size"):
            raise ValueError("model_type 是 chatglm，可这是 ChatGLM2/3 的结构，不是 ChatGLM-6B")
        if self.quantization_bit:
            raise ValueError(
                f"这是压成 {self.quantization_bit} 位的 ChatGLM-6B，请用没压过的，再加 --load_8bit"
            )
        if not self.position_encoding_2d:
            raise ValueError("position_encoding_2d 为 false 的早期版本不支持，请用最后的正式版本")


def layout(config: ChatGLMConfig, ids: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Where the context ends and the two positions of every token.

    Args:
        ids: (B, T), padded on either side.
        mask: (B, T), 0 at padding.

    Returns:
        length of the context with the padding in front of it (B,), 0 without <sop>; positions (B, 2, T).
    """
    places = torch.arange(ids.shape[1], device=ids.device)[None]  # (1, T)
    begins, context = _first(ids == config.bos_token_id)
    context = torch.where(begins, context, torch.zeros_like(context))
    has_g, g_place = _first(ids == config.gmask_token_id)
    has_m, m_place = _first(ids == config.mask_token_id)
    masked = torch.where(has_g, g_place, torch.where(has_m, m_place, (context - 1).clamp(min=0)))
    padding = torch.zeros_like(context) if mask is None else _first(mask != 0)[1]
    in_reply = begins[:, None] & (places >= context[:, None])
    place = torch.where(in_reply, masked[:, None], places) - padding[:, None]
    block = torch.where(in_reply, places - context[:, None] + 1, torch.zeros_like(places))
    return context, torch.stack([place.clamp(min=0), block], dim=1)


def _first(found: Tensor) -> tuple[Tensor, Tensor]:
    """(is there any, where is the first) of found (B, T)."""
    return found.any(dim=1), found.int().argmax(dim=1)


def visible(context: Tensor, mask: Tensor | None, new: int, cached: int) -> Tensor:
    """(B, 1, T, S), true where a new token may look: to the left, all over the context, never at padding.

    Args:
        context: (B,) length of the context among the new tokens.
        mask: (B, S), 0 at padding.
    """
    keys = torch.arange(cached + new, device=context.device)
    queries = keys[cached:]
    seen = keys[None, :] <= queries[:, None]  # (T, S)
    seen = (
        seen[None]
        | (keys[None, None, :] < (context + cached)[:, None, None]) & (context > 0)[:, None, None]
    )
    if mask is not None:
        itself = keys[None, :] == queries[:, None]  # padding must look at something
        seen = seen & (mask[:, None, :] != 0) | itself[None]
    return seen[:, None]


def rotations(positions: Tensor, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(cos, sin), each (B, 2, T, E/2), for positions (B, 2, T) and head size E; frequencies have fp16's precision."""
    half = size // 2
    frequencies = 1.0 / (
        10000 ** (torch.arange(0, half, 2, device=positions.device).float() / half)
    )  # (E/4,)
    angles = positions[..., None].float() * frequencies.half().float()
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (B, H, T, E): the first half of every head turned by the place, the second by the place in the reply."""
    parts = []
    for number, half in enumerate(x.chunk(2, dim=-1)):
        low, high = half.chunk(2, dim=-1)
        turned = torch.cat([-high, low], dim=-1)
        parts.append(half * cos[:, number, None] + turned * sin[:, number, None])
    return torch.cat(parts, dim=-1)


def eager_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float,
    **others: Any,
) -> tuple[Tensor, Tensor]:
    """Plain attention; scores stay small until they are fp32, as fp16 would overflow."""
    scores = (query * (scaling / module.coefficient)) @ key.mT  # (B, H, T, S)
    scores = scores.float().masked_fill(~attention_mask, -10000.0) * module.coefficient
    shares = scores.softmax(dim=-1).to(value.dtype)
    return (shares @ value).transpose(1, 2), shares


class ChatGLMAttention(nn.Module):
    def __init__(self, config: ChatGLMConfig, layer: int) -> None:
        super().__init__()
        self.config, self.layer_idx, self.coefficient = config, layer, layer + 1
        self.is_causal = False
        self.head_size = config.hidden_size // config.num_attention_heads
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self, hidden: Tensor, seen: Tensor, turns: tuple[Tensor, Tensor], cache: Cache | None
    ) -> Tensor:
        """hidden (B, T, D), seen (B, 1, T, S)."""
        shape = (*hidden.shape[:2], self.config.num_attention_heads, 3 * self.head_size)
        query, key, value = (
            self.query_key_value(hidden).view(shape).transpose(1, 2).chunk(3, dim=-1)
        )  # (B, H, T, E)
        query, key = rotate(query, *turns), rotate(key, *turns)
        if cache is not None:
            key, value = cache.update(key, value, self.layer_idx)
        attend: Callable[..., Any] = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention
        )
        out, _ = attend(
            self, query, key, value, seen, scaling=self.head_size**-0.5, dropout=0.0
        )  # (B, T, H, E)
        mixed: Tensor = self.dense(out.reshape(hidden.shape))
        return mixed


class ChatGLMMLP(nn.Module):
    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__()
        self.dense_h_to_4h = nn.Linear(config.hidden_size, config.inner_hidden_size)
        self.dense_4h_to_h = nn.Linear(config.inner_hidden_size, config.hidden_size)
        self.act = ACT2FN["gelu_pytorch_tanh"]

    def forward(self, hidden: Tensor) -> Tensor:
        out: Tensor = self.dense_4h_to_h(self.act(self.dense_h_to_4h(hidden)))
        return out


ALPHA = (2 * 28) ** 0.5
"""√(2 · layers) for ChatGLM-6B's 28; the original never asks how many there are."""


class ChatGLMBlock(GradientCheckpointingLayer):
    """Post-norm in the manner of DeepNorm: what is added is the normalised input, ALPHA times."""

    def __init__(self, config: ChatGLMConfig, layer: int) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.attention = ChatGLMAttention(config, layer)
        self.post_attention_layernorm = nn.LayerNorm(
            config.hidden_size, eps=config.layernorm_epsilon
        )
        self.mlp = ChatGLMMLP(config)

    def forward(
        self, hidden: Tensor, seen: Tensor, turns: tuple[Tensor, Tensor], cache: Cache | None
    ) -> Tensor:
        normed = self.input_layernorm(hidden)
        hidden = normed * ALPHA + self.attention(normed, seen, turns, cache)
        normed = self.post_attention_layernorm(hidden)
        out: Tensor = normed * ALPHA + self.mlp(normed)
        return out


class ChatGLMPreTrainedModel(PreTrainedModel):
    config: ChatGLMConfig
    config_class = ChatGLMConfig
    base_model_prefix = "transformer"
    supports_gradient_checkpointing = True
    _no_split_modules = ["ChatGLMBlock"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_sdpa = True
    _keys_to_ignore_on_load_unexpected = [r"rotary_emb\.inv_freq"]


class ChatGLMModel(ChatGLMPreTrainedModel):
    """The backbone: ids → hidden states."""

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            [ChatGLMBlock(config, layer) for layer in range(config.num_layers)]
        )
        self.final_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layernorm_epsilon)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.word_embeddings = value

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        **others: Any,
    ) -> BaseModelOutputWithPast:
        """input_ids (B, T), attention_mask (B, S), position_ids (B, 2, T) or left out when T is the whole sequence."""
        if (self.config.use_cache if use_cache is None else use_cache) and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        cached = past_key_values.get_seq_length() if past_key_values is not None else 0
        own = attention_mask[:, cached:] if attention_mask is not None else None
        context, positions = layout(self.config, input_ids, own)
        if position_ids is not None and position_ids.ndim == 3:
            positions = position_ids
        hidden = self.word_embeddings(input_ids)
        seen = visible(context, attention_mask, input_ids.shape[1], cached)
        turns = rotations(
            positions, self.config.hidden_size // self.config.num_attention_heads, hidden.dtype
        )
        for layer in self.layers:
            hidden = layer(hidden, seen, turns, past_key_values)
        return BaseModelOutputWithPast(
            last_hidden_state=self.final_layernorm(hidden), past_key_values=past_key_values
        )


class ChatGLMForConditionalGeneration(ChatGLMPreTrainedModel, GenerationMixin):
    """With the output head; the name is the official one."""

    _tied_weights_keys = {"lm_head.weight": "transformer.word_embeddings.weight"}

    def __init__(self, config: ChatGLMConfig) -> None:
        super().__init__(config)
        self.transformer = ChatGLMModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.lm_head = new_embeddings

    def prepare_inputs_for_generation(self, input_ids: Tensor, **kwargs: Any) -> dict[str, Any]:
        """Positions come from the whole sequence, of which the model then sees the new part."""
        mask = kwargs.get("attention_mask")
        own = mask[:, -input_ids.shape[1] :] if mask is not None else None
        kwargs["position_ids"] = layout(self.config, input_ids, own)[1]
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(input_ids, **kwargs)
        return inputs

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **others: Any,
    ) -> CausalLMOutputWithPast:
        """labels (B, T), -100 where nothing is to be learnt; each is predicted by the token before it."""
        output = self.transformer(
            input_ids, attention_mask, position_ids, past_key_values, use_cache
        )
        logits = self.lm_head(output.last_hidden_state[:, -logits_to_keep:])  # (B, T, V)
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(
                logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten()
            )
        return CausalLMOutputWithPast(
            loss=loss, logits=logits, past_key_values=output.past_key_values
        )


def register() -> None:
    """Make the Auto classes know `model_type: chatglm`."""
    AutoConfig.register("chatglm", ChatGLMConfig, exist_ok=True)
    AutoModelForCausalLM.register(ChatGLMConfig, ChatGLMForConditionalGeneration, exist_ok=True)
    AutoTokenizer.register(ChatGLMConfig, fast_tokenizer_class=ChatGLMTokenizer, exist_ok=True)
