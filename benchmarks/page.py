"""The chat page in Chromium: how soon it is ready, how soon a pressed Send is painted, what a streamed reply costs the server,
what twenty more open tabs cost in memory.

    python benchmarks/page.py

The engine is scripted: its reply of 300 characters comes a character at a time in about four seconds, so that what is measured
is the page. Needs Chromium (apt-get install chromium). What the server needs while nobody writes is taken off.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from custome.ports import free_port

REPLY = "此事容吾细细思之，先看清楚再说，不急。" * 16
LONGEST = 300
STREAM_S = 6.0
TABS = 20
QUESTIONS = 5
TICKS = os.sysconf("SC_CLK_TCK")
PAINTED = """() => new Promise(done => {
  const box = document.querySelector('.composer textarea'), begun = performance.now(), before = document.querySelectorAll('.turn').length;
  box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}));
  const look = () => document.querySelectorAll('.turn').length > before
    ? requestAnimationFrame(() => done(performance.now() - begun)) : requestAnimationFrame(look);
  look();
})"""


def serve(port: int, folder: str) -> None:
    """The page on a scripted engine, as `custome serve` serves it."""
    from custome.apps.context import AppContext
    from custome.cli.serve import _server
    from custome.conversations.store import Store
    from custome.engine.base import ServedModel
    from custome.engine.scripted import ScriptedEngine
    from custome.server.app import create_app
    from custome.server.auth import KeyAuth
    from custome.server.catalogue import Catalogue
    from custome.types import Character
    from custome.webui.chat_app import add_pages
    from custome.webui.shell import Shell

    engine = ScriptedEngine([REPLY[:LONGEST]] * 1000, delay_s=4 / LONGEST, slots=4)
    people = tuple(Character(name=name, cue=name, utterances=9) for name in ("曹操", "诸葛亮"))
    catalogue = Catalogue([ServedModel(name="三国", engine=engine, people=people)])
    store = Store(Path(folder) / "chats.db")
    app = create_app(catalogue, KeyAuth([]))
    context = AppContext(hosted=catalogue.hosted, store=lambda: store, allowed=None)
    shell = Shell(app, context)
    add_pages(shell)
    shell.mount()
    _server(
        app, "127.0.0.1", port, closing=context.closing, ready=lambda: print("ready", flush=True)
    ).run()


def processor_s(pid: int) -> float:
    """Seconds of processor a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def ready_s(page: Page, address: str) -> float:
    """From asking for the page until one can write."""
    page.goto(address, wait_until="commit")
    begun = time.perf_counter()
    page.wait_for_selector(".composer textarea")
    page.wait_for_function("window.socket && window.socket.connected")
    return time.perf_counter() - begun


def answered(page: Page) -> None:
    page.wait_for_selector(".composer .round.stop")
    page.wait_for_selector(".composer .round:not(.stop)", timeout=60_000)


def main() -> None:
    port = free_port("127.0.0.1", None)
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [sys.executable, __file__, "serve", str(port), folder]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            server.stdout.readline()
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            page = context.new_page()
            first = ready_s(page, address)
            again = [ready_s(page, address) for _ in range(3)]
            print(
                f"ready after the first byte: {first:.2f} s, again {statistics.median(again):.2f} s"
            )

            painted = []
            for _ in range(QUESTIONS):
                page.fill(".composer textarea", "先救名画还是先救猫？")
                painted.append(page.evaluate(PAINTED))
                answered(page)
            print("Send painted after ms:", *(f"{ms:.0f}" for ms in painted))

            time.sleep(2)
            idle = processor_s(server.pid)
            time.sleep(STREAM_S)
            idle = processor_s(server.pid) - idle
            spent = []
            for _ in range(QUESTIONS):
                before, begun = processor_s(server.pid), time.perf_counter()
                page.fill(".composer textarea", "然后呢？")
                page.press(".composer textarea", "Enter")
                answered(page)
                time.sleep(max(0.0, STREAM_S - (time.perf_counter() - begun)))
                spent.append(1000 * (processor_s(server.pid) - before - idle))
            print(
                f"{LONGEST} characters streamed: {statistics.median(spent):.0f} ms of the server's processor",
                f"(each: {', '.join(f'{ms:.0f}' for ms in spent)}; idle {1000 * idle:.0f} ms in {STREAM_S:.0f} s)",
            )

            before = resident_mb(server.pid)
            for _ in range(TABS):
                ready_s(context.new_page(), address)
            print(
                f"{TABS} more tabs: {resident_mb(server.pid) - before:.0f} MB more ({before:.0f} MB before)"
            )
            browser.close()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]), sys.argv[3])
    else:
        main()
