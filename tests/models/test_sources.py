"""Naming a base model: what is found, and what is said when it is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from custome.errors import InputError, RunError, SourceError
from custome.models.compute import pick_device
from custome.models.gguf import prepare_gguf, rewrite_gguf
from custome.models.loading import load_base, load_model, trust_code_in
from custome.models.run_folder import RunInfo, check_adapter, read_run, write_run
from custome.models.sources import fingerprint, resolve_base
from custome.reporter import NullReporter
from custome.types import Character
from tiny import make_tiny_base


def test_a_folder_is_itself(tiny_base: Path):
    assert resolve_base(str(tiny_base), NullReporter()) == tiny_base
    base = load_base(tiny_base)
    assert not any(p.requires_grad for p in base.model.parameters()) and not base.model.training


def test_a_missing_shard_is_named(tiny_base: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_base, tmp_path / "base")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {
        "weight_map": {
            "a": "model-00001-of-00002.safetensors",
            "b": "model-00002-of-00002.safetensors",
        }
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(SourceError, match="model-00002-of-00002"):
        resolve_base(str(folder), NullReporter())


def test_folders_that_are_no_model(tmp_path: Path, tiny_base: Path):
    with pytest.raises(SourceError, match="config.json"):
        resolve_base(str(tmp_path), NullReporter())
    shutil.copy(tiny_base / "config.json", tmp_path)
    with pytest.raises(SourceError, match="没有分词器"):
        resolve_base(str(tmp_path), NullReporter())
    shutil.copy(tiny_base / "tokenizer.json", tmp_path)
    with pytest.raises(SourceError, match="没有权重"):
        resolve_base(str(tmp_path), NullReporter())


def test_damaged_weights_are_a_source_error(tiny_base: Path, tmp_path: Path):
    folder = shutil.copytree(tiny_base, tmp_path / "base")
    (folder / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(SourceError, match="base"):
        load_base(folder)


@pytest.mark.parametrize("spec", ["./nowhere", "/no/such/model", "一个不存在的名字"])
def test_an_unknown_name_lists_what_is_possible(spec: str):
    with pytest.raises(InputError) as caught:
        resolve_base(spec, NullReporter())
    assert repr(spec) in caught.value.message and "custome models" in caught.value.hint


def test_without_the_hub_three_ways_on_are_named(monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    def unreachable(*args: object, **options: object) -> str:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    with pytest.raises(SourceError) as caught:
        resolve_base("hf:org/name", NullReporter())
    assert "org/name" in caught.value.message and "unreachable" in caught.value.message
    assert all(way in caught.value.hint for way in ("--base-model", "HF_ENDPOINT", "embedded"))


def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path):
    path = tmp_path / "a.gguf"
    path.write_bytes(b"nonsense")
    with pytest.raises(SourceError, match="不是 GGUF"):
        prepare_gguf(path, tmp_path / "out", NullReporter())
    assert not (tmp_path / "out").exists()


def test_fingerprints_tell_models_apart(tiny_base: Path, tmp_path: Path):
    copy = shutil.copytree(tiny_base, tmp_path / "copy")
    assert fingerprint(copy) == fingerprint(tiny_base)
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps({**config, "rope_theta": 1}), encoding="utf-8")
    assert fingerprint(copy) != fingerprint(tiny_base)


def test_asking_for_a_card_that_is_not_there():
    import torch

    if torch.cuda.is_available():
        assert pick_device("auto") == "cuda"
    else:
        with pytest.raises(InputError, match="cuda"):
            pick_device("cuda")


def test_run_folders_are_read_back_or_explained(tmp_path: Path):
    info = RunInfo(
        status="complete",
        base_model="embedded",
        base_fingerprint="f",
        chat_format="novel",
        data_fingerprint="d",
        characters=(Character(name="曹操", cue="操公", utterances=3),),
    )
    write_run(tmp_path, info)
    assert read_run(tmp_path) == info
    with pytest.raises(RunError, match="adapter_config"):
        check_adapter(tmp_path)
    with pytest.raises(RunError, match="找不到"):
        read_run(tmp_path / "nowhere")
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match="读不懂"):
        read_run(tmp_path)


FOREIGN = """
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM
Path(__file__).with_name("ran").touch()
(Path({marker!r})).touch()
class ForeignConfig(LlamaConfig):
    model_type = "foreign"
class ForeignForCausalLM(LlamaForCausalLM):
    config_class = ForeignConfig
"""


def test_code_in_a_base_runs_only_when_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, marker = make_tiny_base(tmp_path / "foreign", "llama"), tmp_path / "ran"
    (folder / "modeling_foreign.py").write_text(
        FOREIGN.format(marker=str(marker)), encoding="utf-8"
    )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {
        "model_type": "foreign",
        "auto_map": {
            "AutoConfig": "modeling_foreign.ForeignConfig",
            "AutoModelForCausalLM": "modeling_foreign.ForeignForCausalLM",
        },
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(SourceError, match="Python 代码") as found:
        load_model(folder)
    assert "--trust-remote-code" in found.value.hint and not marker.exists()
    with pytest.raises(InputError, match="不是要载入的底座"):
        trust_code_in(folder, "somebody/else", str(folder))
    trust_code_in(folder, str(folder), str(folder))
    assert type(load_model(folder)).__name__ == "ForeignForCausalLM" and marker.exists()


def test_a_shard_cut_short_is_named_however_it_is_read(tiny_base: Path, tmp_path: Path):
    folder = tmp_path / "short"
    shutil.copytree(tiny_base, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5000])
    for vocab_ids in (None, list(range(0, 300))):  # mapped, and read row by row
        with pytest.raises(SourceError, match="short|重新下载|损坏|头里说"):
            load_model(folder, vocab_ids=vocab_ids)


def test_a_folder_without_tokenizer_is_named(tiny_base: Path, tmp_path: Path):
    folder = tmp_path / "mute"
    shutil.copytree(tiny_base, folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(SourceError, match="没有分词器"):
        resolve_base(str(folder), NullReporter())


def test_a_gguf_of_an_unknown_architecture_is_named(tmp_path: Path):
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "odd.gguf", "nobodys")
    writer.add_uint32("nobodys.block_count", 1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(SourceError, match=r"odd\.gguf"):
        prepare_gguf(tmp_path / "odd.gguf", tmp_path / "out", NullReporter())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["cut", "count", "kind", "length"])
def test_a_damaged_gguf_is_named_and_nothing_is_written(tmp_path: Path, damage: str):
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "a.gguf", "gemma3")
    writer.add_array("tokenizer.ggml.tokens", ["一", "二", "三"])
    writer.add_tensor("token_embd.weight", np.zeros((3, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    data = bytearray((tmp_path / "a.gguf").read_bytes())
    if damage == "cut":
        data = data[:-200]
    elif damage == "count":
        data[16:24] = (2**60).to_bytes(8, "little")
    elif damage == "kind":
        at = data.index(b"tokenizer.ggml.tokens") + len("tokenizer.ggml.tokens")
        data[at : at + 4] = (77).to_bytes(4, "little")
    else:
        data[24:32] = (2**62).to_bytes(8, "little")
    (tmp_path / "a.gguf").write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.gguf"):
        rewrite_gguf(tmp_path / "a.gguf", tmp_path / "b.gguf", vocab_ids=[0, 2])
    assert not (tmp_path / "b.gguf").exists()
