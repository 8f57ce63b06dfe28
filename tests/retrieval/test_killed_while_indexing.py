"""`kill -9` at twenty moments of reading files into a base: what was acknowledged is there, nothing is half there."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from custome.reporter import NullReporter
from custome.retrieval.base import add
from custome.retrieval.sqlite import SqliteStore

FILES, KILLS = 40, 20
INDEXING = """
import sys
from pathlib import Path
from custome.reporter import NullReporter
from custome.retrieval.base import add
from custome.retrieval.sqlite import SqliteStore

class Telling(NullReporter):
    def progress(self, task, done, total, detail=""):
        print(detail, flush=True)

print("begin", flush=True)
while True:
    add(SqliteStore(Path(sys.argv[1])), [Path(sys.argv[2])], Telling())
    for path in sorted(Path(sys.argv[2]).glob("*.txt")):  # something new to read the next time
        fresh = path.with_suffix(".new")
        fresh.write_text(path.read_text(encoding="utf-8") + "又来了一班船。", encoding="utf-8")
        fresh.replace(path)
"""


def test_killed_twenty_times(tmp_path: Path):
    folder, index = tmp_path / "手册", tmp_path / "index.db"
    folder.mkdir()
    for number in range(FILES):
        text = f"第{number}号渡口的船夫撑了{number}年船。" * (5 + number * 3)
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    dice = random.Random(0)
    acknowledged: set[str] = set()
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", INDEXING, str(index), str(folder)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stdout.readline() == "begin\n"
        time.sleep(dice.uniform(0.02, 0.5))
        process.kill()
        acknowledged |= set(process.stdout.read().split("\n")[:-1])
        process.wait()
        _is_whole(index, acknowledged)
    assert len(acknowledged) == FILES
    store = SqliteStore(index)
    add(store, [folder], NullReporter())
    kept = [store.text(f"手册/{number}.txt") for number in range(FILES)]
    there = [(folder / f"{number}.txt").read_text(encoding="utf-8") for number in range(FILES)]
    assert [text.strip() for text in kept] == [text.strip() for text in there]


def _is_whole(index: Path, acknowledged: set[str]) -> None:
    """Every document that was told of is there with all its chunks, and the index has a row for each chunk."""
    store = SqliteStore(index)
    listed = store.listed()
    assert acknowledged <= {one.name for one in listed}
    passages = store.passages([hit.chunk for hit in store.find(["船"], most=100_000)])
    for one in listed:
        mine = [passage for passage in passages if passage.name == one.name]
        assert len(mine) == one.chunks > 0
        text = store.text(one.name)
        assert all(text[passage.start : passage.end] == passage.text for passage in mine)
    store.close()
    database = sqlite3.connect(index)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    ((chunks,),) = database.execute("SELECT count(*) FROM chunks").fetchall()
    ((rows,),) = database.execute("SELECT count(*) FROM lexicon").fetchall()
    assert chunks == rows
    database.close()
