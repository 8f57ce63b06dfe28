"""The samples a recipe names, and which of them are held out."""

from __future__ import annotations

from pathlib import Path

import torch

from ..config import Recipe
from ..corpus.dataset import canonical_cues, with_main_characters
from ..corpus.formats import read_samples
from ..resources import sha256_of
from ..types import Sample


def data_files(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of the files a recipe learns from."""
    paths = {"train": recipe.data.train_path, "valid": recipe.data.valid_path}
    paths |= {f"text{number}": path for number, path in enumerate(recipe.data.text_paths, 1)}
    return {name: sha256_of(Path(path)) for name, path in paths.items() if path}


def _read(recipe: Recipe, path: str) -> list[Sample]:
    samples = read_samples(Path(path))
    return (
        [canonical_cues(sample) for sample in samples]
        if recipe.data.names == "canonical"
        else samples
    )


def load_samples(recipe: Recipe) -> tuple[list[Sample], list[Sample]]:
    """(training, validation) samples; without a validation file the last `val_set_size` of a fixed shuffle are held out, a tenth
    at most.

    Raises:
        InputError, DataError: see corpus.formats.read_samples.
    """
    samples = _read(recipe, recipe.data.train_path)
    if recipe.data.main_characters:
        samples = with_main_characters(samples, recipe.data.main_characters)
    if recipe.data.valid_path:
        return samples, _read(recipe, recipe.data.valid_path)
    held_out = min(
        recipe.data.val_set_size, len(samples) // 10
    )  # a small set is learnt from, not judged by
    order = torch.randperm(
        len(samples), generator=torch.Generator().manual_seed(recipe.train.seed)
    ).tolist()
    cut = len(samples) - held_out
    return [samples[i] for i in sorted(order[:cut])], [samples[i] for i in sorted(order[cut:])]
