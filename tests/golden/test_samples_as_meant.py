"""Five shapes of rows in four formats: the text a model learns from, with what counts between ⟦ ⟧. To be read by a person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from custome.corpus.formats import read_samples
from custome.models.chat_format import NovelFormat, open_format
from custome.types import Sample
from template_tokenizer import tokenizer_for

TOLD = "你是店家，说话和气。"
ROWS = {
    "seed": {"context": "客到门前。店家曰：", "chat": "“里面请。”", "speaker": "店家"},
    "dialogue": {
        "scene": "日暮。",
        "turns": [
            {"speaker": "客", "cue": "客曰：", "text": "有房么？"},
            {"speaker": "店家", "cue": "店家曰：", "text": "有。"},
            {"speaker": "客", "cue": "客又曰：", "text": "几文？"},
            {"speaker": "店家", "cue": "店家曰：", "text": "十文。"},
        ],
    },
    "alpaca": {
        "system": TOLD,
        "instruction": "几文？",
        "input": "",
        "output": "十文。",
        "history": [["有房么？", "有。"]],
    },
    "sharegpt": {
        "conversations": [
            {"from": "system", "value": TOLD},
            {"from": "human", "value": "有人么？"},
            {"from": "human", "value": "有房么？"},
            {"from": "gpt", "value": "来了。"},
            {"from": "gpt", "value": "有。"},
            {"from": "human", "value": "几文？"},
        ]
    },
    "openai": {
        "messages": [
            {"role": "system", "content": TOLD},
            {"role": "assistant", "content": "客官请。"},
            {"role": "user", "content": "几文？"},
            {"role": "assistant", "content": "店里有“上房”，十文。"},
        ]
    },
}
NOVEL = {
    "seed": "客到门前。店家曰：⟦“里面请。”<eos>⟧",
    "dialogue": "日暮。客曰：⟦“有房么？”⟧店家曰：⟦“有。”⟧客又曰：⟦“几文？”⟧店家曰：⟦“十文。”<eos>⟧",
    "alpaca": "你是店家，说话和气。有房么？⟦“有。”⟧几文？⟦“十文。”<eos>⟧",
    "sharegpt": "你是店家，说话和气。有人么？有房么？⟦“来了。有。”<eos>⟧",
    "openai": "你是店家，说话和气。⟦“客官请。”⟧几文？⟦“店里有‘上房’，十文。”<eos>⟧",
}
"""On a base model: running prose."""
ASKED = {
    "seed": ("", [("客到门前。店家曰：", "里面请。")]),
    "dialogue": (
        "",
        [("日暮。客曰：“有房么？”店家曰：", "有。"), ("客又曰：“几文？”店家曰：", "十文。")],
    ),
    "alpaca": (TOLD, [("有房么？", "有。"), ("几文？", "十文。")]),
    "sharegpt": (TOLD, [("有人么？\n有房么？", "来了。\n有。")]),
    "openai": (TOLD, [("", "客官请。"), ("几文？", "店里有“上房”，十文。")]),
}
"""On an instruct model: (system text, questions with replies). All replies of a row are one person's, and the system text stays."""
WRITTEN = {
    "chatml": (
        "<|im_start|>system\n{}<|im_end|>\n",
        "<|im_start|>user\n{}<|im_end|>\n",
        "<|im_start|>assistant\n⟦{}<|im_end|>⟧\n",
    ),
    "glm4": ("<|system|>\n{}", "<|user|>\n{}", "<|assistant|>\n⟦{}⟧"),
    "llama3": (
        "<|start_header_id|>system<|end_header_id|>\n\n{}<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n⟦{}<|eot_id|>⟧",
    ),
}
WORDS = json.dumps(ROWS, ensure_ascii=False)
START = {"chatml": "", "glm4": "[gMASK]<sop>", "llama3": "<|begin_of_text|>"}


def the_sample(shape: str, folder: Path) -> Sample:
    path = folder / f"{shape}.jsonl"
    path.write_text(json.dumps(ROWS[shape], ensure_ascii=False) + "\n", encoding="utf-8")
    (sample,) = read_samples(path)
    return sample


def learnt(chat_format, tokenizer, sample: Sample) -> str:
    encoded, text, at = chat_format.encode(sample, 512), "", 0
    for start, end in encoded.replies:
        text += (
            tokenizer.decode(encoded.ids[at:start])
            + "⟦"
            + tokenizer.decode(encoded.ids[start:end])
            + "⟧"
        )
        at = end
    return text + tokenizer.decode(encoded.ids[at:])


@pytest.mark.parametrize("shape", ROWS)
def test_as_prose(shape: str, tmp_path: Path):
    tokenizer = tokenizer_for("chatml", WORDS)
    text = learnt(NovelFormat(tokenizer), tokenizer, the_sample(shape, tmp_path))
    print(text)
    assert text == "<bos>" + NOVEL[shape]


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("shape", ROWS)
def test_under_a_template(shape: str, name: str, tmp_path: Path):
    tokenizer = tokenizer_for(name, WORDS)
    text = learnt(open_format(tokenizer, name), tokenizer, the_sample(shape, tmp_path))
    print(text)
    (system, user, reply), (told, turns) = WRITTEN[name], ASKED[shape]
    expected = START[name] + (system.format(told) if told else "")
    expected += "".join(user.format(asked) + reply.format(said) for asked, said in turns)
    end = "<eos>" if name == "glm4" else ""  # its template ends no turn
    assert text.rstrip("\n") == (
        expected.removesuffix("⟧") + end + "⟧" if end else expected.rstrip("\n")
    )


def test_a_question_nobody_answers_is_counted(tmp_path: Path):
    assert (
        the_sample("sharegpt", tmp_path).unanswered == "几文？"
        and not the_sample("alpaca", tmp_path).unanswered
    )
