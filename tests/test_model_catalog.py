"""The lists of base models that ship as data: whole, and consulted."""

from __future__ import annotations

import pytest

from custome.model_catalog import all_models, chat_templates, families, family_of, listed_format
from custome.models.chat_format import open_format
from template_tokenizer import tokenizer_for
from tiny import make_tiny_tokenizer


def test_every_base_has_a_family_and_a_format_that_exist():
    for name, model in all_models().items():
        assert model.family in families(), name
        assert model.chat_format in ("novel", "template", *chat_templates()), name


def test_a_model_type_stands_in_one_family_only():
    types = [kind for family in families().values() for kind in family.model_types]
    assert len(types) == len(set(types))


def test_llama_cpp_knows_every_architecture_that_is_written():
    import gguf

    written = {family.gguf for family in families().values() if family.gguf}
    assert written <= set(gguf.MODEL_ARCH_NAMES.values())


def test_a_family_nobody_knows_has_what_most_have_in_common():
    assert family_of("something-new").norms == 2 and not family_of("something-new").gguf


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", "chatml"),
        ("hf:meta-llama/Meta-Llama-3-8B", "llama3"),
        ("/models/glm-4-9b", "glm4"),
        ("google/gemma-3-1b-pt", "novel"),
        ("my-own-model", "novel"),
    ],
)
def test_auto_asks_the_list_where_a_tokenizer_has_no_template(base: str, name: str):
    parts = "".join("".join(template.values()) for template in chat_templates().values())
    assert open_format(make_tiny_tokenizer(parts + "书信"), "auto", base).name == name


def test_auto_takes_the_tokenizers_own_template_first():
    tokenizer = tokenizer_for("chatml", "书信")
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    assert listed_format("glm-4-9b") == "glm4"
    assert open_format(tokenizer, "auto", "glm-4-9b").name == "template"
