"""A writer and a real browser: from nothing to a book to take away, with edits, what they make stale, an earlier draft, and a tab that
is closed while it is written; wide and on a phone."""

from __future__ import annotations

import zipfile

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


@pytest.mark.parametrize("width", [1280, 390])
def test_from_nothing_to_a_book(browser: Browser, address: str, width: int):
    context = browser.new_context(locale="zh-CN", viewport={"width": width, "height": 860})
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/novel")
    page.get_by_role("button", name="新开一本").last.click()
    page.get_by_label("书名").fill("盐灯")
    page.get_by_label("一句话：讲什么").fill("盐场上的年轻人得了一本账簿，被人一路追赶。")
    page.get_by_label("主角叫什么（空着就替你起）").fill("沈青")
    page.get_by_label("几回").fill("24")
    page.get_by_role("button", name="开始").click()
    expect(page.locator(".outline_row")).to_have_count(24, timeout=20_000)

    tab(page, "设定")
    page.get_by_role("button", name="埋一个伏笔").click()
    promise = page.locator(".brief_row").last
    for label, words in (("伏笔", "铜铃是谁的"), ("关键词", "铜铃"), ("第几回收", "20")):
        promise.get_by_label(label).first.fill(words)
    page.get_by_role("button", name="存下").click()
    expect(page.get_by_text("存下了")).to_be_visible()

    tab(page, "写作")
    page.get_by_role("button", name="写这一回").click()
    text = text_of(page)
    expect(page.get_by_role("button", name="改正文")).to_be_visible(timeout=30_000)
    expect(text).to_contain_text("沈青")
    expect(text).to_contain_text("铜铃")

    # His own words, and back to what it said before.
    page.get_by_role("button", name="改正文").click()
    editor = page.locator(".chapter_editor textarea")
    first = editor.input_value()
    editor.fill(first + "\n后来再没有人提起这件事。\n")
    page.get_by_role("button", name="存下").click()
    expect(text).to_contain_text("后来再没有人提起这件事")
    expect(page.get_by_text("自己改过")).to_be_visible()
    page.get_by_role("button", name="以前的稿").click()
    page.get_by_role("button", name="用这一稿").first.click()
    expect(text).not_to_contain_text("后来再没有人提起这件事")

    # The tab is closed while the rest is written.
    page.get_by_role("button", name="把没写的 23 回都写了").click()
    expect(page.get_by_role("button", name="停")).to_be_visible(timeout=10_000)
    page.close()
    page = context.new_page()
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/novel?name=盐灯")
    expect(page.get_by_role("button", name="停")).to_have_count(0, timeout=60_000)
    tab(page, "检查")
    expect(page.get_by_text("写好 24 回")).to_be_visible(timeout=20_000)

    # Another event makes its chapter stale, and nothing else.
    tab(page, "目录")
    event = page.get_by_label("这一回的事").nth(1)
    event.fill("沈青在渡口等了一夜，天亮时看见账簿漂在水上。")
    event.blur()
    tab(page, "写作")
    for _ in range(24):  # it came back where it was being written
        page.get_by_role("button", name="上一回").click()
    expect(text_of(page)).to_contain_text("第1回")
    expect(page.get_by_text("目录改过了")).to_have_count(0)
    page.get_by_role("button", name="下一回").click()
    expect(page.get_by_text("目录改过了，这一回还是照旧的写的")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="照新的重写").click()
    expect(text_of(page)).to_contain_text("漂在水上", timeout=30_000)

    tab(page, "事实")
    expect(page.get_by_text("每一回以后是什么样")).to_be_visible()
    expect(page.locator(".fact").first).to_be_visible()

    tab(page, "检查")
    with page.expect_download() as taken:
        page.get_by_role("button", name="epub").click()
    with zipfile.ZipFile(taken.value.path()) as book:
        assert book.read("mimetype") == b"application/epub+zip"
        whole = "".join(book.read(one).decode() for one in book.namelist())
    assert "漂在水上" in whole and "盐灯" in whole
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not wrong


def text_of(page: Page):
    return page.locator(".chapter_text")
