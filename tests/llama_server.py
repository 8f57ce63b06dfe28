"""llama.cpp's own HTTP server in a process of its own, to be killed and started again."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx

from tiny import any_port

SERVER = """
import sys, threading, xllamacpp
p = xllamacpp.CommonParams()
p.model.path, p.n_ctx, p.n_parallel, p.port, p.verbosity = sys.argv[1], 512, 2, int(sys.argv[2]), -1
server = xllamacpp.Server(p)
threading.Event().wait()
"""


class Llama:
    """llama.cpp's own server in a process of its own."""

    def __init__(self, model: Path) -> None:
        self.model, self.port = model, any_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self.model), str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/models").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError("llama.cpp did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
