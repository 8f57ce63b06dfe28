"""What a person does in one tab of the chat page."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def open_tab(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.locator("#say textarea")).to_be_visible(timeout=30_000)
    expect(page.locator("#person .token").first).to_be_visible(
        timeout=30_000
    )  # the tab knows whose it is
    return page


def pick(page: Page, name: str, what: str = "model") -> None:
    """Choose from one of the page's lists."""
    box = page.locator(f"#{what} input")
    box.click()
    page.get_by_role("option", name=name, exact=True).click()
    expect(box).to_have_value(name)


def meet(page: Page, *names: str) -> None:
    """Let exactly these people be there."""
    if page.locator("#person .token").count():
        page.locator("#person .remove-all").click()
        expect(page.locator("#person .token")).to_have_count(0)
    for name in names:
        page.locator("#person input").click()
        page.locator("#person input").fill(name)
        page.get_by_role("option", name=name, exact=True).click()
    page.keyboard.press("Escape")
    expect(page.locator("#person .token")).to_have_count(len(names))


def ask(page: Page, words: str) -> None:
    page.locator("#say textarea").fill(words)
    page.locator("#send").click()


def answers(page: Page):
    return page.locator("#chat [data-testid='bot']")


def questions(page: Page):
    return page.locator("#chat [data-testid='user']")


def tab_of(page: Page, name: str) -> None:
    """Open one of the tabs at the right, which may stand behind the dots where there is little room."""
    found = page.get_by_role("tab", name=name, exact=True)
    if not found.first.is_visible():
        page.locator(".overflow-menu > button").first.click()
    page.get_by_role(
        "tab", name=name, exact=True
    ).first.click() if found.first.is_visible() else page.locator(
        ".overflow-dropdown button", has_text=name
    ).click()
    page.wait_for_timeout(
        500
    )  # its fields are drawn, and given their values, when it is first opened
