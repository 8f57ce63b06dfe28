"""What leaves the house says what the model in training says; what does not, does not leave."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFValueType

from custome.cli.app import main
from custome.corpus.formats import read_samples
from custome.engine.open_local import open_local
from custome.errors import ExportError, InputError, RunError, SourceError
from custome.models import convert, proof
from custome.models.export import export
from custome.models.gguf import read_head
from custome.models.loading import load_model, load_tokenizer
from custome.models.run_folder import read_run, read_vocab_ids
from custome.reporter import NullReporter
from custome.training.finetune import finetune
from custome.tuning_methods import DoraConfig, FullConfig, LoraConfig, PrefixConfig, RsLoraConfig
from tiny import make_recipe, make_tiny_base

pytestmark = pytest.mark.slow

KINDS = ("gemma", "qwen", "qwen3", "llama", "internlm3")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A LoRA run on a base of every shape that GGUF is written for."""
    made = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind)
        base = make_tiny_base(folder / "base", kind)
        made[kind] = folder / "run"
        method = LoraConfig(lora_r=4, lora_alpha=8)
        finetune(make_recipe(base, made[kind], method=method, steps=8), NullReporter())
    return made


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random model is sure of nothing: few bits change its mind more often than a real one's."""
    monkeypatch.setattr(proof, "NEEDED", {**proof.NEEDED, "q4_0": proof.Bar(share=0.5, error=1.0)})


def held_out(run: Path):
    return read_samples(run / "valid.jsonl")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vocabulary", ["run", "full"])
def test_llama_cpp_reads_what_was_written(
    runs: dict[str, Path], tmp_path: Path, kind: str, vocabulary: str
):
    run = runs[kind]
    done = export(
        run,
        "gguf",
        tmp_path / "out",
        NullReporter(),
        quant="f32",
        vocabulary=vocabulary,
        samples=held_out(run),
    )
    assert (
        done.agreement.places > 100 and done.agreement.share > 0.995 and done.agreement.error < 1e-3
    )
    assert done.files == ("README.md", "run-f32.gguf")
    head = read_head(tmp_path / "out" / "run-f32.gguf")
    tokens = len(head.keys["tokenizer.ggml.tokens"].elements())
    base = load_model(Path(read_base(run)))
    assert tokens == (
        len(read_vocab_ids(run) or ()) if vocabulary == "run" else base.config.vocab_size
    )
    assert "transformers" not in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def read_base(run: Path) -> str:
    return json.loads((run / "run.json").read_text(encoding="utf-8"))["base_model"]


@pytest.mark.parametrize("kind", ["gemma", "qwen", "llama"])
def test_llama_cpp_splits_text_as_the_tokenizer_does(
    runs: dict[str, Path], tmp_path: Path, kind: str
):
    """A prompt given as text is answered as the same prompt given as token ids is."""
    import xllamacpp

    export(runs[kind], "gguf", tmp_path / "out", NullReporter(), quant="f32", vocabulary="full")
    tokenizer = load_tokenizer(Path(read_base(runs[kind])))
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.warmup, params.verbosity = (
        str(tmp_path / "out" / "run-f32.gguf"),
        512,
        False,
        -1,
    )
    server = xllamacpp.Server(params)
    for text in ("张三到东门。书信何在？李四曰：“", "Hello42,今夜😀", "救名画还是猫"):
        ids = list(tokenizer(text, add_special_tokens=False).input_ids)
        asked = {"n_predict": 1, "temperature": 0, "cache_prompt": False}
        one, other = (
            server.handle_completions({"prompt": prompt, **asked}) for prompt in (text, ids)
        )
        begins = one["usage"]["prompt_tokens"] - other["usage"]["prompt_tokens"]
        assert begins in (0, 1), text  # the text may get a <bos> in front


def test_a_template_given_by_name_and_its_end_token_go_along(tmp_path: Path):
    base = make_tiny_base(tmp_path / "plain")
    model, tokenizer = load_model(base), load_tokenizer(base)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    finetune(make_recipe(tmp_path / "base", tmp_path / "first", steps=1), NullReporter())
    export(
        tmp_path / "first",
        "gguf",
        tmp_path / "gguf",
        NullReporter(),
        quant="f32",
        vocabulary="full",
    )
    base = tmp_path / "gguf" / "first-f32.gguf"  # says nothing of how it is spoken to

    recipe = make_recipe(base, tmp_path / "run", steps=4)
    recipe = dataclasses.replace(
        recipe, model=dataclasses.replace(recipe.model, chat_format="chatml")
    )
    finetune(recipe, NullReporter())
    assert read_run(tmp_path / "run").chat_format == "chatml"
    export(tmp_path / "run", "gguf", tmp_path / "out", NullReporter(), quant="f32")
    keys = read_head(tmp_path / "out" / "run-f32.gguf").keys
    end = int.from_bytes(keys["tokenizer.ggml.eos_token_id"].raw[-4:], "little")
    assert keys["tokenizer.ggml.tokens"].elements()[end].endswith(b"<|im_end|>")
    assert b"<|im_start|>assistant" in keys["tokenizer.chat_template"].raw
    engine = open_local(run=tmp_path / "run", base_model="", reporter=NullReporter())
    assert engine.kind == "template" and engine.count_tokens("<|im_end|>") == 1


@pytest.mark.parametrize("quant", ["f16", "q8_0", "q4_0"])
@pytest.mark.usefixtures("lenient")
def test_quantizations(runs: dict[str, Path], tmp_path: Path, quant: str):
    run = runs["gemma"]
    done = export(run, "gguf", tmp_path / "out", NullReporter(), quant=quant, samples=held_out(run))
    assert done.agreement.share >= proof.NEEDED[quant].share
    kinds = {info.kind for info in read_head(tmp_path / "out" / f"run-{quant}.gguf").tensors}
    assert int(convert.QUANTS[quant]) in kinds


@pytest.mark.parametrize(
    "method",
    [RsLoraConfig(lora_r=4, lora_alpha=8), DoraConfig(lora_r=4, lora_alpha=8), FullConfig()],
)
def test_other_methods_merge_too(tmp_path: Path, method):
    base = make_tiny_base(tmp_path / "base", "llama")
    rate = 1e-2 if isinstance(method, FullConfig) else 2e-2
    finetune(
        make_recipe(base, tmp_path / "run", method=method, steps=6, learning_rate=rate),
        NullReporter(),
    )
    done = export(tmp_path / "run", "gguf", tmp_path / "out", NullReporter(), quant="f32")
    assert done.agreement.share > 0.995
    done = export(tmp_path / "run", "hf", tmp_path / "hf", NullReporter(), quant="f32")
    assert done.agreement.share == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_merged_folder_is_read_by_transformers_alone(
    runs: dict[str, Path], tmp_path: Path, kind: str
):
    run = runs[kind]
    done = export(run, "hf", tmp_path / "out", NullReporter(), quant="f32", samples=held_out(run))
    assert done.agreement.share == 1.0 and done.agreement.error < 1e-4
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= set(done.files)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "验证损失" in card and "SHA-256" in card and "核对" in card


def test_the_adapter_folder_is_read_by_peft_alone(runs: dict[str, Path]):
    """A run folder needs nothing of ours."""
    code = (
        "import sys, torch; from peft import PeftModel; from transformers import AutoModelForCausalLM\n"
        "base = AutoModelForCausalLM.from_pretrained(sys.argv[1]); ids = torch.tensor([[2, 300, 301]])\n"
        "before = base(input_ids=ids).logits.clone(); tuned = PeftModel.from_pretrained(base, sys.argv[2])\n"
        "print(float((tuned(input_ids=ids).logits - before).abs().max()), 'custome' in sys.modules)"
    )
    command = [sys.executable, "-c", code, read_base(runs["gemma"]), str(runs["gemma"])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    change, ours = done.stdout.split()
    assert float(change) > 0.01 and ours == "False"


def test_a_chatglm_is_merged_into_a_folder(tmp_path: Path):
    base = make_tiny_base(tmp_path / "base", "chatglm")
    method = LoraConfig(lora_r=4, lora_alpha=8, lora_targets=("query_key_value",))
    finetune(make_recipe(base, tmp_path / "run", method=method, steps=6), NullReporter())
    done = export(tmp_path / "run", "hf", tmp_path / "out", NullReporter(), quant="f32")
    assert done.agreement.share > 0.99 and "model.safetensors" in done.files


def test_an_adapter_without_effect_is_found_out(
    gguf_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from gguf import GGUFWriter

    monkeypatch.setattr(
        GGUFWriter,
        "add_float32",
        lambda self, key, value: self.add_key_value(key, 1e-9, GGUFValueType.FLOAT32),
    )
    monkeypatch.setattr(proof, "NEEDED", {"": proof.Bar(share=0, error=9)})
    with pytest.raises(ExportError, match="不起作用"):
        export(
            gguf_run / "run",
            "adapter-gguf",
            tmp_path / "out",
            NullReporter(),
            home=gguf_run / "home",
        )
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_that_splits_otherwise_is_found_out(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from gguf import GGUFWriter

    monkeypatch.setattr(
        GGUFWriter,
        "add_add_bos_token",
        lambda self, wanted: self.add_bool("tokenizer.ggml.add_bos_token", True),
    )
    with pytest.raises(ExportError, match="分词器没写对"):
        export(
            runs["llama"],
            "gguf",
            tmp_path / "out",
            NullReporter(),
            quant="f32",
            samples=held_out(runs["llama"]),
        )


def test_ollama_gets_a_modelfile(runs: dict[str, Path], tmp_path: Path):
    export(runs["gemma"], "ollama", tmp_path / "out", NullReporter())
    told = (tmp_path / "out" / "Modelfile").read_text(encoding="utf-8")
    assert told.startswith("FROM ./run-f16.gguf") and "PARAMETER stop ”" in told and "曰：" in told


@pytest.fixture(scope="module")
def gguf_run(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a base that is a GGUF file with quantized rows."""
    folder = tmp_path_factory.mktemp("from-gguf")
    export(runs["gemma"], "gguf", folder / "first", NullReporter(), quant="q8_0", vocabulary="full")
    source = folder / "base.gguf"
    shutil.copy(folder / "first" / "run-q8_0.gguf", source)
    recipe = make_recipe(source, folder / "run", method=LoraConfig(lora_r=4, lora_alpha=8), steps=6)
    finetune(recipe, NullReporter(), home=folder / "home")
    return folder


def test_stored_rows_stay_as_they_were(gguf_run: Path, tmp_path: Path):
    source = read_head(gguf_run / "base.gguf")
    export(
        gguf_run / "run",
        "gguf",
        tmp_path / "out",
        NullReporter(),
        quant="q8_0",
        home=gguf_run / "home",
    )
    written = read_head(tmp_path / "out" / "run-q8_0.gguf")
    before, after = (
        next(t for t in head.tensors if t.name == "token_embd.weight") for head in (source, written)
    )
    assert before.kind == after.kind == int(convert.QUANTS["q8_0"])
    vocab_ids = list(read_vocab_ids(gguf_run / "run") or ())
    rows = np.fromfile(gguf_run / "base.gguf", np.uint8)[source.data_start + before.offset :][
        : before.bytes
    ]
    ours = np.fromfile(tmp_path / "out" / "run-q8_0.gguf", np.uint8)[
        written.data_start + after.offset :
    ][: after.bytes]
    assert np.array_equal(
        rows.reshape(before.shape[1], -1)[vocab_ids], ours.reshape(after.shape[1], -1)
    )


def test_an_adapter_beside_its_base(gguf_run: Path, tmp_path: Path):
    done = export(
        gguf_run / "run", "adapter-gguf", tmp_path / "out", NullReporter(), home=gguf_run / "home"
    )
    assert done.files == ("README.md", "run-adapter.gguf")


def test_a_wrong_file_is_found_out_and_nothing_is_left(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Rotated rows left as they were: the error everybody makes once with Llama."""
    monkeypatch.setattr(convert, "in_pairs", lambda rows, heads: rows)
    with pytest.raises(ExportError, match="不一样"):
        export(
            runs["llama"],
            "gguf",
            tmp_path / "out",
            NullReporter(),
            quant="f32",
            samples=held_out(runs["llama"]),
        )
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_named(runs: dict[str, Path], tmp_path: Path):
    base = make_tiny_base(tmp_path / "base", "glm4")
    finetune(make_recipe(base, tmp_path / "glm" / "run", steps=2), NullReporter())
    with pytest.raises(SourceError, match="glm4"):
        export(tmp_path / "glm" / "run", "gguf", tmp_path / "a", NullReporter())
    prefix = make_recipe(
        make_tiny_base(tmp_path / "b2"),
        tmp_path / "p" / "run",
        method=PrefixConfig(virtual_tokens=4),
        steps=2,
    )
    finetune(prefix, NullReporter())
    with pytest.raises(RunError, match="虚拟词"):
        export(tmp_path / "p" / "run", "hf", tmp_path / "a", NullReporter())
    with pytest.raises(RunError, match="不是从 GGUF 来的"):
        export(runs["gemma"], "adapter-gguf", tmp_path / "a", NullReporter())
    with pytest.raises(InputError, match="q4_0"):
        export(runs["gemma"], "hf", tmp_path / "a", NullReporter(), quant="q4_0")
    with pytest.raises(InputError, match="已经有东西"):
        export(runs["gemma"], "gguf", tmp_path, NullReporter())
    assert not (tmp_path / "a").exists()


def test_another_base_under_the_same_name_is_refused(tmp_path: Path):
    base = make_tiny_base(tmp_path / "base", "llama")
    finetune(make_recipe(base, tmp_path / "run", steps=2), NullReporter())
    shutil.rmtree(base)
    make_tiny_base(base, "qwen")
    with pytest.raises(RunError, match="指纹"):
        export(tmp_path / "run", "gguf", tmp_path / "out", NullReporter())


def test_llama3_factors_are_those_of_transformers():
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rope = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    config = LlamaConfig(hidden_size=256, num_attention_heads=2, rope_parameters=rope)
    slowed, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    plain = 1.0 / (rope["rope_theta"] ** (torch.arange(0, 128, 2).float() / 128))
    np.testing.assert_allclose(
        convert.llama3_factors(rope, 128), (plain / slowed).numpy(), rtol=1e-4
    )


def test_command(
    runs: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(runs["qwen"]), "--to", "gguf", "--quant", "f16"]) == 0
    out = capsys.readouterr().out
    assert "重新读回" in out and (tmp_path / "exports" / "run-gguf-f16" / "run-f16.gguf").is_file()
    assert main(["export", "nowhere"]) == 2
