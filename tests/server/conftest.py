"""Runs on a base that came as GGUF, and `custome serve` really running on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tiny import any_port


@dataclass
class Server:
    """`custome serve` in a process of its own."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60)

    def post(self, path: str, body: object, **options: object) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=60, **options)  # type: ignore[arg-type]

    def metric(self, name: str, **labels: str) -> float:
        """Sum of a metric's values."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = [
            line for line in self.get("/metrics").text.splitlines() if line.startswith(name + "{")
        ]
        return sum(
            float(line.split()[-1]) for line in lines if all(part in line for part in wanted)
        )


@contextmanager
def served(folder: Path, *flags: str) -> Iterator[Server]:
    """A running server; its end is awaited, and it must go down by itself when asked."""
    port = any_port()
    log = folder / f"serve-{port}.log"
    command = [sys.executable, "-m", "custome", "serve", *flags, "--port", str(port)]
    environment = {**os.environ, "CUSTOME_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=environment, text=True
        )
    server = Server(url=f"http://127.0.0.1:{port}", process=process, log=log)
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            try:
                if server.get("/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            raise AssertionError(log.read_text(encoding="utf-8"))
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def server(gguf_runs: dict[str, Path]) -> Iterator[Server]:
    """Both runs, API only."""
    with served(
        gguf_runs["east"].parents[1], *map(str, gguf_runs.values()), "--no-page"
    ) as running:
        yield running
