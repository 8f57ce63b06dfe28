"""Bases over the API: managed, searched, asked as a model by OpenAI's own client; and by an MCP client of the official SDK."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from openai import OpenAI

from custome.apps.context import AppContext
from custome.apps.knowledge.shelf import Shelf
from custome.conversations.store import Store
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEmbedder, ScriptedEngine
from custome.errors import InputError
from custome.ports import free_port
from custome.server.app import create_app
from custome.server.auth import Key, KeyAuth
from custome.server.catalogue import Catalogue
from custome.server.knowledge import KnowledgeModels, knowledge_router
from custome.server.mcp import serve_mcp
from custome.types import Character

TEXT = "渡口的末班船晚上八点开，船票五元一张。船夫叫钱勇，在这里撑了三十年船。雨天停航。"
SAID = "[1] 晚上八点。"


MCP = ["-m", "custome", "knowledge", "mcp"]


class Instructed(ScriptedEngine):
    kind = "template"


def served(
    tmp_path: Path,
    *,
    workplace: bool = True,
    keys: list[Key] | None = None,
    replies: list[str] | None = None,
) -> TestClient:
    people = (Character(name="钱勇", cue="钱勇", utterances=9),)
    engine = Instructed(replies or [SAID])
    context = AppContext(
        hosted=lambda: [ServedModel(name="m", engine=engine, people=people)],
        store=lambda: Store(tmp_path / "chats.db"),
        workplace=tmp_path if workplace else None,
        voice_of=lambda model, person: lambda question, fact, cancel: f"{person}说：{fact}",
        embedder_of=lambda _: ScriptedEmbedder(("船票", "车马费")),
    )
    catalogue = Catalogue([])
    catalogue.app_models.append(KnowledgeModels(context))
    return TestClient(
        create_app(catalogue, KeyAuth(keys or []), routers=[knowledge_router(context)])
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TestClient]:
    with served(tmp_path) as client:
        client.post("/v1/knowledge", json={"name": "渡口"})
        client.post("/v1/knowledge/渡口/documents", json={"name": "船期.txt", "text": TEXT})
        yield client


def test_a_base_is_made_filled_searched_and_emptied(server: TestClient):
    (base,) = server.get("/v1/knowledge").json()["data"]
    assert (base["model"], base["documents"], base["characters"]) == ("kb:渡口", 1, len(TEXT) + 1)
    (hit,) = server.post("/v1/knowledge/渡口/search", json={"question": "船夫是谁"}).json()["data"]
    assert hit["text"] == TEXT and "船夫" in hit["words"] and hit["score"] >= 0
    place = {"document": "船期.txt", "at": hit["start"]}
    assert server.get("/v1/knowledge/渡口/passages", params=place).json()["data"][0]["text"] == TEXT
    assert server.delete("/v1/knowledge/渡口/documents/船期.txt").json() == {"deleted": "船期.txt"}
    found = server.post("/v1/knowledge/渡口/search", json={"question": "船夫是谁"}).json()["data"]
    assert found == [] and server.post("/v1/knowledge/渡口/compact").json() == {"status": "ok"}
    server.delete("/v1/knowledge/渡口")
    assert server.get("/v1/knowledge").json()["data"] == []


def test_openais_client_reads_the_citations(server: TestClient):
    client = OpenAI(api_key="x", base_url="http://testserver/v1", http_client=server)
    assert "kb:渡口" in [one.id for one in client.models.list()]
    messages = [{"role": "user", "content": "末班船几点开？"}]
    answer = client.chat.completions.create(model="kb:渡口", messages=messages)
    message = answer.choices[0].message
    assert message.content == "晚上八点。"
    (cited,) = message.annotations
    assert cited.type == "url_citation" and cited.url_citation.title == "船期.txt"
    assert (cited.url_citation.start_index, cited.url_citation.end_index) == (0, 5)
    shown = server.get(cited.url_citation.url).json()["data"][0]["text"]
    start, end = cited.url_citation.start, cited.url_citation.end
    assert TEXT[start:end] == cited.url_citation.quote and cited.url_citation.quote in shown
    # what an answer had can be sent back with the next question
    messages += [message.model_dump(exclude_none=True), {"role": "user", "content": "那它呢？"}]
    assert client.chat.completions.create(model="kb:渡口", messages=messages).choices


def test_streamed_and_by_the_other_route(server: TestClient):
    client = OpenAI(api_key="x", base_url="http://testserver/v1", http_client=server)
    messages = [{"role": "user", "content": "末班船几点开？"}]
    said, cited = "", []
    for chunk in client.chat.completions.create(model="kb:渡口", messages=messages, stream=True):
        said += chunk.choices[0].delta.content or ""
        cited += getattr(chunk.choices[0].delta, "annotations", None) or []
    assert (
        said == "晚上八点。"
        and cited[0]["url_citation"]["quote"] == "渡口的末班船晚上八点开，船票五元一张。"
    )
    response = client.responses.create(model="kb:渡口", input="末班船几点开？")
    assert response.output_text == "晚上八点。"
    assert response.output[0].content[0].annotations[0].title == "船期.txt"


def test_somebody_words_it(server: TestClient):
    body = {"model": "kb:渡口:钱勇", "messages": [{"role": "user", "content": "末班船几点开？"}]}
    message = server.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]
    assert message["content"] == "钱勇说：晚上八点。" and message["annotations"]


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({"model": "kb:没有"}, 400, "没有知识库"),
        ({"model": "kb:渡口", "logprobs": True}, 400, "logprobs"),
        (
            {"model": "kb:渡口", "messages": [{"role": "assistant", "content": "好"}]},
            400,
            "不是问题",
        ),
        (
            {"model": "kb:渡口", "messages": [{"role": "user", "content": "长" * 3000}]},
            400,
            "2,000",
        ),
        ({"model": "kb:渡口", "messages": [{"role": "user", "content": " "}]}, 400, "没有写问题"),
    ],
)
def test_what_cannot_be_asked(server: TestClient, body: dict, status: int, why: str):
    body = {"messages": [{"role": "user", "content": "问"}], **body}
    answer = server.post("/v1/chat/completions", json=body)
    assert answer.status_code == status and why in answer.json()["error"]["message"]


def test_who_may_change_a_base(tmp_path: Path):
    with served(tmp_path, workplace=False) as client:
        assert client.post("/v1/knowledge", json={"name": "x"}).status_code == 403
        assert client.get("/v1/knowledge").status_code == 200
    import hashlib

    keys = [Key(name="读", sha256=hashlib.sha256(b"k").hexdigest())]
    with served(tmp_path, keys=keys) as client:
        assert client.get("/v1/knowledge").status_code == 401
        shown = {"Authorization": "Bearer k"}
        assert client.get("/v1/knowledge", headers=shown).status_code == 200
        refused = client.post("/v1/knowledge", json={"name": "x"}, headers=shown)
        assert refused.status_code == 403 and "--admin" in refused.json()["error"]["message"]


@asynccontextmanager
async def over_stdio(environment: dict[str, str]) -> AsyncIterator[Any]:
    """Both ends of a line to our server, which the client starts."""
    command = StdioServerParameters(command=sys.executable, args=[*MCP, "渡口"], env=environment)
    async with stdio_client(command) as line:
        yield line


@asynccontextmanager
async def over_http(environment: dict[str, str]) -> AsyncIterator[Any]:
    """The same over HTTP, to a server that runs by itself."""
    port = free_port("127.0.0.1", None)
    command = [sys.executable, *MCP, "渡口", "--http", "--port", str(port)]
    with subprocess.Popen(command, env=environment) as server:
        try:
            async with streamable_http_client(f"http://127.0.0.1:{port}/mcp") as line:
                with anyio.fail_after(60):
                    while True:
                        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                            break
                        await anyio.sleep(0.1)
                yield line
        finally:
            server.terminate()


@pytest.mark.parametrize("line_to", [over_stdio, over_http])
def test_an_mcp_client_lists_and_calls_the_tools(own_home: Path, line_to: Any):
    Shelf().create("渡口").take_file("船期.txt", TEXT.encode())

    async def talk() -> None:
        environment = {"CUSTOME_HOME": str(own_home), "PATH": ""}
        async with line_to(environment) as (read, write, *_), ClientSession(read, write) as session:
            await session.initialize()
            assert {tool.name for tool in (await session.list_tools()).tools} == {"search", "read"}
            found = await session.call_tool("search", {"question": "船夫是谁"})
            (hit,) = found.structured_content["result"]
            assert hit["text"] == TEXT and hit["document"] == "船期.txt"
            place = {"base": "渡口", "document": "船期.txt", "start": hit["start"]}
            read_back = await session.call_tool("read", place)
            assert read_back.content[0].text == TEXT
            wrong = await session.call_tool("read", {**place, "base": "没有"})
            assert wrong.is_error and "没有知识库" in wrong.content[0].text

    anyio.run(talk)


def test_mcp_without_keys_stays_on_this_computer(own_home: Path):
    with pytest.raises(InputError, match="不能对外开"):
        serve_mcp(Shelf(), (), http=True, host="0.0.0.0", port=None)


def test_a_base_that_finds_by_meaning(server: TestClient):
    where = "/v1/knowledge/渡口"
    assert server.post(f"{where}/embedder", json={"embedder": "http://elsewhere/v1#m"}).status_code == 400  # fmt: skip
    assert server.post(f"{where}/embedder", json={"embedder": "e5-small"}).json()["embedder"] == "e5-small"  # fmt: skip
    found: list[dict[str, Any]] = []
    for _ in range(100):  # they are made behind
        found = server.post(f"{where}/search", json={"question": "车马费"}).json()["data"]
        if found:
            break
        time.sleep(0.05)
    assert found[0]["text"] == TEXT and found[0]["meant"] > 0.9
    assert server.post(f"{where}/embedder", json={"embedder": ""}).json()["embedder"] == ""
    assert server.post(f"{where}/search", json={"question": "车马费"}).json()["data"] == []
