"""ChatGLM-6B of our own against what the original computes, and through everything a base model goes through."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from custome.engine.open_local import open_local
from custome.errors import RunError, SourceError
from custome.models.adapters import load_adapter
from custome.models.chat_format import open_format
from custome.models.chatglm import layout
from custome.models.loading import load_base, load_model, load_tokenizer
from custome.reporter import NullReporter
from custome.training.finetune import finetune
from custome.types import Exchange, Message, Sample
from tiny import make_recipe, make_tiny_chatglm


@pytest.fixture(scope="module")
def expected(chatglm_reference: Path) -> dict[str, torch.Tensor]:
    return load_file(chatglm_reference / "expected.safetensors")


@pytest.fixture(scope="module")
def tiny_glm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_chatglm(tmp_path_factory.mktemp("chatglm"))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_logits_and_loss_are_the_originals(
    chatglm_reference: Path, expected: dict[str, torch.Tensor], attention: str
):
    model = load_model(chatglm_reference)
    model.set_attn_implementation(attention)
    with torch.no_grad():
        for case in ("prompt_short", "prompt_long", "round", "mask"):
            logits = model(input_ids=expected[f"{case}.input_ids"][None]).logits[0]
            torch.testing.assert_close(logits, expected[f"{case}.logits"], atol=1e-4, rtol=0)
        out = model(
            input_ids=expected["train.input_ids"][None], labels=expected["train.labels"][None]
        )
        torch.testing.assert_close(out.logits[0], expected["train.logits"], atol=1e-4, rtol=0)
        torch.testing.assert_close(out.loss, expected["train.loss"][0], atol=1e-4, rtol=0)
        ids = expected["batch.input_ids"]
        padded = model(
            input_ids=ids, attention_mask=(ids != model.config.pad_token_id).long()
        ).logits[:, -1]
        torch.testing.assert_close(padded, expected["batch.logits_last"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("name", "beams"), [("greedy", 1), ("beam2", 2), ("beam4", 4)])
def test_generated_tokens_are_the_originals(
    chatglm_reference: Path, expected: dict[str, torch.Tensor], name: str, beams: int
):
    model, prompt = load_model(chatglm_reference), expected["generate.prompt"][None]
    out = model.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        max_length=40,
        num_beams=beams,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    assert out.sequences[0].tolist() == expected[f"generate.{name}"].tolist()
    # the original divides by the length with the prompt, transformers by that of the reply
    if beams > 1:
        score = (
            out.sequences_scores[0]
            * (out.sequences.shape[1] - prompt.shape[1])
            / out.sequences.shape[1]
        )
        torch.testing.assert_close(score, expected[f"generate.{name}_score"][0], atol=1e-4, rtol=0)


def test_token_ids_are_the_originals(chatglm_reference: Path):
    tokenizer = load_tokenizer(chatglm_reference)
    cases = json.loads((chatglm_reference / "tokenizer_cases.json").read_text(encoding="utf-8"))
    for case in cases["cases"]:
        assert tokenizer(case["text"]).input_ids == case["input_ids"]
        assert tokenizer(case["text"], add_special_tokens=False).input_ids == case["no_special"]
        assert tokenizer.decode(case["no_special"], skip_special_tokens=True) == case["decoded"]
    assert tokenizer(cases["pair"]["a"], cases["pair"]["b"]).input_ids == cases["pair"]["input_ids"]
    batch = tokenizer(cases["batch"]["texts"], padding=True, return_tensors="pt")
    assert batch.input_ids.tolist() == cases["batch"]["input_ids"]
    config = load_model(chatglm_reference).config
    assert (
        layout(config, batch.input_ids, batch.attention_mask)[1].tolist()
        == cases["batch"]["position_ids"]
    )
    assert {mark: tokenizer.convert_tokens_to_ids(mark) for mark in cases["ids"]} == cases["ids"]


def test_a_tokenizer_survives_saving(tiny_glm: Path, tmp_path: Path):
    tokenizer = load_tokenizer(tiny_glm)
    tokenizer.save_pretrained(tmp_path)
    shutil.copy(tiny_glm / "config.json", tmp_path)
    again = load_tokenizer(tmp_path)
    text = "今夜何在？\n取  书信\t来"
    assert (
        again(text).input_ids == tokenizer(text).input_ids
        and again.before_reply == tokenizer.before_reply
    )
    assert again.chat_template == tokenizer.chat_template
    assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text


def test_official_pickled_shards_load_and_pickles_with_code_do_not(tiny_glm: Path, tmp_path: Path):
    folder = tmp_path / "bin"
    shutil.copytree(tiny_glm, folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    frequencies = {
        f"transformer.layers.{i}.attention.rotary_emb.inv_freq": torch.ones(4).half()
        for i in range(2)
    }
    shards: list[dict[str, torch.Tensor]] = [{}, frequencies]
    for number, (name, tensor) in enumerate(weights.items()):
        shards[number % 2][name] = tensor
    names = [f"pytorch_model-0000{n}-of-00002.bin" for n in (1, 2)]
    for name, shard in zip(names, shards, strict=True):
        torch.save(shard, folder / name)
    index = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
    (folder / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": index})
    )
    ids = torch.tensor([load_tokenizer(folder)("书信何在？").input_ids])
    with torch.no_grad():
        torch.testing.assert_close(
            load_model(folder)(input_ids=ids).logits, load_model(tiny_glm)(input_ids=ids).logits
        )

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "bombed"),)

    torch.save({"transformer.word_embeddings.weight": Bomb()}, folder / names[0])
    with pytest.raises(SourceError, match="代码"):
        load_model(folder)
    assert not (tmp_path / "bombed").exists()


@pytest.mark.parametrize("beams", range(1, 9))
def test_prompts_of_unequal_length_together_are_as_alone(tiny_glm: Path, beams: int):
    base = load_base(tiny_glm)
    prompts = [
        base.tokenizer(text).input_ids
        for text in ("何在？", "明早三日之内取书信来否？张三曰：", "说到")
    ]
    batch = base.tokenizer.pad({"input_ids": prompts}, return_tensors="pt")
    options = {"max_new_tokens": 8, "num_beams": beams, "do_sample": False}
    together = base.model.generate(**batch, **options)
    for row, prompt in zip(together, prompts, strict=True):
        ids = torch.tensor([prompt])
        alone = base.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)[
            0, len(prompt) :
        ]
        reply = row[batch.input_ids.shape[1] :]
        assert reply[: len(alone)].tolist() == alone.tolist()


def test_without_a_cache_it_says_the_same(tiny_glm: Path):
    base = load_base(tiny_glm)
    batch = base.tokenizer(["何在？", "明早取书信来否？"], padding=True, return_tensors="pt")
    one, other = (
        base.model.generate(**batch, max_new_tokens=12, do_sample=False, use_cache=cache)
        for cache in (True, False)
    )
    assert one.tolist() == other.tolist()


def test_formats_follow_the_original(tiny_glm: Path):
    """Context, [gMASK], <sop>, reply, <eop>; rounds are numbered once there is a history."""
    tokenizer = load_tokenizer(tiny_glm)
    novel = open_format(tokenizer, "novel")
    sample = Sample(context="书信何在？张三曰：", chat="“明早送到。”")
    encoded = novel.encode(sample, 100)
    start, end = encoded.replies[0]
    context = tokenizer("书信何在？张三曰：", add_special_tokens=False).input_ids
    assert list(encoded.ids[:start]) == [*context, *tokenizer.before_reply]
    assert encoded.ids[end - 1] == tokenizer.eos_token_id and end == len(encoded.ids)
    assert novel.prompt([Message(role="user", content="书信何在？张三曰：")], "") == list(
        encoded.ids[:start]
    )
    long = Sample(
        context=sample.context,
        chat=sample.chat,
        earlier=(Exchange(context="今夜可否？张三曰：", chat="“可。”"),),
    )
    assert (
        len(novel.encode(long, 100).replies) == 1
    )  # the context is seen both ways: only the last reply is learnt
    assert len(novel.encode(long, 12).ids) == 12

    template = open_format(tokenizer, "auto")
    assert template.kind == "template"
    history = [
        Message(role="user", content="可否"),
        Message(role="assistant", content="可"),
        Message(role="user", content="何在"),
    ]
    wanted = tokenizer("[Round 0]\n问：可否\n答：可\n[Round 1]\n问：何在\n答：").input_ids
    assert template.prompt(history, "") == wanted
    assert template.prompt(history[:1], "") == tokenizer("可否").input_ids
    learnt = template.encode(long, 200)
    assert len(learnt.replies) == 1 and learnt.ids[-1] == tokenizer.eos_token_id


def test_adapters_of_the_original_project_load(tiny_glm: Path, tmp_path: Path):
    """adapter_model.bin and an adapter_config.json as peft 0.3 wrote them."""
    old = tmp_path / "old"
    old.mkdir()
    names = [f"base_model.model.transformer.layers.{i}.attention.query_key_value" for i in range(2)]
    weights = {
        f"{n}.lora_{part}.weight": torch.randn(shape)
        for n in names
        for part, shape in (("A", (8, 32)), ("B", (96, 8)))
    }
    torch.save(weights, old / "adapter_model.bin")
    (old / "adapter_config.json").write_text(
        json.dumps(
            {
                "base_model_name_or_path": "THUDM/chatglm-6b",
                "bias": "none",
                "enable_lora": None,
                "fan_in_fan_out": False,
                "inference_mode": True,
                "lora_alpha": 16,
                "lora_dropout": 0.05,
                "merge_weights": False,
                "modules_to_save": None,
                "peft_type": "LORA",
                "r": 8,
                "target_modules": ["query_key_value"],
                "task_type": "CAUSAL_LM",
            }
        )
    )
    model = load_adapter(load_model(tiny_glm), old)
    loaded = {n: p for n, p in model.named_parameters() if "lora_" in n}
    assert len(loaded) == 4
    for name, tensor in weights.items():
        torch.testing.assert_close(loaded[name.replace(".weight", ".default.weight")].data, tensor)
    engine = open_local(run=old, base_model=str(tiny_glm), reporter=NullReporter())
    assert engine.name == "old"

    (old / "adapter_model.bin").write_bytes(pickle.dumps({"a": os.getcwd}))
    with pytest.raises(RunError, match="代码"):
        load_adapter(load_model(tiny_glm), old)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves(tiny_glm: Path, dtype: torch.dtype):
    ids = torch.tensor([load_tokenizer(tiny_glm)("书信何在？").input_ids])
    with torch.no_grad():
        exact = load_model(tiny_glm)(input_ids=ids).logits
        torch.testing.assert_close(
            load_model(tiny_glm, dtype=dtype)(input_ids=ids).logits.float(),
            exact,
            atol=0.05,
            rtol=0.05,
        )


@pytest.mark.parametrize("bits", ["int8", "nf4"])
def test_it_learns_on_a_quantized_base(tiny_glm: Path, tmp_path: Path, bits: str):
    from custome.tuning_methods import QloraConfig

    method = QloraConfig(
        lora_r=4, lora_alpha=8, quantization=bits, lora_targets=("query_key_value",)
    )
    finetune(make_recipe(tiny_glm, tmp_path / "run", method=method), NullReporter())
    losses = [
        json.loads(line)["loss"]
        for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        if '"loss"' in line
    ]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ffn_hidden_size": 8}, "ChatGLM2"),
        ({"quantization_bit": 4}, "4 位"),
        ({"position_encoding_2d": False}, "2d"),
    ],
)
def test_what_only_shares_the_name_is_told_apart(
    tiny_glm: Path, tmp_path: Path, change: dict, told: str
):
    folder = tmp_path / "other"
    shutil.copytree(tiny_glm, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(SourceError, match=told):
        load_model(folder)
