"""The llama.cpp engine says what the model in training says, alone or among others, merged or with its adapter beside it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from custome.engine.base import Cancel, check_options
from custome.engine.llama_server import POOL, LlamaServer
from custome.engine.llamacpp import LlamaCppEngine
from custome.engine.open_local import open_local
from custome.errors import InputError, LengthError, RunError, SourceError
from custome.models import gguf_cache
from custome.reporter import NullReporter
from custome.types import GenerateOptions, Message, Piece, Request

GREEDY = GenerateOptions(do_sample=False, max_new_tokens=24)
THINGS = ("粮草", "书信", "宝剑", "药材", "地图", "马匹")


def ask(thing: str, speaker: str = "张三") -> Request:
    return Request(messages=(Message(role="user", content=f"{thing}何在？"),), speaker=speaker)


@pytest.fixture(scope="module")
def engines(gguf_runs: dict[str, Path]) -> dict[str, LlamaCppEngine]:
    made = {}
    for name, run in gguf_runs.items():
        one = gguf_cache.prepare(run, NullReporter(), quant="f16", home=run.parents[1] / "home")
        made[name] = LlamaCppEngine(
            LlamaServer(one.model, slots=4), one.tokenizer, one.chat_format, name
        )
    return made


def test_the_same_words_as_transformers(engines, gguf_runs):
    """Same prompt, same greedy options, f16 weights."""
    local = open_local(
        run=gguf_runs["east"],
        base_model="",
        reporter=NullReporter(),
        home=gguf_runs["east"].parents[1] / "home",
    )
    for options in (
        GREEDY,
        GenerateOptions(do_sample=False, max_new_tokens=24, repetition_penalty=1.0, stop=("到",)),
    ):
        for thing in THINGS:
            here, there = engines["east"].run(ask(thing), options), local.run(ask(thing), options)
            assert (here.text, here.finish_reason, here.prompt_tokens) == (
                there.text,
                there.finish_reason,
                there.prompt_tokens,
            )


def test_leanings_move_what_is_written_alike_in_both_engines(engines, gguf_runs):
    local = open_local(
        run=gguf_runs["east"],
        base_model="",
        reporter=NullReporter(),
        home=gguf_runs["east"].parents[1] / "home",
    )
    plain = engines["east"].run(ask("粮草"), GREEDY).text
    leaning = replace(
        GREEDY, max_new_tokens=6, logit_bias=(("猫", 90.0), ("救猫", 90.0))
    )  # 救猫 is no token of this model's
    for engine in (engines["east"], local):
        assert set(engine.run(ask("粮草"), leaning).text) == {"猫"} and "猫" not in plain
        away = engine.run(
            ask("粮草"), replace(GREEDY, logit_bias=tuple((one, -90.0) for one in plain))
        ).text
        assert away and not set(away) & set(plain)


def test_of_several_replies_the_first_is_seen_growing(engines):
    pieces: list[Piece] = []
    replies = engines["east"].generate(
        [ask("粮草")] * 4, replace(GREEDY, seed=1), None, pieces.append
    )
    assert len(pieces) > 3 and pieces[-1].text == replies[0].text and "“" not in pieces[0].text


def test_pieces_grow_into_the_reply(engines):
    pieces: list[Piece] = []
    reply = engines["east"].run(ask("粮草"), GREEDY, pieces.append)
    texts = [piece.text for piece in pieces]
    assert len(texts) > 3 and all(
        later.startswith(earlier) for earlier, later in zip(texts, texts[1:], strict=False)
    )
    assert texts[-1] == reply.text and reply.finish_reason == "stop"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"stop": ("送到",)},
        {"stop": ("送x", "之y")},
        {"max_new_tokens": 5},
        {"stop": ("送x",), "max_new_tokens": 6},
        {"grammar": 'root ::= "猫龘😀‘是’。"'},
        {"grammar": 'root ::= "猫龘😀"', "max_new_tokens": 3},
        {"do_sample": True, "temperature": 20.0, "top_k": 0, "top_p": 1.0, "seed": 2},
    ],
)
@pytest.mark.parametrize("request_", [ask("粮草"), Request(text="粮草何在？张三曰：")])
def test_tokens_are_those_of_the_text(engines, request_: Request, more: dict):
    pieces: list[Piece] = []
    options = replace(GREEDY, logprobs=1, **more)
    reply = engines["east"].run(request_, options, pieces.append)
    assert engines["east"].run(request_, replace(options, logprobs=None)).text == reply.text
    told = [token for piece in pieces for token in piece.tokens]
    assert "".join(token.token for token in told) == reply.text == pieces[-1].text
    assert b"".join(token.data for token in told) == reply.text.encode()
    if not more:  # greedy takes the likeliest, each with its own probability
        assert [token.alternatives[0].token for token in told] == list(reply.text)
        assert all(token.alternatives[0].logprob == token.logprob for token in told)


def test_a_token_held_back_keeps_its_own_probability(engines):
    def told(*stop: str) -> list[tuple[str, float]]:
        options = replace(GREEDY, logprobs=0, seed=1, stop=stop)
        stream = engines["east"].stream(ask("粮草"), options)
        return [(token.token, token.logprob) for piece in stream for token in piece.tokens]

    assert told("送x", "到南x") == told()


def test_one_reply_and_several_tell_how_likely_they_are(engines):
    options = replace(GREEDY, logprobs=0)
    pieces: list[Piece] = []
    one = engines["east"].run(ask("粮草"), options, pieces.append)
    told = [token.logprob for piece in pieces for token in piece.tokens]
    assert one.logprob < sum(told) < 0  # the marks around it are tokens too
    several = engines["east"].generate([ask("粮草")] * 3, options)
    assert [two.logprob for two in several] == pytest.approx([one.logprob] * 3, abs=0.01)
    assert engines["east"].run(ask("粮草"), GREEDY).logprob is None


def test_as_written_a_reply_keeps_its_quotation_marks(engines):
    written = replace(GREEDY, as_written=True)
    bare = engines["east"].run(ask("粮草"), GREEDY).text
    every = engines["east"].generate([ask("粮草")] * 2, written)
    assert engines["east"].run(ask("粮草"), written).text == f"“{bare}”" == every[0].text


def test_a_cancel_ends_it_at_once(engines):
    cancel = Cancel()
    reply = engines["east"].run(
        Request(text="粮草何在？"),
        GenerateOptions(max_new_tokens=400),
        lambda _: cancel.set(),
        cancel,
    )
    # Of 400: how far llama.cpp has got before this thread hears of the first piece is up to the machine.
    assert reply.finish_reason == "cancelled" and reply.completion_tokens < 40
    stream = engines["east"].stream(Request(text="粮草何在？"), GenerateOptions(max_new_tokens=400))
    next(stream)
    stream.close()
    assert engines["east"].run(ask("粮草"), GREEDY).finish_reason == "stop"


def test_several_replies_to_one_request_are_written_in_one_go(engines):
    request, options = Request(text="粮草何在？"), GenerateOptions(max_new_tokens=12, seed=3)
    replies = engines["east"].generate([request] * 20, options)  # more than there are slots
    assert len(replies) == 20 and len({reply.text for reply in replies}) > 10
    assert all(reply.finish_reason in ("stop", "length") for reply in replies)
    greedy = engines["east"].generate([ask("粮草")] * 3, GREEDY)
    assert {reply.text for reply in greedy} == {engines["east"].run(ask("粮草"), GREEDY).text}
    cancel = Cancel()
    cancel.set()
    assert all(
        reply.finish_reason == "cancelled"
        for reply in engines["east"].generate([request] * 4, options, cancel)
    )


def test_a_seed_gives_the_same_reply_to_the_last_digit_whatever_was_said_in_between(engines):
    engine, request = engines["east"], Request(text="书信何在？张三曰：“粮草送到" * 12)
    options = GenerateOptions(max_new_tokens=24, seed=5, logprobs=1)

    def digits() -> list[float]:
        return [
            token.logprob for piece in engine.stream(request, options) for token in piece.tokens
        ]

    several = [reply.text for reply in engine.generate([request] * 4, options)]
    alone = digits()
    for thing in THINGS:
        engine.generate(
            [Request(text=f"{thing}何在？" * 9)] * 3, GenerateOptions(max_new_tokens=30)
        )
        engine.generate(
            [ask(thing), ask(THINGS[0]), Request(text=f"在{thing}" * 20)],
            GenerateOptions(max_new_tokens=9),
        )
        assert digits() == alone
    assert [reply.text for reply in engine.generate([request] * 4, options)] == several


@pytest.mark.parametrize("drawn", [{}, {"seed": 3, "afresh": False}])
def test_what_was_read_for_a_turn_is_not_read_again_for_the_next(engines, drawn):
    """Also in layers with a window, and when another conversation came between."""
    who = "李四" if drawn else "张三"  # nothing of it was read before
    engine, texts = (
        engines["east"],
        {thing: f"{who}问：{thing}何在？{who}曰：“已送到。”" * 12 for thing in THINGS[:2]},
    )

    def read_again(text: str) -> int:
        told: list[dict] = []
        request = Request(text=text)
        question = engine._question(
            engine._prompt(request), request, GenerateOptions(max_new_tokens=4, **drawn)
        )
        engine._server.server.handle_completions(
            json.dumps(question).encode(), lambda chunk: told.append(json.loads(chunk))
        )
        return told[-1]["timings"]["prompt_n"]

    first = [read_again(text) for text in texts.values()]
    second = [read_again(text + "再问一句。") for text in texts.values()]
    assert min(first) > 90 and max(second) < 12, (first, second)


def test_what_does_not_fit_is_said_by_how_much(engines):
    with pytest.raises(LengthError, match="多了 \\d+"):
        engines["east"].run(Request(text="粮草" * 400), GREEDY)


def test_more_than_fits_at_once_waits(engines):
    """Together they want five times what there is room for."""
    wanted = [Request(text=f"{thing}何在？" * 40) for thing in THINGS * 16]
    assert sum(engines["east"].prompt_tokens(one) + 200 for one in wanted) > 2 * POOL
    replies = engines["east"].generate(wanted, GenerateOptions(max_new_tokens=200, do_sample=False))
    assert all(reply.finish_reason in ("stop", "length") for reply in replies)


def test_beside_busy_processes_a_reply_waits_its_turn_and_no_longer(engines):
    """Fifty times as long as alone, and more, where threads that wait for each other keep the cores."""
    request, options = (
        Request(text="粮草何在？"),
        GenerateOptions(max_new_tokens=100, do_sample=False),
    )

    def seconds() -> float:
        started = time.perf_counter()
        engines["east"].run(request, options)
        return time.perf_counter() - started

    alone = statistics.median(seconds() for _ in range(5))
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: sum(range(10_000))"])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        beside = statistics.median(seconds() for _ in range(5))
    finally:
        for other in busy:
            other.kill()
    assert beside < 10 * alone


def test_one_base_two_adapters_interleaved_as_each_alone(engines, gguf_runs):
    runs = list(gguf_runs.values())
    home = runs[0].parents[1] / "home"
    both = gguf_cache.prepare_shared(runs, NullReporter(), home=home)
    assert both[0].model == both[1].model
    server = LlamaServer(both[0].model, both[0].adapters, slots=4)
    shared = [
        LlamaCppEngine(server, one.tokenizer, one.chat_format, "x", adapter=i)
        for i, one in enumerate(both)
    ]
    base = LlamaCppEngine(server, both[0].tokenizer, both[0].chat_format, "base")
    alone = []
    for run in runs:
        (one,) = gguf_cache.prepare_shared([run], NullReporter(), home=home)
        alone.append(
            LlamaCppEngine(
                LlamaServer(one.model, one.adapters, slots=1),
                one.tokenizer,
                one.chat_format,
                "y",
                adapter=0,
            )
        )
    people = ("张三", "李四")
    for thing in THINGS:
        for number in (0, 1):
            request = ask(thing, people[number])
            told = shared[number].run(request, GREEDY).text
            assert told == alone[number].run(request, GREEDY).text
            assert told != base.run(request, GREEDY).text
    assert {shared[0].run(ask(t, "张三"), GREEDY).text for t in THINGS}.isdisjoint(
        {shared[1].run(ask(t, "李四"), GREEDY).text for t in THINGS}
    )


def test_strength_of_a_request_leads_from_the_base_to_what_was_learnt(gguf_runs):
    run = gguf_runs["east"]
    home = run.parents[1] / "home"
    (one,) = gguf_cache.prepare_shared([run], NullReporter(), home=home)
    server = LlamaServer(one.model, one.adapters, slots=1)
    base, tuned = (
        LlamaCppEngine(server, one.tokenizer, one.chat_format, "z", adapter=which)
        for which in (None, 0)
    )
    said = {
        strength: [
            tuned.run(ask(thing, "张三"), replace(GREEDY, strength=strength)).text
            for thing in THINGS
        ]
        for strength in (0.0, 1.0)
    }
    assert said[0.0] == [base.run(ask(thing, "张三"), GREEDY).text for thing in THINGS]
    assert (
        said[1.0] == [tuned.run(ask(thing, "张三"), GREEDY).text for thing in THINGS] != said[0.0]
    )
    assert "strength" in tuned.supports and "strength" not in base.supports


def test_runs_that_cannot_share_are_named(gguf_runs, tmp_path):
    run = gguf_runs["east"]
    other = tmp_path / "other"
    other.mkdir()
    for file in run.iterdir():
        if file.is_file():
            (other / file.name).write_bytes(file.read_bytes())
    text = (other / "run.json").read_text(encoding="utf-8")
    (other / "run.json").write_text(
        text.replace('"base_fingerprint": "', '"base_fingerprint": "f'), encoding="utf-8"
    )
    with pytest.raises(RunError, match="other"):
        gguf_cache.prepare_shared([run, other], NullReporter(), home=run.parents[1] / "home")


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + b"\0" * 40)
    with pytest.raises(SourceError, match="x.gguf"):
        LlamaServer(tmp_path / "x.gguf")


def test_an_option_that_would_be_ignored_is_refused(engines):
    with pytest.raises(InputError, match="num_beams"):
        check_options(engines["east"], GenerateOptions(num_beams=4))


def test_neither_torch_nor_transformers_is_loaded(gguf_runs):
    code = (
        "import sys\nfrom pathlib import Path\nfrom custome.engine.open import EngineOptions, open_models\nfrom custome.reporter import NullReporter\n"
        f"opened = open_models([{str(gguf_runs['east'])!r}], EngineOptions(), NullReporter())\n"
        "assert type(opened.hosted[0].engine).__name__ == 'LlamaCppEngine'\n"
        "print(sorted({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    )
    environment = {**os.environ, "CUSTOME_HOME": str(gguf_runs["east"].parents[1] / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
