"""The official client and LangChain against a really running server."""

from __future__ import annotations

import json
import math
import threading

import openai
import pytest
from langchain_openai import ChatOpenAI
from openai import OpenAI

from tiny import BOOKS

ASK = [{"role": "user", "content": "粮草何在？"}]
BARE = {"scene": {"people": ["张三"], "as_speech": False, "persona": False, "examples": 0}}
"""As the tiny runs were trained: nothing in front of the question, and nobody in the story who asks it."""
SCHEMA = {
    "type": "object",
    "properties": {
        "place": {"type": "string", "enum": ["东门", "西山"]},
        "days": {"type": "integer", "minimum": 0, "maximum": 9},
    },
    "required": ["place", "days"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def client(server) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def said(client: OpenAI, model: str = "east:张三", **options) -> str:
    bare = {"scene": {**BARE["scene"], "people": [model.split(":")[-1]]}}
    extra = {**({} if model.endswith("base") else bare), **options.pop("extra_body", {})}
    return (
        client.chat.completions.create(
            model=model, messages=ASK, extra_body=extra, **{"temperature": 0, **options}
        )
        .choices[0]
        .message.content
        or ""
    )


def test_runs_their_bases_and_their_people_are_models(client: OpenAI):
    names = [model.id for model in client.models.list()]
    assert {"east", "east:张三", "east:base", "west", "west:李四", "west:base"} <= set(names)
    assert client.models.retrieve("west:李四").id == "west:李四"


def test_a_reply_counts_its_tokens_and_ends_by_itself(client: OpenAI):
    answer = client.chat.completions.create(
        model="east:张三", messages=ASK, temperature=0, extra_body=BARE
    )
    choice, usage = answer.choices[0], answer.usage
    assert (
        choice.message.role == "assistant"
        and "送到" in choice.message.content
        and "“" not in choice.message.content
    )
    assert (
        choice.finish_reason == "stop"
        and answer.model == "east:张三"
        and answer.id.startswith("chatcmpl-")
    )
    assert (
        usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        and usage.completion_tokens >= len(choice.message.content)
    )


def test_streamed_pieces_make_up_the_same_reply(client: OpenAI):
    chunks = list(
        client.chat.completions.create(
            model="east:张三",
            messages=ASK,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
            extra_body=BARE,
        )
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == said(client) and len([piece for piece in pieces if piece]) > 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 3 and len({chunk.id for chunk in chunks}) == 1


def test_stop_strings_are_kept_to_and_left_out(client: OpenAI):
    whole = said(client)
    cut = client.chat.completions.create(
        model="east:张三", messages=ASK, temperature=0, stop=["送到"], extra_body=BARE
    )
    assert (
        cut.choices[0].message.content == whole.split("送到")[0]
        and cut.choices[0].finish_reason == "stop"
    )
    short = client.chat.completions.create(
        model="east:张三", messages=ASK, temperature=0, max_tokens=3, extra_body=BARE
    )
    assert short.choices[0].finish_reason == "length" and short.usage.completion_tokens == 3


def test_the_schema_holds_ten_times_of_ten(client: OpenAI):
    for seed in range(10):
        answer = client.chat.completions.create(
            model="east:张三",
            messages=ASK,
            seed=seed,
            temperature=1.0,
            max_tokens=64,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "where", "schema": SCHEMA},
            },
        )
        found = json.loads(answer.choices[0].message.content)
        assert found["place"] in ("东门", "西山") and 0 <= found["days"] <= 9


def test_a_grammar_holds_and_a_wrong_one_is_said(client: OpenAI):
    for seed in range(5):
        assert said(
            client, temperature=1.5, seed=seed, extra_body={"grammar": 'root ::= "东门" | "西山"'}
        ) in (
            "东门",
            "西山",
        )
    with pytest.raises(openai.BadRequestError):
        said(client, extra_body={"grammar": "root ::= nothing"})


def test_log_probabilities(client: OpenAI):
    answer = client.chat.completions.create(
        model="east:张三",
        messages=ASK,
        temperature=0,
        logprobs=True,
        top_logprobs=3,
        extra_body=BARE,
    )
    content = answer.choices[0].logprobs.content
    for place in content:
        assert place.logprob <= 0 and len(place.top_logprobs) == 3
        assert place.logprob == max(
            other.logprob for other in place.top_logprobs
        )  # greedy takes the likeliest
    streamed = [
        c
        for chunk in client.chat.completions.create(
            model="east:张三",
            messages=ASK,
            temperature=0,
            logprobs=True,
            stream=True,
            extra_body=BARE,
        )
        if chunk.choices and chunk.choices[0].logprobs
        for c in chunk.choices[0].logprobs.content
    ]
    assert [place.token for place in streamed] == [place.token for place in content]


def test_several_choices_and_seeds(client: OpenAI):
    assert (
        said(client, temperature=1.5, seed=11)
        == said(client, temperature=1.5, seed=11)
        != said(client, temperature=1.5, seed=12)
    )
    asked = {"model": "east:张三", "messages": ASK, "temperature": 1.5, "n": 4, "seed": 11}
    first = client.chat.completions.create(**asked)
    texts = [choice.message.content for choice in first.choices]
    assert [choice.index for choice in first.choices] == [0, 1, 2, 3] and len(set(texts)) > 1
    streamed = ["", "", "", ""]
    for chunk in client.chat.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert all(streamed)


def test_plain_completions_and_embeddings(client: OpenAI):
    answer = client.completions.create(
        model="east", prompt="粮草何在？张三曰：", max_tokens=12, temperature=0
    )
    assert answer.choices[0].text.startswith("“") and answer.object == "text_completion"
    two = client.embeddings.create(model="east", input=["粮草何在？", "书信何在？"])
    one = client.embeddings.create(model="east", input="粮草何在？", encoding_format="float")
    assert math.isclose(math.hypot(*two.data[0].embedding), 1, rel_tol=1e-3) and len(two.data) == 2
    assert two.data[0].embedding == pytest.approx(one.data[0].embedding, abs=1e-5)
    assert two.data[0].embedding != two.data[1].embedding


def test_a_reply_goes_back_as_history(client: OpenAI):
    messages: list = [*ASK]
    asked: dict = {
        "model": "east:张三",
        "messages": messages,
        "max_tokens": 24,
        "seed": 1,
    }  # a tiny model may babble, or say nothing at once; three replies fit
    for words in ("书信何在？", "宝剑何在？"):
        messages.append(client.chat.completions.create(**asked).choices[0].message)
        messages.append({"role": "user", "content": words})
    assert client.chat.completions.create(**asked).choices[0].message.content


def test_the_base_as_a_character_opened_by_four_at_once(client: OpenAI):
    told: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: told.append(said(client, "west:base", extra_body={"character": "李四"}))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 4 and len(set(told)) == 1 and told[0] != said(client, "west:李四")
    names = [model.id for model in client.models.list()]
    assert len(names) == len(set(names)) and not [
        name for name in names if name.startswith("west:base:")
    ]


def test_several_prompts_are_all_counted(client: OpenAI):
    one, two = (
        client.completions.create(model="east", prompt=prompt, max_tokens=2, n=2).usage
        for prompt in (["粮草"], ["粮草", "书信何在"])
    )
    assert two.prompt_tokens > one.prompt_tokens
    with pytest.raises(openai.BadRequestError, match="16"):
        client.completions.create(model="east", prompt=["粮草"] * 8, n=4)


def test_errors_are_the_clients_own(client: OpenAI):
    with pytest.raises(openai.NotFoundError, match="张三"):
        client.chat.completions.create(model="east:张山", messages=ASK)
    with pytest.raises(openai.NotFoundError) as found:
        client.chat.completions.create(model="nobody", messages=ASK)
    assert found.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as found:
        client.chat.completions.create(
            model="east", messages=[{"role": "user", "content": "粮草" * 4000}]
        )
    assert found.value.code == "context_length_exceeded" and "多了" in str(found.value)
    with pytest.raises(openai.BadRequestError, match="logit_bias"):
        client.chat.completions.create(model="east", messages=ASK, logit_bias={"5": 1})


def test_history_may_be_cut_instead(client: OpenAI):
    talk = [
        {"role": "user", "content": "粮草何在？" * 200},
        {"role": "assistant", "content": "送到东门。"},
    ] * 6
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="east:张三", messages=[*talk, *ASK])
    answer = client.chat.completions.create(
        model="east:张三", messages=[*talk, *ASK], extra_body={"truncation": "auto"}
    )
    assert answer.usage.prompt_tokens <= 512 - 128  # this model looks back on 512


SURE = 0.3
"""How far, in log probability, the likeliest token leads the next where a batch's other rounding cannot turn them."""


def sure_of(choice) -> str:
    """What a greedy reply says before its first token that was nearly another: which place, its book leaves to chance."""
    said = ""
    for token in choice.logprobs.content:
        likeliest, next_to_it = (one.logprob for one in token.top_logprobs[:2])
        if likeliest - next_to_it < SURE:
            break
        said += token.token
    return said


def test_many_at_once_get_what_each_gets_alone(client: OpenAI):
    """Two runs, interleaved, eight at a time."""
    asked = [("east:张三", thing) for thing in ("粮草", "书信", "宝剑", "药材")] + [
        ("west:李四", thing) for thing in ("粮草", "书信", "宝剑", "药材")
    ]

    def ask(model: str, thing: str):
        bare = {"scene": {**BARE["scene"], "people": [model.split(":")[-1]]}}
        return client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": f"{thing}何在？"}],
            temperature=0,
            logprobs=True,
            top_logprobs=2,
            extra_body=bare,
        ).choices[0]

    alone = [sure_of(ask(*one)) for one in asked]
    assert all(said.endswith("送到") for said in alone), alone
    together: dict[int, str] = {}
    for _ in range(3):
        threads = [
            threading.Thread(
                target=lambda i=i: together.__setitem__(i, ask(*asked[i]).message.content)
            )
            for i in range(len(asked))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i, (model, _) in enumerate(asked):
            places = BOOKS[model.split(":")[0]][1]
            said, where = together[i][: len(alone[i])], together[i][len(alone[i]) :].rstrip("。")
            assert said == alone[i] and where in places, together
    assert set(BOOKS["east"][1]).isdisjoint(BOOKS["west"][1])  # they are two voices


def test_langchain(server):
    model = ChatOpenAI(
        model="west:李四",
        base_url=f"{server.url}/v1",
        api_key="none",
        temperature=0,
        extra_body={"scene": {**BARE["scene"], "people": ["李四"]}},
    )
    whole = model.invoke("粮草何在？").content
    assert "送到" in whole
    assert "".join(piece.content for piece in model.stream("粮草何在？")) == whole
