"""The register of apps: every folder of apps/ stands in it, and everything it names is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from nicegui import ui

from custome.apps.context import AppContext
from custome.cli import apps
from custome.cli.app import COMMANDS
from custome.cli.apps import APPS, App, find, mount_pages, routers
from custome.conversations.store import Store
from custome.engine.base import ServedModel
from custome.engine.scripted import ScriptedEngine
from custome.errors import InputError
from custome.server import app as server_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.webui.shell import OWNER, Shell
from simulated_tab import forget_pages

FOLDERS = Path(apps.__file__).parents[1] / "apps"


def test_every_app_folder_stands_in_the_register_and_the_other_way_round():
    folders = {place.name for place in FOLDERS.iterdir() if (place / "__init__.py").is_file()}
    assert folders == set(APPS), "cli/apps.py: APPS"


@pytest.mark.parametrize("name", list(APPS))
def test_everything_an_app_names_is_there(name: str):
    app = APPS[name]
    for command, (place, _) in app.commands.items():
        assert COMMANDS[command][0] == place and callable(find("cli", place))
    for room, place in (("server", app.routes), ("webui", app.page)):
        assert not place or callable(find(room, place))


def test_an_app_brings_its_routes_and_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Through the register alone: nothing else in the server knows it."""

    def routes(context: AppContext) -> APIRouter:
        router = APIRouter()

        @router.get("/v1/echo/{words}")
        def echo(words: str) -> dict[str, str]:
            return {"said": words, "by": context.model("m").name}

        return router

    def page(shell: Shell) -> None:
        shell.page("/echo", "回声", icon="campaign")(lambda frame: ui.label(frame.path))

    monkeypatch.setattr(apps, "APPS", {"echo": App(routes="echo:routes", page="echo_page:page")})
    monkeypatch.setattr(apps, "find", lambda room, place: {"server": routes, "webui": page}[room])
    catalogue = Catalogue([ServedModel(name="m", engine=ScriptedEngine([]))])
    context = AppContext(hosted=catalogue.hosted, store=lambda: Store(tmp_path / "chats.db"))
    forget_pages()
    server = server_app.create_app(catalogue, KeyAuth([]), routers=routers(context))
    mount_pages(server, context)
    with TestClient(server, cookies={OWNER: "0" * 32}) as client:
        assert client.get("/v1/echo/书信").json() == {"said": "书信", "by": "m"}
        shown = client.get("/echo")
        assert shown.status_code == 200 and "campaign" in shown.text


def test_a_model_that_is_not_served_is_named(tmp_path: Path):
    catalogue = Catalogue([ServedModel(name="m", engine=ScriptedEngine([]))])
    context = AppContext(hosted=catalogue.hosted, store=lambda: Store(tmp_path / "chats.db"))
    with pytest.raises(InputError, match="'n'"):
        context.model("n")
