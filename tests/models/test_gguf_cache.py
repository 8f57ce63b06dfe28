"""What llama.cpp is given of a run: merged matrices, and for several runs one base whose tokens have one numbering."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from custome.engine.local import LocalEngine
from custome.engine.open import EngineOptions, open_models
from custome.errors import ExportError
from custome.models import gguf_cache
from custome.models.export import export
from custome.models.gguf import read_head
from custome.models.run_folder import read_run, read_vocab_ids
from custome.reporter import NullReporter
from custome.training.finetune import finetune
from custome.tuning_methods import PrefixConfig, RsLoraConfig
from tiny import PLACES, make_recipe, make_tiny_base


def tensors(path: Path) -> dict[str, np.ndarray]:
    head, raw = read_head(path), np.memmap(path, dtype=np.uint8, mode="r")
    found = {}
    for info in head.tensors:
        data = raw[head.data_start + info.offset : head.data_start + info.offset + info.bytes]
        kind = GGMLQuantizationType(info.kind)
        found[info.name] = (
            data.view(np.float32)
            if kind == GGMLQuantizationType.F32
            else dequantize(data.reshape(info.shape[-1], -1), kind)
        ).ravel()
    return found


@pytest.mark.slow
def test_merged_by_numpy_as_by_peft(tmp_path: Path):
    """rsLoRA, whose scale is the other one."""
    finetune(
        make_recipe(make_tiny_base(tmp_path / "base"), tmp_path / "first", steps=1), NullReporter()
    )
    export(
        tmp_path / "first",
        "gguf",
        tmp_path / "gguf",
        NullReporter(),
        quant="f32",
        vocabulary="full",
    )
    recipe = make_recipe(
        tmp_path / "gguf" / "first-f32.gguf",
        tmp_path / "run",
        steps=6,
        method=RsLoraConfig(lora_r=4, lora_alpha=8),
    )
    finetune(recipe, NullReporter())
    export(tmp_path / "run", "gguf", tmp_path / "out", NullReporter(), quant="f32")
    ours = tensors(gguf_cache.prepare(tmp_path / "run", NullReporter(), quant="f32").model)
    theirs = tensors(tmp_path / "out" / "run-f32.gguf")
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, atol=2e-5, err_msg=name)


def merging_base(folder: Path) -> Path:
    """A base whose tokenizer joins characters, so that two books keep different tokens."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    words = [*PLACES, "送到", "何在", "粮草", "书信", "宝剑", "药材", "alpha", "omega"]
    tokenizer.pre_tokenizer = pre_tokenizers.Split(r"[？。，：“”]", "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        show_progress=False,
        special_tokens=["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{i:02X}>" for i in range(256))],
    )
    tokenizer.train_from_iterator(
        [f"{word}？。，：“”张三李四曰今夜明早" for word in words for _ in range(5)] + words * 20,
        trainer,
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
    )
    config = CONFIG_MAPPING["gemma3_text"](
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=512,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
        sliding_window=64,
        query_pre_attn_scalar=16,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_two_books_of_different_words_on_one_base(tmp_path: Path):
    base = merging_base(tmp_path / "base")
    finetune(make_recipe(base, tmp_path / "first", steps=1), NullReporter())
    export(
        tmp_path / "first",
        "gguf",
        tmp_path / "gguf",
        NullReporter(),
        quant="f32",
        vocabulary="full",
    )
    runs = []
    for name, places, word in (("east", PLACES[:4], "alpha"), ("west", PLACES[4:], "omega")):
        rows = [
            {"context": f"{thing}何在？张三曰：", "chat": f"“送到{place}。{word}”"}
            for thing in ("粮草", "书信")
            for place in places
        ] * 4
        (tmp_path / f"{name}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
        )
        recipe = make_recipe(
            tmp_path / "gguf" / "first-f32.gguf",
            tmp_path / name,
            steps=2,
            data={"train_path": str(tmp_path / f"{name}.jsonl"), "val_set_size": 4},
        )
        finetune(recipe, NullReporter())
        runs.append(tmp_path / name)
    assert read_vocab_ids(runs[0]) != read_vocab_ids(runs[1])
    shared = gguf_cache.prepare_shared(runs, NullReporter())
    words = [
        raw[8:].decode("utf-8", "replace")
        for raw in read_head(shared[0].model).keys["tokenizer.ggml.tokens"].elements()
    ]
    for one, run in zip(shared, runs, strict=True):
        alone = gguf_cache.prepare(run, NullReporter()).tokenizer
        for text in ("粮草何在？张三曰：", f"“送到{PLACES[0]}。”", f"“送到{PLACES[5]}。”"):
            ids = one.tokenizer(text, add_special_tokens=False).input_ids
            assert (
                one.tokenizer.decode(ids)
                == text
                == alone.decode(alone(text, add_special_tokens=False).input_ids)
            )
            written = "".join(words[number] for number in ids)
            assert (
                "<0x" in written or written == text
            )  # the file means by these numbers what the text says
        assert words[one.tokenizer.bos_token_id or 0] == "<bos>"


def test_over_a_large_base_the_adapter_stays_beside_it(
    gguf_runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run, home = gguf_runs["east"], tmp_path / "home"
    monkeypatch.setattr(gguf_cache, "LARGE_BYTES", 0)
    one = gguf_cache.prepare(run, NullReporter(), home=home)
    assert len(one.adapters) == 1 and one.model.name.startswith("base-")
    monkeypatch.setattr(
        gguf_cache, "gguf_behind", lambda *_, **__: pytest.fail("the base is not needed any more")
    )
    again = gguf_cache.prepare(run, NullReporter(), home=home)
    assert (again.model, again.adapters) == (one.model, one.adapters)


def test_a_run_trained_anew_is_prepared_anew(gguf_runs: dict[str, Path], tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(gguf_runs["east"], run)
    home = gguf_runs["east"].parents[1] / "home"
    first = gguf_cache.prepare(run, NullReporter(), home=home).model
    assert gguf_cache.prepare(run, NullReporter(), home=home).model == first
    shutil.copy(gguf_runs["west"] / "adapter_model.safetensors", run / "adapter_model.safetensors")
    second = gguf_cache.prepare(run, NullReporter(), home=home).model
    assert second != first and not first.exists()


@pytest.mark.slow
def test_what_numpy_cannot_merge_is_exported_apart_and_its_errors_come_back(tmp_path: Path):
    """In a process of its own; what a killed one left behind is no obstacle."""
    base, run, home = make_tiny_base(tmp_path / "base"), tmp_path / "run", tmp_path / "home"
    finetune(make_recipe(base, run, steps=1), NullReporter())
    target = gguf_cache._place(run, read_run(run), "f32", home)
    left = target.with_suffix(".export")
    left.mkdir(parents=True)
    (left / "half.gguf").write_bytes(b"half")
    made = gguf_cache.prepare(run, NullReporter(), quant="f32", home=home)
    assert made.model == target and read_head(target).tensors and not left.exists()

    virtual = make_recipe(
        base, tmp_path / "virtual", method=PrefixConfig(virtual_tokens=4), steps=1
    )
    finetune(virtual, NullReporter())
    with pytest.raises(ExportError, match="虚拟词") as caught:
        gguf_cache.prepare(tmp_path / "virtual", NullReporter(), quant="f32", home=home)
    assert "--engine local" in caught.value.hint
    options = EngineOptions(engine="auto", device="cpu")
    hosted = open_models([str(tmp_path / "virtual")], options, NullReporter()).hosted[0]
    assert isinstance(hosted.engine, LocalEngine)  # what llama.cpp cannot hold, transformers serves
    hosted.engine.close()
