"""Elementwise steps as one kernel on a card: what is read and written once instead of once an operation.

On a CPU, and where Triton or a compiler is missing, they are computed as they are written.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])


def one_kernel(function: Function, tensor: Tensor) -> Function:
    """`function` compiled for the card `tensor` lies on, or `function` itself."""
    return _compiled(function) if tensor.is_cuda and card_compiles() else function


@functools.cache
def _compiled(function: Function) -> Function:
    return torch.compile(function, dynamic=True)


@functools.cache
def card_compiles() -> bool:
    """Can kernels be made here? Triton needs a C compiler and a card it knows."""
    try:
        doubled = torch.compile(lambda x: x * 2)(torch.ones(8, device="cuda"))
        return bool((doubled == 2).all())
    except Exception:  # whatever is missing, everything works without
        return False
