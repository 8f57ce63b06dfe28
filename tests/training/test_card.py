"""Training and answering on a card give what a CPU gives. `bash benchmarks/cuda.sh` runs these where there is one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from custome.engine.open_local import open_local
from custome.reporter import NullReporter, read_metrics
from custome.training import launch, packing
from custome.training.finetune import finetune
from custome.tuning_methods import DoraConfig, FullConfig, LoraConfig, Method, QloraConfig
from custome.types import GenerateOptions, Message, Request
from tiny import make_recipe

pytestmark = pytest.mark.cuda
DEVICE = os.environ.get("CUSTOME_TEST_DEVICE", "cuda")
"""`cpu` only in a dry run, which shows that the tests themselves still run."""


def losses(
    base: Path, folder: Path, device: str, method: Method, *, compute_type: str = "fp32", **train
) -> list[float]:
    recipe = make_recipe(base, folder, method=method, steps=6, compute_type=compute_type, **train)
    recipe = replace(recipe, model=replace(recipe.model, device=device))
    finetune(recipe, NullReporter())
    return [loss for _, loss in read_metrics(folder / "metrics.jsonl")["loss"]]


@pytest.mark.parametrize(
    "method",
    [LoraConfig(lora_r=4), DoraConfig(lora_r=4), FullConfig()],
    ids=["lora", "dora", "full"],
)
def test_same_losses_as_on_a_cpu(tiny_base: Path, tmp_path: Path, method: Method):
    """fp32 on both; the goal is a thousandth."""
    here = losses(tiny_base, tmp_path / "here", "cpu", method)
    there = losses(tiny_base, tmp_path / "there", DEVICE, method)
    assert here == pytest.approx(there, abs=1e-3)


def test_bf16_is_near(tiny_base: Path, tmp_path: Path):
    """Rounding alone; at ten times the rate these six steps are chaotic, on a CPU too."""
    exact = losses(tiny_base, tmp_path / "exact", "cpu", LoraConfig(lora_r=4), learning_rate=2e-3)
    near = losses(
        tiny_base,
        tmp_path / "near",
        DEVICE,
        LoraConfig(lora_r=4),
        compute_type="bf16",
        learning_rate=2e-3,
    )
    assert near == pytest.approx(exact, abs=1e-2)


def test_quantized_learns(tiny_base: Path, tmp_path: Path):
    for kind in ("nf4", "int8"):
        found = losses(
            tiny_base,
            tmp_path / kind,
            DEVICE,
            QloraConfig(lora_r=4, quantization=kind),
            compute_type="bf16",
        )
        assert found[-1] < found[0] - 0.02, (kind, found)


def test_stopped_and_resumed_is_the_same_run(tiny_base: Path, tmp_path: Path):
    whole = losses(tiny_base, tmp_path / "whole", DEVICE, LoraConfig(lora_r=4))
    stop = launch.StopRequest()

    class StopsAtThree(NullReporter):
        def progress(self, title: str, done: int, total: int, note: str = "") -> None:
            stop.wanted = stop.wanted or (title == "训练" and done == 3)

    recipe = make_recipe(tiny_base, tmp_path / "halves", method=LoraConfig(lora_r=4), steps=6)
    recipe = replace(recipe, model=replace(recipe.model, device=DEVICE))
    assert finetune(recipe, StopsAtThree(), stop=stop).status == "stopped"
    assert finetune(recipe, NullReporter(), resume=True).status == "complete"
    halves = [loss for _, loss in read_metrics(tmp_path / "halves" / "metrics.jsonl")["loss"]]
    assert halves == whole


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_attention_in_few_calls_on_a_card(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype):
    lengths = (40, 1, 33, 200, 60, 300)
    torch.manual_seed(0)
    exact = [torch.randn(1, heads, sum(lengths), 64, requires_grad=True) for heads in (4, 2, 2)]
    on_card = [whole.detach().to(DEVICE, dtype).requires_grad_() for whole in exact]
    upstream = torch.randn(1, sum(lengths), 4, 64)
    monkeypatch.setattr(packing, "SHORT", 0)
    wanted = packing.attention_by_sample(None, *exact, None, lengths=lengths)[0]
    found = packing.attention_by_sample(None, *on_card, None, lengths=lengths)[0]
    theirs = [wanted, *torch.autograd.grad(wanted, exact, upstream)]
    ours = [found, *torch.autograd.grad(found, on_card, upstream.to(DEVICE, dtype))]
    bound = 1e-3 if dtype == torch.float32 else 2e-2
    for one, other in zip(theirs, ours, strict=True):
        assert float((one - other.float().cpu()).norm() / one.norm()) < bound


def test_answers_as_on_a_cpu(tiny_base: Path, tmp_path: Path):
    """A card answers in bf16, so what it thinks of a reply is near, and the reply itself need not be the same."""
    losses(tiny_base, tmp_path / "run", DEVICE, LoraConfig(lora_r=4))
    asked = Request(messages=(Message(role="user", content="粮草何在？"),), speaker="张三")
    reply, options = (
        "今夜送到东门。",
        GenerateOptions(temperature=5.0, top_k=0, top_p=1.0, max_new_tokens=24, seed=3),
    )
    engines = [
        open_local(run=tmp_path / "run", base_model="", device=device, reporter=NullReporter())  # type: ignore[arg-type]
        for device in ("cpu", DEVICE)
    ]
    assert engines[1].run(asked, options).text
    assert any(each.text for each in engines[1].generate([asked] * 8, options))
    here, there = (engine.score([asked], [reply])[0] for engine in engines)
    assert here.tokens == there.tokens
    assert there.logprob / there.tokens == pytest.approx(here.logprob / here.tokens, abs=0.05)
