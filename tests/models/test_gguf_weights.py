"""Weights read straight from a GGUF file: those of the model it was made from, for every architecture and kept token."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from custome.errors import SourceError
from custome.model_catalog import shipped_models
from custome.models import convert
from custome.models.gguf import POINTER, gguf_of, point_to
from custome.models.loading import load_model
from custome.models.run_folder import RunInfo
from custome.models.sources import fingerprint, other_base, resolve_base, same_base
from custome.reporter import NullReporter
from custome.resources import sha256_of
from tiny import make_tiny_base


def as_gguf(folder: Path, target: Path, quant: str = "f32") -> Path:
    """A base model's folder written as a GGUF file."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = model.config.get_text_config()
    architecture = convert.architecture_of(config)
    place_of = convert.names_for(architecture, config.num_hidden_layers)
    tensors = {}
    for name, tensor in model.state_dict().items():
        if place_of(name) != "output.weight" or not config.tie_word_embeddings:
            array = convert.as_stored(architecture, name, tensor.numpy(), config)
            tensors[place_of(name)] = convert.stored(array, quant)
    target.parent.mkdir(parents=True, exist_ok=True)
    convert.write_model(
        target, tensors, config, AutoTokenizer.from_pretrained(folder), quant=quant, name="tiny"
    )
    return target


@pytest.mark.parametrize("kind", ["gemma", "qwen", "qwen3", "llama"])
def test_every_weight_is_the_models_own(kind: str, tmp_path: Path):
    folder = make_tiny_base(tmp_path / "base", kind)
    base = resolve_base(
        str(as_gguf(folder, tmp_path / "tiny.gguf")), NullReporter(), home=tmp_path / "home"
    )
    assert (
        not list(base.glob("*.safetensors")) and gguf_of(base) == tmp_path / "tiny.gguf"
    )  # no second copy on the disk
    original, read = load_model(folder, dtype=torch.float32), load_model(base, dtype=torch.float32)
    own = dict(original.named_parameters())
    for name, weight in read.named_parameters():
        assert torch.allclose(weight, own[name], atol=1e-6), name


def test_of_kept_tokens_only_their_rows_are_read(tmp_path: Path):
    folder = make_tiny_base(tmp_path / "base", "qwen")
    base = resolve_base(
        str(as_gguf(folder, tmp_path / "tiny.gguf")), NullReporter(), home=tmp_path / "home"
    )
    vocab_ids = [0, 1, 2, 5, 9, 40, 41]
    whole, cut = (
        load_model(base, dtype=torch.float32),
        load_model(base, dtype=torch.float32, vocab_ids=vocab_ids),
    )
    ids = torch.tensor([[2, 3, 4, 5]])
    logits = whole(torch.tensor([[vocab_ids[i] for i in ids[0]]])).logits[..., vocab_ids]
    assert cut.get_input_embeddings().weight.shape[0] == len(vocab_ids)
    assert torch.allclose(cut(ids).logits, logits, atol=1e-5)


def test_quantized_weights_become_the_type_they_are_used_in(tmp_path: Path):
    folder = make_tiny_base(tmp_path / "base", "llama")
    base = resolve_base(
        str(as_gguf(folder, tmp_path / "tiny.gguf", "q8_0")), NullReporter(), home=tmp_path / "home"
    )
    read = load_model(base, dtype=torch.bfloat16)
    own = dict(load_model(folder, dtype=torch.float32).named_parameters())
    for name, weight in read.named_parameters():
        assert weight.dtype == torch.bfloat16 and torch.allclose(
            weight.float(), own[name], atol=2e-2
        ), name


def test_a_file_that_is_cut_or_gone_is_named(tmp_path: Path):
    folder = make_tiny_base(tmp_path / "base", "qwen")
    file = as_gguf(folder, tmp_path / "tiny.gguf")
    base = resolve_base(str(file), NullReporter(), home=tmp_path / "home")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"tiny\.gguf"):
        load_model(base)
    file.unlink()
    with pytest.raises(SourceError, match=r"tiny\.gguf"):
        load_model(base)


def test_runs_of_an_earlier_release_know_their_base(tmp_path: Path):
    """It filled the folder of a GGUF file with fp32 weights, and run.json has the fingerprint of that."""
    folder = make_tiny_base(tmp_path / "base", "qwen")
    file = as_gguf(folder, tmp_path / "tiny.gguf")
    target = tmp_path / "home" / "models" / f"tiny-{sha256_of(file)[:12]}"
    shutil.copytree(folder, target)
    before = fingerprint(target)
    info = RunInfo(
        status="complete",
        base_model=str(file),
        base_fingerprint=before,
        chat_format="novel",
        data_fingerprint="d",
    )
    base = resolve_base(str(file), NullReporter(), home=tmp_path / "home")
    assert base == target and not list(base.glob("*.safetensors")) and fingerprint(base) != before
    assert other_base(tmp_path, info, base) == ""
    assert (
        resolve_base(str(file), NullReporter(), home=tmp_path / "home") == base
        and other_base(tmp_path, info, base) == ""
    )
    assert "指纹" in other_base(
        tmp_path, dataclasses.replace(info, base_fingerprint="another"), base
    )


def test_a_base_of_the_list_keeps_its_former_name():
    former = shipped_models()["gemma3-270m"].former_fingerprints[0]
    assert (
        same_base("embedded", former, "now")
        and same_base("gemma3-270m", "now", former)
        and same_base("x", "a", "a")
    )
    assert not same_base("embedded", "other", "now") and not same_base(
        "/a/file.gguf", former, "now"
    )


def test_other_weights_have_another_fingerprint_and_a_moved_file_keeps_its_own(tmp_path: Path):
    prints = []
    for seed in (0, 1):
        folder = make_tiny_base(tmp_path / f"base{seed}", "qwen")
        if seed:
            model = AutoModelForCausalLM.from_pretrained(folder)
            torch.nn.init.normal_(model.model.layers[0].mlp.up_proj.weight)
            model.save_pretrained(folder)
        base = resolve_base(
            str(as_gguf(folder, tmp_path / str(seed) / "tiny.gguf")),
            NullReporter(),
            home=tmp_path / "home",
        )
        prints.append(fingerprint(base))
    assert prints[0] != prints[1]
    moved = tmp_path / "elsewhere.gguf"
    (tmp_path / "1" / "tiny.gguf").rename(moved)
    point_to(base, moved)
    assert fingerprint(base) == prints[1] and json.loads((base / POINTER).read_text())[
        "file"
    ] == str(moved)
