"""Weights shared out among processes (FSDP2, torch's fully_shard), and whole again for files.

Each process keeps a slice of every parameter, its gradient and its optimizer state; a layer is put together just before it
computes. Works on gloo between CPUs and on NCCL between cards. Source: https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, OffloadPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor


def shard(
    loss: nn.Module, layers: list[nn.Module], device: str, processes: int, *, offload: bool
) -> None:
    """Share out the parameters of `loss`, layer by layer, in place.

    Args:
        layers: modules that are put together one at a time; what is outside of them stays together during a step.
        offload: keep the shares in main memory and bring them to the card when needed.
    """
    mesh = init_device_mesh(device, (processes,))
    policy = CPUOffloadPolicy() if offload and device != "cpu" else OffloadPolicy()
    for module in [*layers, loss]:
        fully_shard(module, mesh=mesh, offload_policy=policy)


def whole(tree: Any) -> Any:
    """The same nested dicts and lists with every shared tensor put together. All processes must call it together."""
    if isinstance(tree, DTensor):
        return tree.full_tensor()
    if isinstance(tree, dict):
        return {key: whole(value) for key, value in tree.items()}
    return [whole(value) for value in tree] if isinstance(tree, list) else tree


@torch.no_grad()
def fill(parameter: Tensor, value: Tensor) -> None:
    """Copy a whole tensor into a parameter, shared out or not."""
    parameter.data.copy_(_like(value, parameter))


def _like(value: Tensor, parameter: Tensor) -> Tensor:
    if not isinstance(parameter, DTensor) or isinstance(value, DTensor):
        return value
    return distribute_tensor(
        value.to(parameter.device), parameter.device_mesh, parameter.placements
    )


def share_state(optimizer: Any) -> None:
    """Share out an optimizer's freshly loaded state the way its parameters are."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = _like(value, parameter)
