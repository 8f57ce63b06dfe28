"""The frame around pages: who comes in, messages, language, theme, addresses that are none."""

from __future__ import annotations

import httpx
import pytest
from nicegui import core, ui
from nicegui.elements.query import QueryElement

from custome.webui.shell import FACES
from simulated_tab import Site, Tab

pytestmark = pytest.mark.anyio


def browser(**cookies: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(core.app), base_url="http://test", cookies=cookies
    )


@pytest.mark.parametrize("owner", ["", "short", "Z" * 32, "0" * 33])
async def test_a_browser_without_a_name_gets_one(site, owner):
    answer = await browser(custome_owner=owner).get("/")
    assert answer.status_code == 200 and "crypto.getRandomValues" in answer.text
    assert "custome-owner" in answer.text, "the name the last release gave it is used on"


@pytest.mark.parametrize("path", ["/", "/people", "/en", "/en/people"])
async def test_pages_are_there_in_both_languages(site, path):
    answer = await site.new_user().http_client.get(path, follow_redirects=True)
    assert answer.status_code == 200
    assert f'lang="{"en-US" if path.startswith("/en") else "zh-CN"}"' in answer.text


async def test_nothing_comes_from_elsewhere(site):
    text = (await site.new_user().http_client.get("/")).text
    outside = [part for part in text.split('"') if part.startswith(("http:", "https:", "//"))]
    assert not [one for one in outside if "w3.org" not in one]


async def test_the_theme_is_kept(site):
    user = site.new_user()
    user.http_client.cookies.set("custome_theme", "dark")
    await user.open("/")
    dark = [one for one in user.client.elements.values() if type(one).__name__ == "DarkMode"]
    assert dark[0].value is True
    user.find(marker="light").click()
    assert dark[0].value is False
    user.find(marker="auto").click()
    assert dark[0].value is None


@pytest.mark.parametrize("kept", ["", "kai", "hei", "<script>"])
async def test_the_typeface_is_kept(site, kept):
    user = site.new_user()
    user.http_client.cookies.set("custome_face", kept)
    await user.open("/")
    body = next(one for one in user.client.elements.values() if isinstance(one, QueryElement))
    assert body.props["classes"] == [f"face_{kept if kept in FACES else 'song'}"]
    for face in ("kai", "hei", "song"):
        user.find(marker="face").click()
        user.find(kind=ui.menu_item, marker=face).click()
        assert body.props["classes"] == [f"face_{face}"]


async def test_progress_of_work_behind_is_told(tmp_path, monkeypatch, anyio_backend):
    site = Site(tmp_path)
    site.progress = lambda: "边聊边练：第 3/9 步"
    async with site.serving() as new_user:
        tab = await Tab(new_user(), site).open()
        assert tab.sees("边聊边练：第 3/9 步")
    site.store.close()


async def test_with_keys_one_is_asked_for(tmp_path, anyio_backend):
    site = Site(tmp_path)
    site.allowed = lambda name, key: key == "sk-custome-right"
    async with site.serving() as new_user:
        client = new_user().http_client
        for path in ("/", "/people", "/en"):
            answer = await client.get(path)
            assert answer.status_code in (303, 307) and "login" in answer.headers["location"]
        asked = await client.get("/login")
        assert 'type="password"' in asked.text
        wrong = await client.post("/login", data={"key": "sk-custome-wrong"})
        assert "密钥不对" in wrong.text and "custome_key" not in wrong.headers.get("set-cookie", "")
        right = await client.post("/login", data={"key": " sk-custome-right "})
        assert right.status_code == 303 and "HttpOnly" in right.headers["set-cookie"]
        assert (await client.get("/")).status_code == 200
    site.store.close()
