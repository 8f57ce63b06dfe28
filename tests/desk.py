"""Where the commands of the documents are typed: an empty folder in which the files that a command names come to exist."""

from __future__ import annotations

import argparse
import re
import runpy
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from importlib.metadata import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from torch.distributed.run import get_args_parser

from custome import config, recipe_file
from custome.cli import reference, seed
from custome.cli.app import find_command, main
from custome.cli.flags import flag_names, parse, take
from custome.cli.quickstart import Quickstart
from custome.cli.vllm import ServeVllm
from custome.config import Recipe
from custome.errors import CustomeError
from documents import PROGRAMS, REPOSITORY, Command
from simulated_tab import forget_pages
from tiny import any_port

RUN = ("corpus", "models", "plan", "train", "serve", "chat", "keys", "export", "merge")
"""First words of the commands that run: what else there is asks hundreds of questions."""
FROM_THE_NETWORK = ("corpus fetch", "models get", "models remove")
FEW = "--steps 1 --batch-size 2 --micro-batch-size 2 --eval-samples 2 --eval-steps 0 --cutoff-len 96 --self-replay 0"
OUTPUTS = ("-o", "--output", "--output-dir", "--output_dir")
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
FOLDERS = {"runs": "run", "corpus": "corpus"}
"""Folder → what a folder in it is."""
FILES = {".txt": "三国演义.txt", ".yaml": "run/recipe.yaml"}
"""Suffix → what a file with it is; any other is a file of dialogues."""


class Desk:
    """A folder to type in.

    Args:
        things: a folder with a book, its corpus, a GGUF file as the bases by name are, a run on it, and one on a folder.
        api: address of a server.
    """

    def __init__(self, things: Path, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.things, self.api, self.monkeypatch = things, api, monkeypatch
        monkeypatch.setattr(uvicorn.Server, "run", look_at_the_server)
        monkeypatch.setattr("builtins.input", lambda _: "/退出")
        monkeypatch.setattr(seed, "run_training", lambda recipe, *_, **__: recipe.check())
        monkeypatch.setattr(seed, "run_flags", lambda flags: 0)

    def type(self, command: Command) -> None:
        """A line of a block: run it, or parse it."""
        program, *words = command.words
        assert program in PROGRAMS, f"{command.place}: nothing here checks {program!r}"
        if program != "custome":
            return self.look_at(command)
        with at(command):
            self.custome(words)

    def look_at(self, command: Command) -> None:
        """Parse a line by its program's own flags."""
        program, *words = command.words
        ways = max(len(word.split("|")) for word in words)
        for way in range(ways):  # a|b|c: either
            chosen = [(word.split("|") * ways)[way] for word in words]
            self.furnish(chosen)
            with at(command):
                getattr(self, f"look_at_{program}")(chosen)

    def here(self, text: str) -> str:
        """With the address of the server that is there."""
        return ADDRESS.sub(self.api, text)

    def furnish(self, words: Sequence[str]) -> None:
        """Make the files and folders that a command reads."""
        for flag, word in zip(("", *words), words, strict=False):
            path = Path(word)
            if flag in OUTPUTS or path.exists() or path.is_absolute():
                continue
            folder = Path(*path.parts[:2])
            if len(path.parts) > 1 and path.parts[0] in FOLDERS:
                kind = "folder-run" if "vllm" in words else FOLDERS[path.parts[0]]
                if not folder.exists():
                    shutil.copytree(self.things / kind, folder)
                    for recipe in folder.glob("recipe.yaml"):
                        there = recipe.read_text(encoding="utf-8")
                        here = there.replace(str(self.things / kind), str(folder))
                        recipe.write_text(here, encoding="utf-8")
            elif path.suffix in (*FILES, ".json", ".jsonl"):
                path.parent.mkdir(parents=True, exist_ok=True)
                source = FILES.get(path.suffix, "corpus/dialogues.jsonl")
                shutil.copyfile(self.things / source, path)

    # -- custome ---------------------------------------------------------------------------------------------------

    def custome(self, words: Sequence[str]) -> None:
        """Run a command, or parse it where it would take long or is not whole."""
        if words == ["--version"]:
            assert main(words) == 0
            return
        self.furnish(words)
        name, argv = find_command(words)
        flags = parsed(name, argv)
        if "…" in words or name in FROM_THE_NETWORK or name.split()[0] not in RUN:
            return
        extra = ["--print-only"] if take(argv, "engine") == "vllm" else []
        if name == "train" and not flags.resume:  # which goes on as it began
            extra = self.fewer(flags)
        forget_pages()
        free = {at + 1: str(any_port()) for at, word in enumerate(words) if word == "--port"}
        typed = [self.here(free.get(at, word)) for at, word in enumerate(words)] + extra
        print("custome", *typed)
        assert main(typed) == 0, f"custome {' '.join(typed)}"

    def fewer(self, flags: Any) -> list[str]:
        """Flags behind a training command, so that it takes a second."""
        recipe = flags.settings
        self.furnish([recipe.data.train_path, recipe.data.valid_path])
        extra = [*FEW.split(), "--base-model", str(self.things / "base.gguf")]
        extra += ["--pretrain-steps", "1"] * bool(recipe.train.pretrain_steps)
        return extra + ["--chat-format", "chatml", "--conversations", "8"] * bool(
            recipe.data.conversations
        )

    def look_at_custome(self, words: list[str]) -> None:
        if words == ["--help"]:
            return
        name, argv = find_command(words)
        if len(argv) == 1 and argv[0].startswith("--"):  # a flag is spoken of
            assert argv[0].removeprefix("--").replace("-", "_") in flag_names(flags_of(name, argv))
        elif argv:
            parsed(name, argv)

    # -- other programs --------------------------------------------------------------------------------------------

    def look_at_make(self, words: list[str]) -> None:
        makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
        for word in words:
            name, sign, value = word.partition("=")
            assert re.search(rf"^{name}{' [?]=' if sign else ':'}", makefile, re.MULTILINE), word
            if name == "ARGS" and words[0] == "demo":
                parse(Quickstart, value.split(), "custome quickstart")
            if name == "PIP_FLAGS":
                self.look_at_pip(["install", *value.split()])

    def look_at_python(self, words: list[str]) -> None:
        if words[:2] == ["-m", "pip"]:
            return self.look_at_pip(words[2:])
        if words[0] == "-m":
            assert find_spec(words[1]), words
            return
        real = argparse.ArgumentParser.parse_args

        def parse_and_leave(parser: argparse.ArgumentParser, *given: Any) -> None:
            real(parser, *given)
            raise SystemExit(0)

        self.monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_leave)
        self.monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(REPOSITORY / words[0]), run_name="__main__")
        self.monkeypatch.setattr(argparse.ArgumentParser, "parse_args", real)
        assert not left.value.code, words

    def look_at_torchrun(self, words: list[str]) -> None:
        called = get_args_parser().parse_args(words)
        assert called.module and called.training_script == "custome"
        self.look_at_custome(called.training_script_args)

    def look_at_pip(self, words: list[str]) -> None:
        from pip._internal.commands import create_command

        _, given = create_command(words[0]).parse_args(words[1:])
        extras = [extra for word in given for extra in re.findall(r"llm-custome\[(.+)\]", word)]
        assert set(extras) <= set(metadata("llm-custome").get_all("Provides-Extra") or ()), words

    def look_at_curl(self, words: list[str]) -> None:
        parser = argparse.ArgumentParser(exit_on_error=False)
        parser.add_argument("url")
        parser.add_argument("-H", action="append", default=[])
        parser.add_argument("-d", default=None)
        asked = parser.parse_args(words)
        answer = httpx.request(
            "GET" if asked.d is None else "POST",
            self.here(asked.url),
            content=asked.d,
            headers=dict(header.split(": ", 1) for header in asked.H),
        )
        assert answer.status_code == 200, answer.text

    def look_at_docker(self, words: list[str]) -> None:
        for flag, word in zip(words, words[1:], strict=False):
            assert flag != "-f" or (REPOSITORY / word).is_file(), word

    def look_at_bash(self, words: list[str]) -> None:
        assert (REPOSITORY / words[0]).is_file(), words


@contextmanager
def at(command: Command) -> Iterator[None]:
    """Whatever fails in here is said with its line."""
    try:
        yield
    except (AssertionError, CustomeError, SystemExit, argparse.ArgumentError) as error:
        line = f"{command.place}: {' '.join(command.words)}"
        raise AssertionError(f"{line}\n{error!r}") from error


def look_at_the_server(server: uvicorn.Server) -> None:
    """In place of serving until Ctrl-C."""
    server.config.load()
    url = f"http://{server.config.host}:{server.config.port}"
    with TestClient(server.config.loaded_app, base_url=url) as client:
        assert client.get("/ready").json() == {"status": "ready"}


def flags_of(name: str, argv: Sequence[str]) -> type:
    """The flags class of a command."""
    if take(list(argv), "engine") == "vllm":
        return ServeVllm
    return reference.flags_of(name)


def parsed(name: str, argv: Sequence[str]) -> Any:
    """The flags of a command line as the command itself reads them."""
    argv, default = [word for word in argv if word not in ("…", "--help")], None
    cls = flags_of(name, argv)
    if any(field.name == "settings" for field in fields(cls)):
        path = take(argv, "recipe")
        filed = recipe_file.load_recipe(recipe_file.find_recipe(path)) if path else Recipe()
        default = cls(settings=config.with_method(filed, take(argv, "method")))
    return parse(cls, argv, f"custome {name}", default=default)
