"""A server and a tab on it, for pages clicked through without a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nicegui import ui
from nicegui.functions.download import download
from nicegui.functions.navigate import Navigate
from nicegui.functions.notify import notify

from custome.webui.elements import Composer
from simulated_tab import Site, Tab


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def site(
    tmp_path: Path, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    monkeypatch.setattr(
        Composer, "give_back", lambda composer, words: made.given_back.append(words)
    )
    monkeypatch.setenv("NICEGUI_USER_SIMULATION", "true")
    async with made.serving() as new_user:
        made.new_user = new_user
        yield made
    ui.navigate, ui.notify, ui.download = Navigate(), notify, download
    made.store.close()


@pytest.fixture
async def tab(site: Site) -> Tab:
    return await Tab(site.new_user(), site).open()
