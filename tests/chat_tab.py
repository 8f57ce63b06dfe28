"""What a person does in one tab of the chat page."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def open_tab(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator("#say textarea")).to_be_visible(timeout=30_000)
    page.wait_for_timeout(1_000)  # the load event recalls the conversation; the page is never network-idle (heartbeats)
    return page


def pick(page: Page, name: str, what: str = "person") -> None:
    """Choose from one of the page's lists: person or model."""
    box = page.locator(f"#{what} input")
    box.click()
    page.get_by_role("option", name=name, exact=True).click()
    expect(box).to_have_value(name)


def ask(page: Page, words: str) -> None:
    page.locator("#say textarea").fill(words)
    page.locator("#send").click()


def answers(page: Page):
    return page.locator("#chat [data-testid='bot']")
