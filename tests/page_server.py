"""The pages on a scripted engine, in a process of its own that can be killed; of this release's code or of an earlier one's."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from custome.ports import free_port

REPOSITORY = Path(__file__).parents[1]
DELAY_S = 0.03
REPLY = (
    "".join(f"其{number}曰天下之事不可不察也，" for number in "一二三四五六七八")
    + "此吾所以为将军忧也。"
)
SERVER = f"""
import sys
from pathlib import Path
from custome.conversations.store import Store
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.server.app import create_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.types import Character
from custome.apps.context import AppContext
from custome.cli.apps import mount_pages
import uvicorn

engine = ScriptedEngine([{REPLY!r}], delay_s={DELAY_S})
catalogue = Catalogue([ServedModel(name="三国", engine=engine, people=(Character(name="曹操", cue="曹操", utterances=9),))])
app = create_app(catalogue, KeyAuth([]))
store = Store(sys.argv[1])
mount_pages(app, AppContext(hosted=catalogue.hosted, store=lambda: store))
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
"""


class Server:
    """The server in a process of its own."""

    def __init__(self, where: Path) -> None:
        self._where, self._port = where, free_port("127.0.0.1", None)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, code: Path | None = None) -> str:
        """Returns its address.

        Args:
            code: a checkout to take the program from; without, what is installed.
        """
        path = {"PYTHONPATH": str(code / "src")} if code else {}
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self._where), str(self._port)],
            env={**os.environ, **path},
        )
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return f"http://127.0.0.1:{self._port}"
            time.sleep(0.1)
        raise AssertionError("the server does not start")

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def release(commit: str, folder: Path) -> Path:
    """The program as it was at a commit, out of the history into `folder`."""
    archive = subprocess.run(
        ["git", "archive", commit], cwd=REPOSITORY, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder
