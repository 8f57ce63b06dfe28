"""A GGUF file with fewer tokens: rows as they were stored, numbers and merges consistent, the rest untouched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, quants

from custome.errors import SourceError
from custome.models.gguf import rewrite_gguf

TOKENS = ["<pad>", "<eos>", "<bos>", "你", "好", "你好", "x", "y", "xy"]
KEPT = [0, 2, 3, 4, 5, 6]


def make_gguf(path: Path) -> np.ndarray:
    dice = np.random.default_rng(0)
    embedding = dice.standard_normal((len(TOKENS), 64)).astype(np.float32)
    writer = GGUFWriter(path, "gemma3")
    writer.add_uint32("gemma3.block_count", 1)
    writer.add_uint32("gemma3.vocab_size", len(TOKENS))
    writer.add_array("tokenizer.ggml.tokens", TOKENS)
    writer.add_array("tokenizer.ggml.scores", [float(-i) for i in range(len(TOKENS))])
    writer.add_array("tokenizer.ggml.token_type", [3, 3, 3, 1, 1, 1, 1, 1, 1])
    writer.add_array("tokenizer.ggml.merges", ["你 好", "x y"])
    writer.add_uint32("tokenizer.ggml.bos_token_id", 2)
    writer.add_uint32("tokenizer.ggml.eos_token_id", 1)
    stored = quants.quantize(embedding, GGMLQuantizationType.Q8_0)
    writer.add_tensor("token_embd.weight", stored, raw_dtype=GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.attn_q.weight", embedding[:8])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return stored


def test_rows_are_sliced_as_stored(tmp_path: Path):
    stored = make_gguf(tmp_path / "full.gguf")
    rewrite_gguf(tmp_path / "full.gguf", tmp_path / "small.gguf", vocab_ids=KEPT)
    full, small = GGUFReader(tmp_path / "full.gguf"), GGUFReader(tmp_path / "small.gguf")
    tensors = {t.name: t for t in small.tensors}
    assert tensors["token_embd.weight"].tensor_type == GGMLQuantizationType.Q8_0
    assert np.array_equal(tensors["token_embd.weight"].data, stored[KEPT])
    assert np.array_equal(
        tensors["blk.0.attn_q.weight"].data,
        next(t for t in full.tensors if "attn_q" in t.name).data,
    )

    def value(name: str):
        return small.fields[name].contents()

    assert value("tokenizer.ggml.tokens") == [TOKENS[i] for i in KEPT]
    assert value("tokenizer.ggml.scores") == [float(-i) for i in KEPT]
    assert value("tokenizer.ggml.merges") == "你 好" or value("tokenizer.ggml.merges") == ["你 好"]
    assert (
        value("tokenizer.ggml.bos_token_id") == 1
        and "tokenizer.ggml.eos_token_id" not in small.fields
    )
    assert value("gemma3.vocab_size") == len(KEPT) and value("gemma3.block_count") == 1


def test_what_is_no_model_is_named_and_nothing_is_left(tmp_path: Path):
    (tmp_path / "a.gguf").write_bytes(b"nonsense and more")
    with pytest.raises(SourceError, match=r"a\.gguf"):
        rewrite_gguf(tmp_path / "a.gguf", tmp_path / "b.gguf", vocab_ids=KEPT)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.gguf"]
