"""A desk for the commands of the documents."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from custome.cli.app import main
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.models.export import export
from custome.reporter import NullReporter
from custome.server.app import create_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.training import learning, validation
from custome.training.finetune import finetune
from custome.types import Character
from desk import Desk
from tiny import PEOPLE, any_port, make_recipe, make_tiny_novel

NAMES = ("诸葛亮", "周瑜", "刘备", "张飞")
"""People of the tiny book: those that the documents talk to."""


@pytest.fixture(scope="module")
def things(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A book, its corpus, a run on a base in a folder, the same base as a GGUF file, and a run on that. Runs draw nothing and
    say nothing on the way: others test that, and it takes half of their time."""
    folder = tmp_path_factory.mktemp("things")
    book = make_tiny_novel(folder / "三国演义.txt", chapters=20)
    text = book.read_text(encoding="utf-8")
    for made_up, name in zip(PEOPLE, NAMES, strict=True):
        text = text.replace(made_up, name)
    book.write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUSTOME_HOME", str(folder / "home"))
        patch.setattr(learning, "draw_curves", lambda folder: None)
        patch.setattr(validation, "sample_replies", lambda *given: [""] * len(given[3]))
        assert main(["corpus", "build", str(book), "-o", str(folder / "corpus")]) == 0
        rows = {"train_path": str(folder / "corpus" / "train.jsonl"), "val_set_size": 8}
        finetune(make_recipe(tiny_base, folder / "folder-run", data=rows, steps=1), NullReporter())
        options = {"quant": "f32", "vocabulary": "full"}
        export(folder / "folder-run", "gguf", folder / "gguf", NullReporter(), **options)
        base = (folder / "gguf" / "folder-run-f32.gguf").rename(folder / "base.gguf")
        finetune(make_recipe(base, folder / "run", data=rows), NullReporter())
        yield folder


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """Address of a server that answers from a list."""
    people = tuple(Character(name=name, cue=name, utterances=9) for name in NAMES)
    served = [
        ServedModel(name=name, engine=ScriptedEngine(["先救猫。"]), people=people)
        for name in ("sanguo", "a")
    ]
    port = any_port()
    app = create_app(Catalogue(served), KeyAuth([]))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def desk(things: Path, tmp_path: Path, api: str, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An empty folder to type in, and a cache that only these tests share."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUSTOME_HOME", str(things / "home"))
    for name in ("keys.json", "chats.db"):
        (things / "home" / name).unlink(missing_ok=True)
    return Desk(things, api, monkeypatch)
