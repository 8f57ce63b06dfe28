"""Somebody with documents and a real browser: a file is dropped, asked, its source opened, taken out, asked again; wide and on a
phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser
TEXT = (
    "一、船期\n渡口的末班船晚上八点开，船票五元一张。\n二、船夫\n船夫叫钱勇，在这里撑了三十年船。\n"
)
DROP = """([name, text]) => {
    const given = new DataTransfer();
    given.items.add(new File([text], name, {type: 'text/plain'}));
    document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: given, bubbles: true, cancelable: true}));
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_dropped_asked_opened_and_taken_out(browser: Browser, address: str, width: int):
    page = browser.new_context(locale="zh-CN", viewport={"width": width, "height": 800}).new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/knowledge")
    expect(page.get_by_text("把文件拖进来，就能问")).to_be_visible(timeout=20_000)
    page.wait_for_timeout(500)
    page.evaluate(DROP, ["船期.txt", TEXT])
    expect(page.get_by_text("船期.txt 可以问了")).to_be_visible(timeout=20_000)

    box = page.locator(".composer textarea")
    box.fill("末班船几点开？")
    box.press("Enter")
    expect(page.locator(".answer .words")).to_contain_text("末班船晚上八点开", timeout=20_000)
    page.locator("button.source").first.click()
    expect(page.locator(".passage mark")).to_contain_text("末班船晚上八点开")
    page.keyboard.press("Escape")
    page.get_by_text("为什么找到这些").click()
    expect(page.locator(".chip_word").first).to_be_visible()

    if width < 640:
        page.get_by_role("button", name="列表").click()
    page.get_by_role("button", name="拿掉 船期.txt").click()
    expect(page.get_by_text("拿掉了 船期.txt")).to_be_visible()
    if width < 640:
        page.mouse.click(width - 5, 400)
    box.fill("末班船几点开？")
    box.press("Enter")
    expect(page.get_by_text("是空的")).to_be_visible()
    assert box.input_value() == "末班船几点开？"

    page.reload()
    expect(page.locator(".answer .words")).to_contain_text("末班船晚上八点开", timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not wrong
