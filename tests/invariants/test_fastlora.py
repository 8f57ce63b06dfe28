"""The fused LoRA layer is peft's, in value and in gradient."""

from __future__ import annotations

import copy
import statistics
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from custome.training import fastlora


def make_lora(base: Path, **options):
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base).requires_grad_(False)
    model = get_peft_model(
        model,
        LoraConfig(
            r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False, **options
        ),
    )
    return model.train()


def gradients(model, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model(input_ids=ids, labels=ids).loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_fused_equals_peft(tiny_base: Path):
    plain = make_lora(tiny_base)
    fused = copy.deepcopy(plain)
    assert fastlora.install(fused) == 14  # seven products in each of two layers
    ids = torch.randint(5, 50, (3, 11), generator=torch.Generator().manual_seed(2))
    assert torch.allclose(plain(input_ids=ids).logits, fused(input_ids=ids).logits, atol=1e-5)
    one, other = gradients(plain, ids), gradients(fused, ids)
    assert set(one) == set(other) and all("lora_" in name for name in one)
    for name in one:
        assert torch.allclose(one[name], other[name], atol=1e-5, rtol=1e-4), name
    with plain.disable_adapter(), fused.disable_adapter():
        assert torch.equal(plain(input_ids=ids).logits, fused(input_ids=ids).logits)
    assert not torch.allclose(
        plain(input_ids=ids).logits, plain.get_base_model()(input_ids=ids * 0).logits
    )


def test_fused_in_bf16_is_what_autocast_makes_of_peft(tiny_base: Path):
    exact = make_lora(tiny_base)
    plain = copy.deepcopy(exact)
    for name, p in plain.named_parameters():
        p.data = p.data if "lora_" in name else p.data.bfloat16()
    fused = copy.deepcopy(plain)
    assert fastlora.install(fused) == 14
    errors: dict[str, list[float]] = {"ours": [], "theirs": []}
    for seed in range(8):
        ids = torch.randint(5, 50, (3, 11), generator=torch.Generator().manual_seed(seed))
        wanted = gradients(exact, ids)
        with torch.autocast("cpu", torch.bfloat16):
            both = {"ours": gradients(fused, ids), "theirs": gradients(plain, ids)}
        assert all(gradient.dtype == torch.float32 for gradient in both["ours"].values())
        for name, found in both.items():
            off = sum((found[key] - wanted[key]).norm() ** 2 for key in wanted)
            errors[name].append(
                float((off / sum(wanted[key].norm() ** 2 for key in wanted)) ** 0.5)
            )
    assert statistics.median(errors["ours"]) < max(0.02, 1.5 * statistics.median(errors["theirs"]))


@pytest.mark.parametrize(
    "options", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}]
)
def test_what_is_no_plain_lora_keeps_pefts_forward(tiny_base: Path, options: dict):
    assert fastlora.install(make_lora(tiny_base, **options)) == 0


def test_a_merged_layer_still_answers(tiny_base: Path):
    model = make_lora(tiny_base).eval()
    fastlora.install(model)
    ids = torch.tensor([[2, 20, 30]])
    before = model(input_ids=ids).logits
    model.merge_adapter()
    assert torch.allclose(model(input_ids=ids).logits, before, atol=1e-4)
