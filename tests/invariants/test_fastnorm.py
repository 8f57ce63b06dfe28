"""The norm in one piece is transformers', in value and in gradient, and keeps less."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm

from custome.training import fastnorm


def norm_of(kind: type[nn.Module], dtype: torch.dtype) -> nn.Module:
    norm = kind(48)
    nn.init.uniform_(norm.weight, 0.5, 1.5, generator=torch.Generator().manual_seed(1))
    return norm.requires_grad_(False).to(dtype)


@pytest.mark.parametrize("kind", [LlamaRMSNorm, Qwen2RMSNorm])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_fused_equals_transformers(kind: type[nn.Module], dtype: torch.dtype):
    plain = norm_of(kind, dtype)
    fused = copy.deepcopy(plain)
    assert fastnorm.install(fused) == 1
    dice = torch.Generator().manual_seed(2)
    x, upstream = (torch.randn(2, 5, 48, generator=dice).to(dtype) for _ in range(2))
    ends = []
    for norm in (plain, fused):
        own = x.clone().requires_grad_()
        out = norm(own)
        out.backward(upstream)
        ends.append((out.detach(), own.grad))
    assert torch.equal(ends[0][0], ends[1][0])
    close = {"atol": 1e-5} if dtype == torch.float32 else {"atol": 0.02, "rtol": 0.02}
    assert torch.allclose(ends[0][1].float(), ends[1][1].float(), **close)


def kept_by(norm: nn.Module) -> int:
    """Bytes that are held for the backward pass."""
    saved: dict[int, int] = {}

    def hold(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
        out = norm(torch.randn(4, 48).bfloat16().requires_grad_())
    assert out.requires_grad
    return sum(saved.values())


def test_less_is_kept():
    norm = norm_of(Qwen2RMSNorm, torch.bfloat16)
    plain = kept_by(norm)
    fastnorm.install(norm)
    assert kept_by(norm) < 0.6 * plain  # the input in bf16 instead of its copy in fp32


def test_what_is_trained_or_computed_otherwise_is_left_alone():
    assert fastnorm.install(Qwen2RMSNorm(48)) == 0  # its weight is trained
    assert fastnorm.install(norm_of(Gemma3RMSNorm, torch.float32)) == 0
