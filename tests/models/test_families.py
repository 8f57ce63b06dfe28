"""Every family of base models that the documentation names, one row each: a tiny random model of its architecture is loaded,
tuned, saved, loaded again, merged, saved whole and asked. The rows are printed as a table at the end of the test run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from custome.models.adapters import load_adapter
from custome.models.chat_format import open_format
from custome.models.loading import load_base, load_model, load_tokenizer
from custome.models.run_folder import read_run
from custome.models.sources import llamacpp_knows
from custome.reporter import NullReporter
from custome.training.finetune import finetune
from custome.tuning_methods import LoraConfig
from custome.types import Message
from tiny import make_recipe, make_tiny_base

pytestmark = pytest.mark.slow

FAMILIES = [
    ("ChatGLM-6B", "chatglm", "custome", ("query_key_value",)),
    ("GLM-4 9B", "glm", "transformers", ("all-linear",)),
    ("GLM-4-0414", "glm4", "transformers", ("all-linear",)),
    ("Gemma 3", "gemma", "transformers", ("all-linear",)),
    ("Qwen 2 / 2.5、DeepSeek 蒸馏（Qwen）", "qwen", "transformers", ("all-linear",)),
    ("Qwen 3", "qwen3", "transformers", ("all-linear",)),
    ("Llama 3、Yi、DeepSeek 蒸馏（Llama）", "llama", "transformers", ("all-linear",)),
    ("InternLM 3", "internlm3", "transformers", ("all-linear",)),
    ("MiniCPM 3", "minicpm3", "transformers", ("all-linear",)),
]


@pytest.mark.parametrize(
    ("family", "kind", "code", "targets"), FAMILIES, ids=[row[1] for row in FAMILIES]
)
def test_family(
    tmp_path: Path,
    request: pytest.FixtureRequest,
    family: str,
    kind: str,
    code: str,
    targets: tuple,
):
    base, run = make_tiny_base(tmp_path / "base", kind), tmp_path / "run"
    method = LoraConfig(lora_r=4, lora_alpha=8, lora_targets=targets)
    finetune(make_recipe(base, run, method=method, steps=10), NullReporter())
    results = read_run(run).results
    assert results["valid_loss"] < results["base_valid_loss"]

    tokenizer = load_tokenizer(base)
    prompt = open_format(tokenizer).prompt([Message(role="user", content="书信何在？")], "张三")
    ids = torch.tensor([prompt])
    tuned = load_adapter(load_model(base), run)
    with torch.no_grad():
        before, after = load_model(base)(input_ids=ids).logits, tuned(input_ids=ids).logits
    assert (after - before).abs().max() > 1e-3
    reply = tuned.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False
    )
    merged = tuned.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    tokenizer.save_pretrained(tmp_path / "merged")
    again = load_base(tmp_path / "merged")
    with torch.no_grad():
        torch.testing.assert_close(again.model(input_ids=ids).logits, after, atol=2e-3, rtol=1e-3)
    second = again.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False
    )
    assert second.tolist() == reply.tolist() or kind == "chatglm"  # its file is fp16
    assert (
        open_format(again.tokenizer).prompt([Message(role="user", content="书信何在？")], "张三")
        == prompt
    )
    row = [
        family,
        type(again.model).__name__,
        code,
        f"{results['base_valid_loss']:.2f} → {results['valid_loss']:.2f}",
        "GGUF、safetensors" if llamacpp_knows(str(base)) else "safetensors",
    ]
    request.config.stash.setdefault(request.config.family_rows, []).append(row)
