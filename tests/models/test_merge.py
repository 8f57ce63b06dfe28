"""Adapters added up: what comes out is what the sum of their changes gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from custome.cli.app import main
from custome.errors import InputError, RunError
from custome.models.adapters import load_adapter
from custome.models.loading import load_model
from custome.models.merge import merge
from custome.models.run_folder import read_run
from custome.reporter import NullReporter
from custome.training.finetune import finetune
from custome.tuning_methods import DoraConfig, FullConfig, Ia3Config, LoraConfig, RsLoraConfig
from tiny import make_recipe, make_tiny_base

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("two")
    for name, seed in (("a", 1), ("b", 2)):
        method = LoraConfig(lora_r=4, lora_alpha=8)
        finetune(
            make_recipe(tiny_base, folder / name / "run", method=method, steps=4, seed=seed),
            NullReporter(),
        )
    return [folder / "a" / "run", folder / "b" / "run"]


def change(run: Path) -> dict[str, torch.Tensor]:
    """What an adapter adds to every layer."""
    saved = load_file(run / "adapter_model.safetensors")
    scale = 2.0
    return {
        n: scale * saved[n.replace("lora_A", "lora_B")] @ a
        for n, a in saved.items()
        if "lora_A" in n
    }


def test_cat_is_the_weighted_sum(two: list[Path], tiny_base: Path, tmp_path: Path):
    merge(two, [0.7, 0.3], tmp_path / "out", NullReporter(), how="cat")
    model = load_adapter(load_model(tiny_base), tmp_path / "out").merge_and_unload()
    base = dict(load_model(tiny_base).named_parameters())
    first, second = change(two[0]), change(two[1])
    for name in first:
        plain = name.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
        added = dict(model.named_parameters())[plain] - base[plain]
        torch.testing.assert_close(
            added, 0.7 * first[name] + 0.3 * second[name], atol=1e-5, rtol=1e-4
        )
    info = read_run(tmp_path / "out")
    assert info.status == "complete" and {p.name for p in info.characters} >= {
        p.name for p in read_run(two[1]).characters
    }


def test_a_root_of_the_rank_is_taken_once(tiny_base: Path, tmp_path: Path):
    """rsLoRA's scale is in the factors once they are added up."""
    folders = []
    for name, seed in (("a", 1), ("b", 2)):
        folders.append(tmp_path / name / "run")
        method = RsLoraConfig(lora_r=4, lora_alpha=8)
        finetune(
            make_recipe(tiny_base, folders[-1], method=method, steps=3, seed=seed), NullReporter()
        )
    merge(folders, [0.5, 0.5], tmp_path / "out", NullReporter(), how="cat")
    model = load_adapter(load_model(tiny_base), tmp_path / "out").merge_and_unload()
    base = dict(load_model(tiny_base).named_parameters())
    first, second = (change(folder) for folder in folders)  # with a scale of 2; alpha / √r is 4
    name = next(iter(first))
    plain = name.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
    added = dict(model.named_parameters())[plain] - base[plain]
    torch.testing.assert_close(added, first[name] + second[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("how", ["linear", "svd", "ties", "dare_ties"])
def test_the_other_ways_give_an_adapter_that_works(
    two: list[Path], tiny_base: Path, tmp_path: Path, how: str
):
    merge(two, [0.5, 0.5], tmp_path / "out", NullReporter(), how=how)
    ids = torch.randint(5, 200, (1, 9))
    with torch.no_grad():
        tuned = load_adapter(load_model(tiny_base), tmp_path / "out")(input_ids=ids).logits
        assert (tuned - load_model(tiny_base)(input_ids=ids).logits).abs().max() > 1e-3


def test_what_cannot_be_merged_is_named(two: list[Path], tiny_base: Path, tmp_path: Path):
    with pytest.raises(InputError, match="权重"):
        merge(two, [1.0], tmp_path / "out", NullReporter())
    other = make_tiny_base(tmp_path / "llama", "llama")
    finetune(make_recipe(other, tmp_path / "l" / "run", steps=2), NullReporter())
    with pytest.raises(RunError, match="同一个底座"):
        merge([two[0], tmp_path / "l" / "run"], [1, 1], tmp_path / "out", NullReporter())
    finetune(
        make_recipe(
            tiny_base, tmp_path / "f" / "run", method=FullConfig(), steps=2, learning_rate=1e-3
        ),
        NullReporter(),
    )
    for number, (method, told) in enumerate(
        ((DoraConfig(lora_r=4, lora_alpha=8), "DoRA"), (Ia3Config(), "IA3"))
    ):
        finetune(
            make_recipe(tiny_base, tmp_path / f"m{number}" / "run", method=method, steps=2),
            NullReporter(),
        )
        with pytest.raises(RunError, match=told):
            merge(
                [two[0], tmp_path / f"m{number}" / "run"], [1, 1], tmp_path / "out", NullReporter()
            )
    with pytest.raises(RunError, match="不是适配器"):
        merge([two[0], tmp_path / "f" / "run"], [1, 1], tmp_path / "out", NullReporter())
    finetune(
        make_recipe(
            tiny_base, tmp_path / "r" / "run", method=LoraConfig(lora_r=2, lora_alpha=4), steps=2
        ),
        NullReporter(),
    )
    with pytest.raises(InputError, match="linear 合并"):
        merge(
            [two[0], tmp_path / "r" / "run"], [1, 1], tmp_path / "out", NullReporter(), how="linear"
        )
    assert not (tmp_path / "out").exists()


def test_command(two: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command = [
        "merge",
        *map(str, two),
        "--weights",
        "0.7",
        "0.3",
        "--output",
        str(tmp_path / "out"),
    ]
    assert main(command) == 0 and "× 0.7" in capsys.readouterr().out
    assert main(["compare", str(tmp_path / "nowhere")]) == 2
