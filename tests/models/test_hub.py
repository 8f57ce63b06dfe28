"""Fetching from a hub: a small server of our own speaks the protocols of Hugging Face's and of ModelScope's, in front of the real clients."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

import pytest

from custome.models.sources import wanted_files
from tiny import make_tiny_base

pytestmark = pytest.mark.slow

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves one folder as the repository tiny/base."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.folder, self.extra_bytes = folder, 0
        self.fetched: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlparse(self.path).path)
        if path.startswith("/api/models/tiny/base"):
            files = self._files()
            if "/tree/" in path:
                tree = [
                    {"type": "file", "path": f["rfilename"], "size": f["size"], "oid": "0" * 40}
                    for f in files
                ]
                return self._send(json.dumps(tree).encode(), body)
            return self._send(
                json.dumps({"id": "tiny/base", "sha": COMMIT, "siblings": files}).encode(), body
            )
        if path == "/api/v1/models/tiny/base/repo/files":
            rows = [
                {
                    "Path": f["rfilename"],
                    "Name": f["rfilename"],
                    "Type": "blob",
                    "Size": f["size"],
                    "Revision": COMMIT,
                }
                for f in self._files()
            ]
            return self._send(
                json.dumps({"Code": 200, "Success": True, "Data": {"Files": rows}}).encode(), body
            )
        if path == "/api/v1/models/tiny/base/repo":
            name = parse_qs(urlparse(self.path).query)["FilePath"][0]
            self.server.fetched.append(name)
            return self._send((self.server.folder / name).read_bytes(), body)
        file = self.server.folder / path.rsplit("/", 1)[-1]
        if path.startswith("/tiny/base/resolve/") and file.is_file():
            if body:
                self.server.fetched.append(file.name)
            return self._send(file.read_bytes(), body)
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _files(self) -> list[dict]:
        return [
            {"rfilename": f.name, "size": f.stat().st_size + self.server.extra_bytes}
            for f in sorted(self.server.folder.iterdir())
        ]

    def _send(self, data: bytes, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = make_tiny_base(tmp_path / "served")
    (folder / "pytorch_model.bin").write_bytes(b"not to be fetched")
    server = Hub(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def resolve(spec: str, hub: Hub, home: Path) -> tuple[int, str]:
    """(exit code, what was printed) of a process that resolves `spec`."""
    code = (
        "import sys\nfrom custome.errors import CustomeError\nfrom custome.models.sources import resolve_base\n"
        "from custome.models.loading import load_model\nfrom custome.reporter import NullReporter\n"
        "try:\n    folder = resolve_base(sys.argv[1], NullReporter())\n"
        "except CustomeError as error:\n    sys.exit(f'{type(error).__name__}: {error.message} | {error.hint}')\n"
        "print(load_model(folder).config.model_type)"
    )
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "MODELSCOPE_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
        "MODELSCOPE_CACHE": str(home),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, spec],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    return done.returncode, done.stdout + done.stderr


HUBS = ["hf", "ms"]


@pytest.mark.parametrize("kind", HUBS)
def test_fetched_once_then_offline(kind: str, hub: Hub, tmp_path: Path):
    code, told = resolve(f"{kind}:tiny/base", hub, tmp_path / "home")
    assert code == 0 and "gemma3_text\n" in told, told
    assert "model.safetensors" in hub.fetched and "pytorch_model.bin" not in hub.fetched
    hub.shutdown()
    hub.server_close()
    code, told = resolve(f"{kind}:tiny/base", hub, tmp_path / "home")
    assert code == 0 and "gemma3_text\n" in told, told


@pytest.mark.parametrize("kind", HUBS)
def test_a_name_nobody_has_and_a_hub_that_is_away(kind: str, hub: Hub, tmp_path: Path):
    code, told = resolve(f"{kind}:tiny/bse", hub, tmp_path / "home")
    assert code == 1 and "tiny/bse" in told and "没有这个仓库" in told and "三条路" in told
    hub.shutdown()
    hub.server_close()
    code, told = resolve(f"{kind}:tiny/base", hub, tmp_path / "home")
    assert code == 1 and "SourceError" in told and "三条路" in told


@pytest.mark.parametrize("kind", HUBS)
def test_a_disk_too_small_is_noticed_before_anything_is_fetched(
    kind: str, hub: Hub, tmp_path: Path
):
    hub.extra_bytes = 10**16
    code, told = resolve(f"{kind}:tiny/base", hub, tmp_path / "home")
    assert code == 1 and "DiskError" in told and "只剩" in told and not hub.fetched


def test_pickles_only_where_there_is_nothing_else():
    files = ["config.json", "a.safetensors", "b.bin", "onnx/model.json", "tokenizer.model", "x.py"]
    assert sorted(wanted_files(files)) == [
        "a.safetensors",
        "config.json",
        "tokenizer.model",
        "x.py",
    ]  # fetched, not run
    assert "b.bin" in wanted_files([f for f in files if f != "a.safetensors"])
