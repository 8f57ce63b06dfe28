"""Tiny models and novels, built in code: nothing is downloaded, nothing is committed."""

from __future__ import annotations

import itertools
import json
import random
import socket
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils.sentencepiece_model_pb2_new import ModelProto

from custome.config import CheckConfig, DataConfig, ModelConfig, Recipe, TrainConfig
from custome.models.chatglm import ChatGLMConfig, ChatGLMForConditionalGeneration
from custome.tuning_methods import LoraConfig, Method

PEOPLE = ("张三", "李四", "王五", "赵六娘")
PLACES = ("东门", "西山", "南桥", "北寺", "酒楼", "渡口", "城隍庙", "后园")
THINGS = ("粮草", "书信", "宝剑", "药材", "地图", "马匹", "银两", "灯笼")
WHEN = ("今夜", "明早", "三日之内", "雨停之后", "月圆之时", "天亮以前")
BOOKS = {"east": ("张三", PLACES[:4]), "west": ("李四", PLACES[4:])}
"""Two runs of two people who know other places."""


def make_tiny_tokenizer(text: str) -> PreTrainedTokenizerFast:
    """One token a character, bytes for the rest."""
    pieces = [
        "<pad>",
        "<eos>",
        "<bos>",
        "<unk>",
        *(f"<0x{i:02X}>" for i in range(256)),
        *sorted(set(text)),
    ]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
    )


def make_byte_tokenizer(text: str) -> PreTrainedTokenizerFast:
    """Byte-level, as Qwen's and Llama 3's are, with a token for each character of `text`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=["<pad>", "<eos>", "<bos>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([c for c in sorted(set(text)) for _ in range(3)], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
    )


ALPHABET = (
    "".join([*PEOPLE, *PLACES, *THINGS, *WHEN])
    + "曰道：“”，。？！何在可否吾有一计救名画还是猫博物馆大火说到取来送与之去不得"
)
KINDS = {
    "gemma": (
        "Gemma 3",
        "gemma3_text",
        {"sliding_window": 64, "head_dim": 16, "query_pre_attn_scalar": 16},
    ),
    "qwen": ("Qwen 2 / 2.5、DeepSeek 蒸馏（Qwen）", "qwen2", {}),
    "qwen3": ("Qwen 3", "qwen3", {"head_dim": 16}),
    "llama": ("Llama 3、Yi、DeepSeek 蒸馏（Llama）", "llama", {"head_dim": 16}),
    "glm": ("GLM-4 9B", "glm", {"head_dim": 16}),
    "glm4": ("GLM-4-0414", "glm4", {"head_dim": 16}),
    "internlm3": ("InternLM 3", "internlm3", {"head_dim": 16}),
    "minicpm3": (
        "MiniCPM 3",
        "minicpm3",
        {
            "q_lora_rank": 16,
            "kv_lora_rank": 8,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
            "num_key_value_heads": 2,
        },
    ),
}
"""Name in the tests → how the documents call the family, its model type, and what its configuration takes beside the common
sizes. tests/models/test_families.py takes each the whole way. Names that begin with qwen have tokens of bytes."""


def make_tiny_base(folder: Path, kind: str = "gemma", decided: float = 1.0) -> Path:
    """A random base model and tokenizer in `folder`.

    Args:
        decided: how many times as far apart its token vectors lie, and so its logits: what was learnt on a base that is
            hardly decided is said by a hair's breadth, and another machine's rounding says something else.
    """
    if kind == "chatglm":
        return make_tiny_chatglm(folder)
    torch.manual_seed(0)
    tokenizer = (
        make_byte_tokenizer(ALPHABET) if kind.startswith("qwen") else make_tiny_tokenizer(ALPHABET)
    )
    _, model_type, own = KINDS[kind]
    shape: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
        "tie_word_embeddings": True,
        **own,
    }
    model: Any = AutoModelForCausalLM.from_config(CONFIG_MAPPING[model_type](**shape))
    model.get_input_embeddings().weight.data.mul_(decided)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tiny_chatglm(folder: Path) -> Path:
    """A random ChatGLM-6B of two layers with official names of files and weights, in fp16."""
    torch.manual_seed(0)
    proto = ModelProto()
    blanks = [f"<|blank_{n}|>" for n in range(2, 81)]
    own = ["<n>", "<|tab|>", *blanks, "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>"]
    pieces = [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("<pad>", 3), *((piece, 4) for piece in own)]
    pieces += [(f"<0x{i:02X}>", 6) for i in range(256)] + [
        (piece, 1) for piece in ["▁", *sorted(set(ALPHABET))]
    ]
    for piece, kind in pieces:
        proto.pieces.add(piece=piece, type=kind, score=-1.0 if kind == 1 else 0.0)
    proto.trainer_spec.model_type, proto.trainer_spec.byte_fallback, proto.trainer_spec.unk_id = (
        1,
        True,
        0,
    )
    ids = {piece: number for number, (piece, _) in enumerate(pieces)}
    config = ChatGLMConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_layers=2,
        num_attention_heads=2,
        inner_hidden_size=48,
        max_sequence_length=512,
        bos_token_id=ids["<sop>"],
        eos_token_id=ids["<eop>"],
        pad_token_id=3,
        mask_token_id=ids["[MASK]"],
        gmask_token_id=ids["[gMASK]"],
    )
    ChatGLMForConditionalGeneration(config).half().save_pretrained(folder)
    (folder / "ice_text.model").write_bytes(proto.SerializeToString())
    names = {
        "tokenizer_class": "ChatGLMTokenizer",
        "bos_token": "<sop>",
        "eos_token": "<eop>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "[MASK]",
        "gmask_token": "[gMASK]",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(names), encoding="utf-8")
    return folder


def make_tiny_novel(path: Path, chapters: int = 60) -> Path:
    """People ask for things at places; every sentence is made from word lists."""
    dice = random.Random(1)
    lines = []
    for number in range(1, chapters + 1):
        lines += ["", f"第{number}回　{dice.choice(PLACES)}{dice.choice(THINGS)}", ""]
        for _ in range(6):
            asks, answers = dice.sample(PEOPLE, 2)
            thing, place, when, other = (
                dice.choice(THINGS),
                dice.choice(PLACES),
                dice.choice(WHEN),
                dice.choice(PLACES),
            )
            lines.append(
                f"　　{asks}到{place}。{asks}曰：“{when}可取{thing}否？”{answers}曰：“{thing}在{other}，{when}送来。”"
            )
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def make_tiny_rows(path: Path, count: int = 80) -> Path:
    """Rows with the seed's two keys."""
    combinations = itertools.product(PEOPLE, THINGS, PLACES, WHEN)
    chosen = random.Random(2).sample(list(combinations), count)
    rows = [
        {"context": f"{thing}何在？{who}曰：", "chat": f"“{when}送到{place}。”"}
        for who, thing, place, when in chosen
    ]
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def make_recipe(
    base: Path,
    folder: Path,
    *,
    method: Method | None = None,
    data: dict | None = None,
    checks: dict | None = None,
    compute_type: str = "fp32",
    **train,
) -> Recipe:
    """A dozen steps on seed rows beside `folder`; in fp32, where equal sums are equal."""
    rows = folder.parent / "rows.jsonl"
    rows.parent.mkdir(parents=True, exist_ok=True)
    if not rows.exists():
        make_tiny_rows(rows)
    settings = {
        "steps": 12,
        "batch_size": 8,
        "micro_batch_size": 4,
        "learning_rate": 2e-2,
        "warmup_steps": 2,
        **train,
    }
    return Recipe(
        data=DataConfig(
            **{"train_path": str(rows), "val_set_size": 16, "cutoff_len": 64, **(data or {})}
        ),
        model=ModelConfig(base_model=str(base), compute_type=compute_type),
        method=method or LoraConfig(lora_r=4, lora_alpha=8),
        train=TrainConfig(output_dir=str(folder), **settings),
        checks=CheckConfig(**{"eval_steps": 4, "save_steps": 3, **(checks or {})}),
    )


def any_port() -> int:
    """A free port that the system chooses: two processes of a test run are not given the same one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
