"""What a person does in one tab of the chat page, in a real browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from playwright.sync_api import Locator, Page, expect

from custome.apps.context import AppContext
from custome.conversations.store import Store
from custome.ports import free_port
from custome.server.app import create_app
from custome.server.auth import KeyAuth
from custome.server.catalogue import Catalogue
from custome.webui.chat_app import add_pages
from custome.webui.shell import Shell
from simulated_tab import forget_pages

PATIENCE_MS = 30_000


@contextmanager
def serving(
    catalogue: Catalogue,
    store: Store,
    keys: KeyAuth | None = None,
    *,
    port: int | None = None,
    add: Callable[[Shell], None] = add_pages,
) -> Iterator[str]:
    """A server with the pages on a thread of its own."""
    keys = keys or KeyAuth([])
    forget_pages()
    app = create_app(catalogue, keys)
    context = AppContext(
        hosted=catalogue.hosted,
        store=lambda: store,
        allowed=None if keys.open else lambda _, text: keys.find(text) is not None,
    )
    shell = Shell(app, context)
    add(shell)
    shell.mount()
    port = port or free_port("127.0.0.1", None)
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:  # else a test that fails leaves a thread that nobody ends
        for let_go in context.closing:
            let_go()
        server.should_exit = True
        thread.join()


def open_tab(page: Page, address: str) -> Page:
    page.goto(address)
    expect(box(page)).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_function("window.socket && window.socket.connected", timeout=PATIENCE_MS)
    return page


def box(page: Page) -> Locator:
    return page.locator(".composer textarea")


def ask(page: Page, words: str) -> None:
    box(page).fill(words)
    box(page).press("Enter")


def answers(page: Page) -> Locator:
    return page.locator(".turn.theirs")


def questions(page: Page) -> Locator:
    return page.locator(".turn.mine:not(.waiting)")


def words(turns: Locator) -> Locator:
    """What is said, without name and buttons."""
    return turns.locator(".words")


def said(page: Page, text: str, place: int = 0) -> None:
    expect(words(answers(page).nth(place))).to_have_text(text, timeout=PATIENCE_MS)


def finished(page: Page) -> None:
    """Nobody is being answered any more."""
    expect(page.locator(".turn.writing")).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.locator(".composer .stop")).to_have_count(0, timeout=PATIENCE_MS)


def act(page: Page, turn: Locator, what: str) -> None:
    """Press one of a turn's buttons, which show themselves when one comes near."""
    turn.hover()
    turn.get_by_role("button", name=what, exact=True).click()


def talk_to(page: Page, name: str) -> None:
    page.locator(".chip", has_text=name).click()
    expect(page.locator(".chip.here")).to_have_text(name)


def drawer(page: Page) -> None:
    """Open the list, where it is folded away."""
    new = page.get_by_role("button", name="新对话", exact=True).last
    page.wait_for_timeout(300)
    place = page.locator(".left .new").bounding_box()
    if place is None or place["x"] < 0:
        page.get_by_role("button", name="列表").click()
        page.wait_for_timeout(400)
    expect(page.locator(".left .new")).to_be_in_viewport()
    del new


def settings(page: Page, part: str = "") -> None:
    """Open the settings, and one of their folds."""
    shown = page.locator(".right .fold").first
    if (
        not shown.is_visible()
        or (shown.bounding_box() or {"x": 9999})["x"] > page.viewport_size["width"] - 50
    ):
        page.get_by_role("button", name="设置", exact=True).first.click()
        page.wait_for_timeout(400)
    if part:
        page.locator(".right .fold", has_text=part).first.locator(".q-item").first.click()
        page.wait_for_timeout(400)


def owner(page: Page) -> str:
    return page.evaluate("localStorage.getItem('custome-owner')")
