"""A loaded base and a recipe → what the loop trains: attention and kernels, the tuning method, loss and optimizer."""

from __future__ import annotations

from typing import Any

from accelerate import Accelerator

from ..config import Recipe
from ..models.loading import Quantization
from ..tuning_methods import Method, PrefixConfig, PromptConfig
from . import fastlora, fastnorm, fastrope, sharding
from .activation_cache import ActivationCache
from .data import Batching
from .loss import ReplyLoss
from .methods import Attached, attach, decoder_layers
from .optimizers import make_optimizer
from .packing import ATTENTION
from .trainer import Learner


def quantization(recipe: Recipe) -> Quantization:
    """How the base's linear layers are kept."""
    return "int8" if recipe.model.load_8bit else getattr(recipe.method, "quantization", "none")


def set_up(base: Any, recipe: Recipe, pad_id: int) -> Batching:
    """Set a base up for the way its samples will be batched, and say which way that is."""
    packs = recipe.train.packing == "auto" and can_pack(base, recipe.method)
    if packs:
        base.set_attn_implementation(ATTENTION)
    if recipe.model.gradient_checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
    size = recipe.train.micro_batch_size
    return Batching(
        micro_batch_size=size,
        pad_id=pad_id,
        row_tokens=size * recipe.data.cutoff_len if packs else 0,
    )


def can_pack(model: Any, method: Method) -> bool:
    """Virtual tokens come before every sample of its own, and some attentions are no plain causal one."""
    config = model.config.get_text_config()
    plain = {"full_attention", "sliding_attention"}.issuperset(
        getattr(config, "layer_types", None) or []
    )
    replaceable = getattr(model, "_supports_attention_backend", False) and getattr(
        model, "_supports_sdpa", False
    )
    capped = getattr(config, "attn_logit_softcapping", None)
    return (
        not isinstance(method, PromptConfig | PrefixConfig)
        and bool(replaceable)
        and plain
        and not capped
    )


def make_trainable(
    base: Any, recipe: Recipe, *, steps: int, vocab_ids: tuple[int, ...] | None = None
) -> Attached:
    """The recipe's method on a frozen base, with what computes faster in one piece; see methods.attach."""
    attached = attach(base, recipe.method, steps=steps, vocab_ids=vocab_ids)
    fastlora.install(attached.model)
    fastnorm.install(attached.model)
    fastrope.install(base)
    return attached


def make_learner(
    attached: Attached,
    recipe: Recipe,
    batching: Batching,
    accelerator: Accelerator,
    cache: ActivationCache | None = None,
    *,
    shares: bool = False,
) -> Learner:
    """Loss and optimizer around an attached model; with `shares` its weights are shared out among the processes."""
    model, train = attached.model, recipe.train
    loss: Any = ReplyLoss(model, cache)
    if shares:
        sharding.shard(
            loss,
            decoder_layers(model),
            accelerator.device.type,
            accelerator.num_processes,
            offload=recipe.model.sharding == "fsdp_offload",
        )
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer: Any = make_optimizer(
        train.optimizer,
        trainable,
        rate=train.learning_rate,
        weight_decay=train.weight_decay,
        rate_of=attached.rate_of,
    )
    if not shares:
        loss, optimizer = accelerator.prepare(loss, optimizer)
    return Learner(
        accelerator=accelerator,
        loss=loss,
        model=model,
        optimizer=optimizer,
        batching=batching,
        after_step=attached.after_step,
        penalty=attached.penalty,
        method_state=attached.state,
    )
