"""Every method on every shape: it learns, touches only what it should, is saved, loaded and, where that exists, merged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from custome.errors import RunError, TrainingError
from custome.models.adapters import load_adapter
from custome.models.loading import load_model
from custome.models.run_folder import ADAPTER_FILES, read_run
from custome.reporter import NullReporter
from custome.training.finetune import finetune
from custome.tuning_methods import (
    METHODS,
    AdaLoraConfig,
    BitfitConfig,
    FreezeConfig,
    FullConfig,
    Ia3Config,
    LoraConfig,
    Method,
)
from tiny import make_recipe, make_tiny_base

pytestmark = pytest.mark.slow

RANKS = {"lora_r": 4, "lora_alpha": 8}
WEAK = {"ia3": 0.01, "bitfit": 0.02, "prompt": 0.02, "prefix": 0.05, "adalora": 0.05}
"""Methods with few parameters learn less in twelve steps."""
OWN = {
    "adalora": {"adalora_start_r": 6},
    "prompt": {"virtual_tokens": 8},
    "prefix": {"virtual_tokens": 8},
    "freeze": {"last_layers": 1},
    "bitfit": {"with_norms": True},
}
"""Settings of a method that suit a tiny base, beside the ranks of a LoRA."""
RATES = {
    "lora+": 1e-2,
    "pissa": 5e-3,
    "adalora": 5e-2,
    "ia3": 1e-1,
    "prompt": 3e-1,
    "prefix": 1e-1,
    "bitfit": 5e-2,
    "full": 1e-2,
}
"""Learning rates for it, where 2e-2 is not."""


def tiny(name: str, **more: Any) -> Method:
    ranks = RANKS if issubclass(METHODS[name], LoraConfig) else {}
    return METHODS[name](**{**ranks, **OWN.get(name, {}), **more})


MATRIX: list[tuple[str, Method, float]] = [
    *((name, tiny(name), RATES.get(name, 2e-2)) for name in METHODS if name != "qlora"),
    ("qlora-nf4", tiny("qlora"), 2e-2),
    ("qlora-int8", tiny("qlora", quantization="int8"), 2e-2),
]
BASES = ("gemma", "llama", "qwen")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: make_tiny_base(tmp_path_factory.mktemp(kind), kind) for kind in BASES}


def logits_of(model, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=ids).logits[:, -ids.shape[1] :]


@pytest.mark.parametrize("kind", BASES)
@pytest.mark.parametrize(("name", "method", "rate"), MATRIX, ids=[row[0] for row in MATRIX])
def test_method(
    bases: dict[str, Path], tmp_path: Path, kind: str, name: str, method: Method, rate: float
):
    run = tmp_path / "run"
    finetune(
        make_recipe(bases[kind], run, method=method, learning_rate=rate, steps=12), NullReporter()
    )
    results = read_run(run).results
    assert results["valid_loss"] < results["base_valid_loss"] - WEAK.get(name, 0.1)

    ids = torch.randint(5, 200, (2, 9), generator=torch.Generator().manual_seed(1))
    quantize = getattr(method, "quantization", "none")
    base = logits_of(load_model(bases[kind], quantize=quantize), ids)
    model = load_adapter(
        load_model(bases[kind], quantize=quantize), run
    )  # trained with a trimmed vocabulary, loaded on all of it
    tuned = logits_of(model, ids)
    assert (tuned - base).abs().max() > 1e-3
    with model.disable_adapter():
        torch.testing.assert_close(logits_of(model, ids), base)
    torch.testing.assert_close(logits_of(model, ids), tuned)
    out = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=4, do_sample=False
    )
    assert out.shape[0] == 2 and out.shape[1] > 0
    if (
        isinstance(model, PeftModel)
        and not model.active_peft_config.is_prompt_learning
        and quantize == "none"
    ):
        torch.testing.assert_close(
            logits_of(model.merge_and_unload(), ids), tuned, atol=1e-4, rtol=1e-3
        )


IN_BF16 = ("lora", "dora", "pissa", "qlora-nf4", "qlora-int8", "prefix", "freeze", "bitfit", "full")


@pytest.mark.parametrize(
    ("name", "method", "rate"), [row for row in MATRIX if row[0] in IN_BF16], ids=IN_BF16
)
def test_bf16_learns_what_fp32_learns(
    bases: dict[str, Path], tmp_path: Path, name: str, method: Method, rate: float
):
    """Fewer bits in between, the same way down; what is trained and saved stays fp32."""
    results = {}
    for compute_type in ("fp32", "bf16"):
        run = tmp_path / compute_type / "run"
        recipe = make_recipe(
            bases["gemma"],
            run,
            method=method,
            learning_rate=rate / 4,
            steps=8,
            compute_type=compute_type,
        )
        finetune(recipe, NullReporter())
        results[compute_type] = read_run(run).results
    saved = load_file(
        run / ("weights.safetensors" if name in ("freeze", "bitfit", "full") else ADAPTER_FILES[1])
    )
    assert {tensor.dtype for tensor in saved.values() if tensor.is_floating_point()} == {
        torch.float32
    }
    gain = results["fp32"]["base_valid_loss"] - results["fp32"]["valid_loss"]
    assert gain > 0
    assert results["bf16"]["valid_loss"] == pytest.approx(
        results["fp32"]["valid_loss"], abs=max(0.02, gain / 10)
    )


def test_only_what_should_be_trained_is(bases: dict[str, Path], tmp_path: Path):
    finetune(
        make_recipe(
            bases["qwen"],
            tmp_path / "b" / "run",
            method=BitfitConfig(),
            learning_rate=5e-2,
            steps=3,
        ),
        NullReporter(),
    )
    names = set(load_file(tmp_path / "b" / "run" / "weights.safetensors"))
    assert names and all(name.endswith(".bias") for name in names)
    finetune(
        make_recipe(
            bases["qwen"], tmp_path / "f" / "run", method=FreezeConfig(last_layers=1), steps=3
        ),
        NullReporter(),
    )
    names = set(load_file(tmp_path / "f" / "run" / "weights.safetensors"))
    assert names and all(name.startswith("model.layers.1.") for name in names)


@pytest.mark.parametrize(
    "method",
    [LoraConfig(lora_r=4, lora_alpha=8), FullConfig(), AdaLoraConfig(lora_r=2, adalora_start_r=3)],
)
def test_stopped_and_resumed_is_straight(bases: dict[str, Path], tmp_path: Path, method: Method):
    files = ("adapter_model.safetensors", "weights.safetensors")
    recipe = make_recipe(
        bases["gemma"], tmp_path / "a" / "run", method=method, steps=8, learning_rate=5e-3
    )
    finetune(recipe, NullReporter())
    again = make_recipe(
        bases["gemma"], tmp_path / "b" / "run", method=method, steps=8, learning_rate=5e-3
    )

    class StopAtFour(NullReporter):
        def __init__(self, stop) -> None:
            self.stop = stop

        def progress(self, task, done, total, detail=""):
            self.stop.wanted = task == "训练" and done >= 4

    from custome.training.launch import StopRequest

    stop = StopRequest()
    assert finetune(again, StopAtFour(stop), stop=stop).status == "stopped"
    assert finetune(again, NullReporter(), resume=True).status == "complete"
    for name in files:
        if (tmp_path / "a" / "run" / name).exists():
            one, two = (load_file(tmp_path / side / "run" / name) for side in "ab")
            assert set(one) == set(two) and all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize(
    ("method", "kind", "words"),
    [
        (LoraConfig(lora_targets=("W_pack",)), "gemma", ("W_pack", "q_proj")),
        (Ia3Config(ia3_targets=("value",)), "llama", ("value", "down_proj")),
        (BitfitConfig(), "gemma", ("偏置", "--with-norms")),
        (FreezeConfig(last_layers=9), "qwen", ("last_layers=9", "2 层")),
    ],
)
def test_a_method_that_finds_nothing_to_train_is_named_before_weights_are_read(
    bases: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: Method,
    kind: str,
    words: tuple[str, ...],
):
    from custome.training import learning

    monkeypatch.setattr(learning, "load_model", lambda *_, **__: pytest.fail("weights were read"))
    with pytest.raises(TrainingError) as caught:
        finetune(make_recipe(bases[kind], tmp_path / "run", method=method), NullReporter())
    assert all(word in caught.value.message + caught.value.hint for word in words)


@pytest.mark.parametrize("optimizer", ["adafactor", "adamw8bit", "muon"])
def test_optimizers_learn_and_resume(bases: dict[str, Path], tmp_path: Path, optimizer: str):
    recipe = make_recipe(
        bases["gemma"],
        tmp_path / "run",
        method=FullConfig(),
        learning_rate=1e-2,
        optimizer=optimizer,
        steps=10,
    )
    finetune(recipe, NullReporter())
    results = read_run(tmp_path / "run").results
    assert results["valid_loss"] < results["base_valid_loss"] - 0.1
    with pytest.raises(RunError, match="train.optimizer"):
        other = make_recipe(
            bases["gemma"], tmp_path / "run", method=FullConfig(), learning_rate=1e-2, steps=12
        )
        finetune(other, NullReporter(), resume=True)
    more = make_recipe(
        bases["gemma"],
        tmp_path / "run",
        method=FullConfig(),
        learning_rate=1e-2,
        optimizer=optimizer,
        steps=12,
    )
    assert finetune(more, NullReporter(), resume=True).progress.step == 12


def test_text_then_dialogue(bases: dict[str, Path], tmp_path: Path):
    from tiny import make_tiny_novel

    novel = make_tiny_novel(tmp_path / "n.txt", chapters=8)
    both = make_recipe(
        bases["gemma"],
        tmp_path / "both" / "run",
        steps=6,
        pretrain_steps=4,
        data={"text_paths": (str(novel),)},
    )
    assert finetune(both, NullReporter()).progress.step == 10
    only = make_recipe(
        bases["gemma"],
        tmp_path / "only" / "run",
        steps=8,
        data={"train_path": "", "text_paths": (str(novel),)},
    )
    finetune(only, NullReporter())
    results = read_run(tmp_path / "only" / "run").results
    assert results["valid_loss"] < results["base_valid_loss"] - 0.1


def test_checkpointed_activations_change_nothing(bases: dict[str, Path], tmp_path: Path):
    import dataclasses

    for name in ("plain", "again"):
        recipe = make_recipe(bases["gemma"], tmp_path / name / "run", steps=3)
        model = dataclasses.replace(recipe.model, gradient_checkpointing=name == "again")
        finetune(dataclasses.replace(recipe, model=model), NullReporter())
    one, two = (
        load_file(tmp_path / name / "run" / "adapter_model.safetensors")
        for name in ("plain", "again")
    )
    for key in one:
        torch.testing.assert_close(one[key], two[key], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", BASES)
def test_reused_lower_layers_change_nothing(
    bases: dict[str, Path], tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    """Three epochs with and without: the same weights, and the lower layers were asked once a sample."""
    from custome.training import activation_cache, learning

    asked: list[int] = []
    real = activation_cache.SplitBackbone.lower

    def counted(self, **given):
        asked.append(given["input_ids"].shape[1])
        return real(self, **given)

    monkeypatch.setattr(activation_cache.SplitBackbone, "lower", counted)
    options = {
        "steps": 24,
        "batch_size": 8,
        "method": FreezeConfig(last_layers=1),
        "learning_rate": 5e-3,
    }
    finetune(make_recipe(bases[kind], tmp_path / "with" / "run", **options), NullReporter())
    tokens = read_run(tmp_path / "with" / "run").results["tokens"]
    assert 0 < sum(asked) < tokens / 2  # 24 steps of 8 are three epochs of 64
    monkeypatch.setattr(learning, "activation_cache", lambda *_, **__: None)
    finetune(make_recipe(bases[kind], tmp_path / "without" / "run", **options), NullReporter())
    one, two = (
        load_file(tmp_path / name / "run" / "weights.safetensors") for name in ("with", "without")
    )
    for key in one:
        torch.testing.assert_close(one[key], two[key], atol=1e-4, rtol=1e-3)
    assert not list((tmp_path / "with" / "run").glob(".*"))
