"""An empty database for a test: SQLite, and a PostgreSQL of its own that lives as long as the tests."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of an empty server."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb") or ""]
    assert found[-1], "PostgreSQL is needed: apt-get install postgresql"
    programs = Path(found[-1]).parent
    user = {"user": "postgres"} if os.getuid() == 0 else {}  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path must be short
    folder.chmod(0o777)
    data, port = folder / "data", free()

    def run(*words: str) -> None:
        subprocess.run(
            [str(programs / words[0]), *words[1:]], check=True, capture_output=True, cwd="/", **user
        )  # type: ignore[call-overload]

    run("initdb", "-D", str(data), "-A", "trust", "-U", "custome", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "-D", str(data), "-w", "-o", options, "-l", str(data / "log"), "start")
    yield f"postgresql+psycopg://custome@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where nothing is yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/chats.db"
    url: str = request.getfixturevalue("postgresql")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url
