"""The planner's arithmetic: parts add up, every dial turns the right way, and what was measured is met."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from custome.cli.app import main
from custome.config import DataConfig, ModelConfig, Recipe, TrainConfig
from custome.errors import InputError
from custome.model_catalog import all_models
from custome.planning.fit import fit, read_bytes
from custome.planning.memory import make_plan, parameters
from custome.planning.shapes import find_shape, read_shape
from custome.tuning_methods import METHODS, FullConfig, LoraConfig, QloraConfig
from tiny import make_tiny_base

RECIPE = Recipe(
    data=DataConfig(train_path="x", cutoff_len=256), train=TrainConfig(micro_batch_size=2)
)
BILLIONS = {
    "Qwen/Qwen3-8B": 8.2,
    "Qwen/Qwen3-0.6B": 0.6,
    "Qwen/Qwen3-32B": 32.8,
    "THUDM/glm-4-9b": 9.4,
    "embedded": 0.268,
    "meta-llama/Meta-Llama-3-8B": 8.03,
    "google/gemma-3-1b-pt": 1.0,
    "google/gemma-3-12b-pt": 11.8,
}


@pytest.mark.parametrize(("name", "billions"), BILLIONS.items())
def test_shapes_give_the_published_number_of_parameters(name: str, billions: float):
    assert parameters(find_shape(name)) / 1e9 == pytest.approx(billions, rel=0.02)


@pytest.mark.parametrize("kind", ["gemma", "llama", "qwen"])
def test_a_folders_config_gives_the_models_own_count(tmp_path: Path, kind: str):
    folder = make_tiny_base(tmp_path / kind, kind)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    matrices = sum(p.numel() for p in model.parameters() if p.ndim == 2)
    assert parameters(find_shape(str(folder))) == matrices


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_plan_that_adds_up(name: str):
    recipe = dataclasses.replace(RECIPE, method=METHODS[name]())
    for shape in (known.shape for known in all_models().values()):
        plan = make_plan(recipe, shape, "cuda")
        parts = [
            getattr(plan, f.name)
            for f in dataclasses.fields(plan)
            if f.name not in ("trainable", "flop_per_token")
        ]
        assert (
            plan.total == pytest.approx(sum(parts))
            and all(part >= 0 for part in parts)
            and plan.trainable > 0
        )


def test_the_dials_turn_the_right_way():
    shape = find_shape("Qwen/Qwen3-8B")

    def total(recipe: Recipe) -> float:
        return make_plan(recipe, shape, "cuda").total

    more = dataclasses.replace(RECIPE, train=TrainConfig(micro_batch_size=8))
    longer = dataclasses.replace(RECIPE, data=DataConfig(train_path="x", cutoff_len=2048))
    again = dataclasses.replace(more, model=ModelConfig(gradient_checkpointing=True))
    full = dataclasses.replace(RECIPE, method=FullConfig())
    eight, four = (
        dataclasses.replace(RECIPE, method=QloraConfig(quantization=bits))
        for bits in ("int8", "nf4")
    )
    assert total(RECIPE) < total(more) < total(longer) and total(again) < total(more)
    assert total(four) < total(eight) < total(RECIPE) < total(full)


@pytest.mark.parametrize("memory", ["6GiB", "8GiB", "11GiB", "24GiB"])
def test_fit_keeps_its_word_and_says_what_it_changed(memory: str):
    found = fit(RECIPE, find_shape("Qwen/Qwen3-8B"), "cuda", read_bytes(memory))
    assert found.fits == (
        make_plan(found.recipe, find_shape("Qwen/Qwen3-8B"), "cuda").total
        <= 0.95 * read_bytes(memory)
    )
    assert found.fits == (memory != "6GiB") or found.plan.total < 7e9
    assert bool(found.changes) == (found.recipe != RECIPE)
    assert not found.recipe.problems()


def test_what_has_room_is_left_alone():
    found = fit(RECIPE, find_shape("embedded"), "cpu", read_bytes("16GB"))
    assert found.fits and found.recipe == RECIPE and not found.changes


def test_sizes():
    assert (
        read_bytes("11GiB") == 11 * 2**30
        and read_bytes("8 GB") == 8 * 10**9
        and read_bytes("512M") == 512 * 10**6
    )
    for wrong in ("", "viel", "0GB", "-3GB", "11Gi B x"):
        with pytest.raises(InputError, match="内存大小"):
            read_bytes(wrong)


def test_an_unknown_base_and_a_strange_config_are_named():
    with pytest.raises(InputError, match="Qwen9"):
        find_shape("Qwen9-1T")
    with pytest.raises(InputError, match="intermediate_size"):
        read_shape({"num_attention_heads": 2, "num_hidden_layers": 1, "hidden_size": 8}, "x")


def test_command(capsys: pytest.CaptureFixture[str]):
    assert (
        main(
            [
                "plan",
                "--base",
                "Qwen/Qwen3-8B",
                "--method",
                "qlora",
                "--fit",
                "11GiB",
                "--on",
                "cuda",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert (
        "装得进 11GiB" in out
        and "合计" in out
        and "底座权重" in out
        and "Apache-2.0" in out
        and "chatml" in out
    )
    assert main(["plan", "--base", "Qwen/Qwen3-32B", "--fit", "6GiB", "--on", "cuda"]) == 1
    assert "装不进" in capsys.readouterr().out
    assert main(["plan", "--table", "--on", "cuda"]) == 0
    assert "Qwen3-8B" in "".join(capsys.readouterr().out.split())


def test_train_fit_changes_the_recipe(
    tiny_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from custome.cli.training import fitted

    recipe = Recipe(
        data=DataConfig(train_path="x"),
        model=ModelConfig(base_model=str(tiny_base)),
        method=LoraConfig(),
    )
    assert fitted(recipe, "8GB").train.micro_batch_size == recipe.train.micro_batch_size
    assert "装得进" in capsys.readouterr().out
    with pytest.raises(InputError, match="装不进 100MB"):
        fitted(recipe, "100MB")
