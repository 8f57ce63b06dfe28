"""A base model whose own weights were trained (full, freeze, BitFit): the same seams as an adapter has.

The file holds the trained tensors under the base's names. Matrices with one row a token may hold only the rows of a
trimmed vocabulary; `vocab_ids` then says which. Loaded on its base, both versions are there and can be switched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import RunError
from .run_folder import WEIGHTS_FILE

KEPT = "vocabulary.kept"


class PartialWeights(nn.Module):
    """A causal model and which of its weights are trained."""

    def __init__(
        self, model: Any, names: Sequence[str], vocab_ids: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.model, self.config = model, model.config
        self._names, self._vocab_ids = tuple(names), vocab_ids
        self._other: dict[str, Tensor] = {}
        """The version of the weights that is not switched on."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.model(*args, **kwargs)

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        return self.model.generate(*args, **kwargs)

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    @property
    def generation_config(self) -> Any:
        return self.model.generation_config

    def get_base_model(self) -> Any:
        return self.model

    def state(self) -> dict[str, Tensor]:
        """The trained weights, by the base's names."""
        own = dict(self.model.named_parameters())
        return {name: own[name].detach() for name in self._names}

    def save_pretrained(
        self, folder: str, state_dict: dict[str, Tensor] | None = None, **_: Any
    ) -> None:
        """Write the file into `folder`."""
        state = state_dict if state_dict is not None else self.state()
        weights = {name: tensor.cpu().contiguous() for name, tensor in state.items()}
        if self._vocab_ids is not None:
            weights[KEPT] = torch.tensor(self._vocab_ids)
        Path(folder).mkdir(parents=True, exist_ok=True)
        save_file(weights, Path(folder) / WEIGHTS_FILE, metadata={"format": "pt"})

    def load_weights(self, saved: dict[str, Tensor]) -> None:
        """Take over saved weights that fit this model as it is (same vocabulary)."""
        own = dict(self.model.named_parameters())
        for name, tensor in saved.items():
            if name != KEPT:
                own[name].data.copy_(tensor)

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """The base's own weights while this is open."""
        self._switch()
        try:
            yield
        finally:
            self._switch()

    def _switch(self) -> None:
        own = dict(self.model.named_parameters())
        for name, tensor in self._other.items():
            self._other[name], own[name].data = own[name].data, tensor


def load_partial_weights(model: Any, folder: Path) -> PartialWeights:
    """Trained weights on their full base, in evaluation mode.

    Raises:
        RunError: the weights do not fit the model.
    """
    saved = load_file(folder / WEIGHTS_FILE)
    vocab_ids = saved.pop(KEPT, None)
    own = dict(model.named_parameters())
    tuned = PartialWeights(model, tuple(saved))
    for name, tensor in saved.items():
        if name not in own:
            raise RunError(
                f"{str(folder / WEIGHTS_FILE)!r} 里的 {name!r} 这个底座没有",
                "换成训练时用的底座（见 run.json 的 base_model）",
            )
        base = own[name].data
        if not base.is_floating_point():
            raise RunError(
                f"{str(folder / WEIGHTS_FILE)!r} 是练过的权重，装不到压成整数的底座上",
                "去掉 --load-8bit",
            )
        tensor = tensor.to(base)
        if (
            vocab_ids is not None
            and tensor.shape != base.shape
            and len(tensor) == len(vocab_ids)
            and int(vocab_ids[-1]) < len(base)
        ):
            rows, tensor = tensor, base.clone()
            tensor[vocab_ids] = rows
        if tensor.shape != base.shape:
            raise RunError(
                f"{str(folder / WEIGHTS_FILE)!r} 里的 {name!r} 形状是 {tuple(tensor.shape)}，底座的是 {tuple(base.shape)}",
                "换成训练时用的底座（见 run.json 的 base_model）",
            )
        tuned._other[name] = tensor
    tuned._switch()
    return tuned.eval()
