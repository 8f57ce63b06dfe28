"""Takes docs/page.png from the page as it is: a real run, two questions asked in a real browser, nothing picked.

    python docs/take_picture.py runs/sanguo        (make picture)

Needs Chromium. Beside the picture it writes what the page was drawn with (docs/page.json), which a test compares.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from custome.ports import free_port
from custome.webui.shell import ROOM

HERE = Path(__file__).parent
QUESTIONS = (("曹操", "博物馆大火，救名画还是救猫？"), ("诸葛亮", "明天要考试了，一点也没有准备。"))
SIZE = {"width": 1280, "height": 800}
PATIENCE_MS = 120_000


def drawn_with() -> dict[str, str]:
    """Style sheet and scripts of the page → a hash of each."""
    files = sorted(one for one in ROOM.iterdir() if one.name.endswith((".css", ".js")))
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest()[:12] for one in files}


def main(run: str) -> None:
    port = free_port("127.0.0.1", None)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "custome", "serve", run, "--port", str(port)]
        server = subprocess.Popen(
            [*command, "--chats", f"{folder}/chats.db"], stdout=subprocess.PIPE, text=True
        )
        try:
            while "已打开" not in server.stdout.readline():
                if server.poll() is not None:
                    raise SystemExit(f"{run!r} 打不开")
            take(f"http://127.0.0.1:{port}/")
        finally:
            server.terminate()
            server.wait(30)
    (HERE / "page.json").write_text(json.dumps(drawn_with(), indent=1) + "\n", encoding="utf-8")


def take(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context(locale="zh-CN", viewport=SIZE).new_page()
        page.goto(address)
        for place, (name, words) in enumerate(QUESTIONS):
            turn_to(page, name)
            page.locator(".composer textarea").fill(words)
            page.locator(".composer textarea").press("Enter")
            expect(page.locator(".turn.theirs .words")).to_have_count(
                place + 1, timeout=PATIENCE_MS
            )
            expect(page.locator(".turn.writing")).to_have_count(0, timeout=PATIENCE_MS)
        page.mouse.move(5, 795)
        page.wait_for_timeout(800)
        page.screenshot(path=HERE / "page.png")
        browser.close()


def turn_to(page: Page, name: str) -> None:
    """Somebody above the box, or found by name among all."""
    chip = page.locator(".chip", has_text=name)
    page.locator(".chip").first.wait_for()
    if not chip.count():
        page.locator(".chip").last.click()
        page.locator(".gallery_card input").first.fill(name)
        page.locator(".tile", has_text=name).first.click()
        page.wait_for_timeout(500)
        if page.locator(".gallery_card").is_visible():
            page.keyboard.press("Escape")
        return
    chip.click()


if __name__ == "__main__":
    main(*sys.argv[1:2])
