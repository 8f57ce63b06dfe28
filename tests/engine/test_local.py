"""The transformers engine: greedy, sampling, beams, streaming, stopping, scoring, the adapter on and off."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from custome.config import CheckConfig, DataConfig, ModelConfig, Recipe, TrainConfig
from custome.engine.base import Cancel
from custome.engine.local import LocalEngine
from custome.engine.local_generation import _without_half_a_stop
from custome.engine.open_local import open_local
from custome.engine.scripted import ScriptedEngine
from custome.errors import InputError, RunError
from custome.reporter import NullReporter
from custome.training.finetune import finetune
from custome.tuning_methods import LoraConfig
from custome.types import GenerateOptions, Message, Request
from tiny import make_tiny_rows

GREEDY = GenerateOptions(do_sample=False, max_new_tokens=24, repetition_penalty=1.0)


def test_half_a_stop_string_is_held_back():
    assert (
        _without_half_a_stop("明日送", ("送到",)) == "明日"
        and _without_half_a_stop("明日", ("送到",)) == "明日"
    )


def asking(text: str, speaker: str = "张三") -> Request:
    return Request(messages=(Message(role="user", content=text),), speaker=speaker)


REQUESTS = [
    asking(f"{thing}何在？", who) for thing in ("粮草", "书信", "宝剑") for who in ("张三", "李四")
]


@pytest.fixture(scope="module")
def run(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    recipe = Recipe(
        data=DataConfig(
            train_path=str(make_tiny_rows(folder / "rows.jsonl", 200)), val_set_size=20
        ),
        model=ModelConfig(base_model=str(tiny_base)),
        method=LoraConfig(lora_r=16, lora_alpha=32),
        train=TrainConfig(
            output_dir=str(folder / "run"),
            steps=150,
            batch_size=16,
            micro_batch_size=16,
            learning_rate=3e-2,
        ),
        checks=CheckConfig(eval_steps=0, save_steps=100),
    )
    finetune(recipe, NullReporter())
    return folder / "run"


@pytest.fixture(scope="module")
def engine(run: Path) -> LocalEngine:
    return open_local(run=run, base_model="", reporter=NullReporter())


def test_it_learnt_the_form_and_stops_by_itself(engine: LocalEngine):
    replies = engine.generate(REQUESTS, GREEDY)
    assert sum(reply.finish_reason == "stop" for reply in replies) >= 5
    assert all("“" not in reply.text and "”" not in reply.text for reply in replies)
    assert sum("送到" in reply.text for reply in replies) >= 4


def test_streaming_and_batching_give_the_same_greedy_reply(engine: LocalEngine):
    for request, batched in zip(REQUESTS, engine.generate(REQUESTS, GREEDY), strict=True):
        pieces = list(engine.stream(request, GREEDY))
        assert len(pieces) > 2 and pieces[-1].reply is not None
        assert pieces[-1].reply.text == batched.text
        texts = [piece.text for piece in pieces]
        assert all(
            later.startswith(earlier) for earlier, later in zip(texts, texts[1:], strict=False)
        )


def test_same_seed_same_reply_other_seed_other_reply(engine: LocalEngine):
    def draw(seed: int) -> str:
        return engine.generate(
            [REQUESTS[0]], GenerateOptions(temperature=2.0, max_new_tokens=24, seed=seed)
        )[0].text

    assert draw(1) == draw(1)
    assert len({draw(seed) for seed in range(6)}) > 1


def test_four_beams_are_at_least_as_likely_as_greedy(engine: LocalEngine):
    beams = engine.generate(
        REQUESTS,
        GenerateOptions(do_sample=False, num_beams=4, max_new_tokens=24, repetition_penalty=1.0),
    )
    greedy = engine.generate(REQUESTS, GREEDY)
    mean = [
        [s.logprob / s.tokens for s in engine.score(REQUESTS, [r.text for r in replies])]
        for replies in (greedy, beams)
    ]
    compared = [
        (g, b) for g, b, reply in zip(*mean, greedy, strict=True) if reply.finish_reason == "stop"
    ]
    assert len(compared) >= 5
    assert all(b >= g - 1e-4 for g, b in compared)
    alone = list(
        engine.stream(
            REQUESTS[0],
            GenerateOptions(
                do_sample=False, num_beams=4, max_new_tokens=24, repetition_penalty=1.0
            ),
        )
    )
    assert alone[-1].text == beams[0].text


def test_sampled_beams_work_too(engine: LocalEngine):
    assert (
        engine.generate(REQUESTS[:2], GenerateOptions(num_beams=3, max_new_tokens=16, seed=0))[
            1
        ].text
        is not None
    )


def test_cancelling_keeps_what_is_there_and_frees_the_engine(engine: LocalEngine):
    cancel, texts = Cancel(), []
    endless = GenerateOptions(
        do_sample=True, temperature=5.0, top_k=0, top_p=1.0, max_new_tokens=400, seed=3
    )
    stream = engine.stream(asking("粮草何在？"), endless, cancel)
    for piece in stream:
        texts.append(piece)
        if len(texts) == 2:
            cancel.set()
    assert texts[-1].reply is not None and texts[-1].reply.finish_reason == "cancelled"
    assert texts[-1].reply.completion_tokens < 40
    assert engine.generate([REQUESTS[0]], GREEDY)[0].text


def test_a_reader_who_leaves_frees_the_engine(engine: LocalEngine):
    before = threading.active_count()
    stream = engine.stream(
        asking("粮草何在？"),
        GenerateOptions(temperature=5.0, top_k=0, top_p=1.0, max_new_tokens=400, seed=3),
    )
    next(stream)
    stream.close()
    assert threading.active_count() == before
    assert engine.generate([REQUESTS[0]], GREEDY)[0].text


def test_as_written_a_reply_keeps_its_quotation_marks(engine: LocalEngine):
    bare = engine.run(REQUESTS[0], GREEDY).text
    whole = engine.run(REQUESTS[0], replace(GREEDY, as_written=True)).text
    assert whole == f"“{bare}”"
    assert engine.generate(REQUESTS[:1], replace(GREEDY, as_written=True))[0].text == whole


def test_spelling_does_not_change_the_greedy_answer(engine: LocalEngine):
    same = [
        "粮草到何在？张三曰：",
        " 粮草 到何在 ?张三曰:",
        "糧草到何在？張三曰：",
        "粮草到何在?\n张三曰： ",
    ]
    replies = {engine.generate([asking(text, "")], GREEDY)[0].text for text in same}
    assert len(replies) == 1


def test_scores_prefer_what_was_learnt_and_the_base_does_not_know(engine: LocalEngine):
    request, good, bad = REQUESTS[0], "今夜送到东门。", "门东到送夜今。"
    tuned = engine.score([request, request], [good, bad])
    base = engine.base().score([request], [good])
    assert tuned[0].logprob > tuned[1].logprob
    assert tuned[0].logprob > base[0].logprob
    assert tuned[0].tokens == len("“今夜送到东门。”") + 1


def test_plain_text_is_scored_piece_by_piece_as_at_once(engine: LocalEngine):
    pieces = engine.score([Request(text="粮草到"), Request(text="粮草到何在")], ["何在", "？张三"])
    (whole,) = engine.score([Request(text="粮草到")], ["何在？张三"])
    assert sum(piece.logprob for piece in pieces) == pytest.approx(whole.logprob, rel=1e-3)
    assert [piece.tokens for piece in pieces] == [2, 3] and whole.tokens == 5


def test_a_prompt_that_does_not_fit_is_an_input_error(engine: LocalEngine):
    with pytest.raises(InputError, match="512"):
        engine.generate([asking("粮" * 600)], GREEDY)
    with pytest.raises(InputError, match="512"):
        list(engine.stream(asking("粮" * 600), GREEDY))
    assert engine.generate([REQUESTS[0]], GREEDY)[0].text


def test_an_adapter_on_another_base_is_refused_or_reported(
    run: Path, tiny_base: Path, tmp_path: Path
):
    from tiny import make_tiny_base

    other = make_tiny_base(tmp_path / "llama", kind="llama")
    heard = []

    class Ear(NullReporter):
        def note(self, text: str) -> None:
            heard.append(text)

    try:
        open_local(run=run, base_model=str(other), reporter=Ear())
    except RunError:
        return
    assert any("另一个底座" in text for text in heard)


def test_the_scripted_engine_keeps_the_protocol():
    engine = ScriptedEngine(["一二三", "四"])
    pieces = list(engine.stream(asking("问"), GenerateOptions()))
    assert [p.text for p in pieces] == ["一", "一二", "一二三", "一二三"]
    assert engine.generate([asking("问")], GenerateOptions())[0].text == "四"
    assert engine.requests[0].messages[0].content == "问"
    cancel = Cancel()
    cancel.set()
    last = list(engine.stream(asking("问"), GenerateOptions(), cancel))[-1]
    assert last.reply is not None and last.reply.finish_reason == "cancelled"
