"""`custome knowledge add … --embedder http://…`: a real server gives the vectors, a question without a word in common finds its place."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from custome.cli.knowledge import knowledge_add, knowledge_ask, shelf
from custome.errors import EngineError, InputError

SAME = (("船票", "车马费"), ("茶", "饮品"))
TEXTS = {"船.txt": "船票五元一张。", "茶.txt": "龙井产在湖边，是好茶。"}


class Embeddings(BaseHTTPRequestHandler):
    """OpenAI's /v1/embeddings: texts are near each other that have words of the same group."""

    asked: list[dict[str, Any]] = []
    broken = False

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append(body)
        rows = [
            {
                "index": at,
                "embedding": [float(any(w in text for w in group)) for group in SAME] + [0.1],
            }
            for at, text in enumerate(body["input"])
        ]
        answer = json.dumps({"data": rows[::-1]} if not self.broken else {"data": []}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Embeddings, "asked", [])
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    with ThreadingHTTPServer(("127.0.0.1", 0), Embeddings) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "说明"
    made.mkdir()
    for name, text in TEXTS.items():
        (made / name).write_text(text, encoding="utf-8")
    return made


def test_found_by_meaning(
    own_home: Path, url: str, folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert knowledge_add(["渡口", str(folder), "--embedder", f"{url}#bge-small"]) == 0
    assert [one["model"] for one in Embeddings.asked] == ["bge-small"]
    assert sorted(Embeddings.asked[0]["input"]) == sorted(TEXTS.values())
    capsys.readouterr()
    assert knowledge_ask(["渡口", "车马费", "--base", "none"]) == 0
    assert Embeddings.asked[-1]["input"] == ["为这个句子生成表示以用于检索相关文章：车马费"]
    (first, _) = shelf().get("渡口").search("车马费")
    assert first.passage.name == "说明/船.txt"
    (folder / "船.txt").write_text("船票六元一张。", encoding="utf-8")
    assert knowledge_add(["渡口"]) == 0
    assert Embeddings.asked[-1]["input"] == ["船票六元一张。"]  # only what changed is sent again
    assert knowledge_add(["渡口", "--embedder", "none"]) == 0
    assert shelf().get("渡口").search("车马费") == []


def test_a_server_that_gives_no_vectors(
    own_home: Path, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Embeddings, "broken", True)
    with pytest.raises(EngineError, match="给的不是向量"):
        knowledge_add(["渡口", str(folder), "--embedder", f"{url}#toy"])
    assert (
        shelf().get("渡口").search("龙井")[0].passage.name == "说明/茶.txt"
    )  # the words are there


def test_no_embedder_of_that_name(own_home: Path, folder: Path):
    with pytest.raises(InputError, match="没有 'e6' 这个向量模型"):
        knowledge_add(["渡口", str(folder), "--embedder", "e6"])
