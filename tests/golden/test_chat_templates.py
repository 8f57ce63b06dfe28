"""Chat templates we give by name, against what the official ones of each family render for the same conversation."""

from __future__ import annotations

import pytest

from custome.model_catalog import all_models, chat_templates
from custome.models.chat_format import open_format
from custome.types import Exchange, Message, Sample
from template_tokenizer import tokenizer_for
from tiny import make_tiny_tokenizer

PERSONA = "你是张三，用张三的口吻说话。"
TALK = [
    Message(role="system", content=PERSONA),
    Message(role="user", content="可去否？"),
    Message(role="assistant", content="去。"),
    Message(role="user", content="何在？"),
]
GOLDEN = {
    "chatml": f"<|im_start|>system\n{PERSONA}<|im_end|>\n<|im_start|>user\n可去否？<|im_end|>\n<|im_start|>assistant\n去。<|im_end|>\n"
    "<|im_start|>user\n何在？<|im_end|>\n<|im_start|>assistant\n",
    "internlm": f"<s><|im_start|>system\n{PERSONA}<|im_end|>\n<|im_start|>user\n可去否？<|im_end|>\n<|im_start|>assistant\n去。<|im_end|>\n"
    "<|im_start|>user\n何在？<|im_end|>\n<|im_start|>assistant\n",
    "gemma": f"<bos><start_of_turn>user\n{PERSONA}\n\n可去否？<end_of_turn>\n<start_of_turn>model\n去。<end_of_turn>\n"
    "<start_of_turn>user\n何在？<end_of_turn>\n<start_of_turn>model\n",
    "llama3": f"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{PERSONA}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
    "可去否？<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n去。<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n何在？<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "glm4": f"[gMASK]<sop><|system|>\n{PERSONA}<|user|>\n可去否？<|assistant|>\n去。<|user|>\n何在？<|assistant|>\n",
    "chatglm3": f"[gMASK]sop<|system|>\n {PERSONA}<|user|>\n 可去否？<|assistant|>\n 去。<|user|>\n 何在？<|assistant|>",
    "deepseek": f"<｜begin▁of▁sentence｜>{PERSONA}<｜User｜>可去否？<｜Assistant｜>去。<｜end▁of▁sentence｜><｜User｜>何在？<｜Assistant｜>",
    "baichuan2": f"{PERSONA}<reserved_106>可去否？<reserved_107>去。<reserved_106>何在？<reserved_107>",
    "minicpm": f"<s>{PERSONA}<用户>可去否？<AI>去。<用户>何在？<AI>",
}
"""Sources: the model cards' tokenizer_config.json, for Baichuan 2 its generation_utils.py, for ChatGLM3 its PROMPT.md."""


def test_there_is_a_golden_string_for_every_template_and_every_model_has_one_of_them():
    assert set(GOLDEN) == set(chat_templates())
    assert {model.chat_format for model in all_models().values()} <= {
        "novel",
        "template",
        *GOLDEN,
    }


@pytest.mark.parametrize("name", GOLDEN)
def test_a_persona_and_a_conversation_as_the_official_template_has_it(name: str):
    tokenizer = tokenizer_for(name, "".join(GOLDEN.values()))
    assert tokenizer.decode(open_format(tokenizer, name).prompt(TALK, "张三")) == GOLDEN[name]


@pytest.mark.parametrize("name", GOLDEN)
def test_a_reply_is_learnt_with_its_end(name: str):
    tokenizer = tokenizer_for(name, "".join(GOLDEN.values()))
    chat_format = open_format(tokenizer, name)
    sample = Sample(
        context="何在？",
        chat="“不得。”",
        speaker="张三",
        persona_prefix=PERSONA,
        earlier=(Exchange(context="可去否？", chat="去。", speaker="张三"),),
    )
    encoded = chat_format.encode(sample, 512)
    start, end = encoded.replies[-1]
    learnt = tokenizer.decode(encoded.ids[start:end])
    assert learnt.lstrip() == "不得。" + (chat_templates()[name]["end"] or "<eos>")
    if name != "chatglm3":  # whose official prompt leaves the line break to the model
        assert tokenizer.decode(encoded.ids[:start]) == GOLDEN[name]
    assert encoded.ids[-1] == tokenizer.eos_token_id


def test_a_template_that_can_think_is_told_not_to():
    tokenizer = make_tiny_tokenizer("何在？张三你是，用的口吻说话。去<>think/\nuser")
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}<eos>{% endfor %}"
        "{% if add_generation_prompt and enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
    )
    assert tokenizer.decode(open_format(tokenizer).prompt(TALK[-1:], "张三")).endswith(
        "何在？<eos><think></think>"
    )
