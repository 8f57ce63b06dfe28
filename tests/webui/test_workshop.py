"""The workshop page: a book comes, is read, trained on and exported, without a browser and without the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from nicegui import ui
from nicegui.elements.upload_files import SmallFileUpload

from custome.apps.training.workshop import Workshop
from custome.machine import Rates, write_rates
from custome.models.run_folder import RunInfo, write_run
from simulated_tab import Site, Tab

pytestmark = pytest.mark.anyio


async def until(what: Callable[[], object], seconds: float = 60) -> None:
    for _ in range(round(seconds / 0.05)):
        if what():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to that")


async def opened(site: Site, path: str = "/workshop") -> Tab:
    tab = Tab(site.new_user(), site)
    await tab.user.open(path)
    return tab


def has(tab: Tab, marker: str) -> bool:
    try:
        tab.user.find(marker=marker)
    except AssertionError:
        return False
    return True


def a_run(site: Site, name: str, status: str) -> Path:
    folder = site.workplace / "runs" / name
    write_run(
        folder,
        RunInfo(
            status=status,  # type: ignore[arg-type]
            base_model="gemma3-270m",
            base_fingerprint="",
            chat_format="novel",
            data_fingerprint="",
            steps=24,
        ),
    )
    return folder


async def test_a_book_is_brought_read_and_looked_at(site: Site, tiny_novel: Path):
    tab = await opened(site)
    assert tab.sees("还没有书") and has(tab, "embedded") and tab.sees("书与模型")
    upload = next(iter(tab.user.find(ui.upload).elements))
    await upload.handle_uploads(
        [SmallFileUpload("小说.txt", "text/plain", tiny_novel.read_bytes())]
    )
    await until(lambda: has(tab, "corpus-小说"))
    assert tab.sees("句有主的话")
    page = await tab.user.http_client.get("/workshop/report", params={"corpus": "小说"})
    assert page.status_code == 200 and "<html" in page.text
    missing = await tab.user.http_client.get("/workshop/report", params={"corpus": "../小说"})
    assert missing.status_code == 404 and "做不了名字" in missing.text


async def test_a_book_without_a_word_is_refused_in_words(site: Site):
    tab = await opened(site)
    upload = next(iter(tab.user.find(ui.upload).elements))
    await upload.handle_uploads([SmallFileUpload("空.txt", "text/plain", b"")])
    await until(lambda: tab.sees("没有成功"))
    assert tab.sees("还没有书")
    later = await opened(site)  # whoever comes later is not told again
    await asyncio.sleep(0.2)
    assert not later.sees("没有成功")


async def test_training_is_planned_and_begun(
    site: Site, tiny_novel: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
):
    write_rates(Rates(machine="any", fp32=120.0, bf16=400.0), own_home)
    begun = []
    monkeypatch.setattr(Workshop, "train", lambda shop, chosen, name: begun.append((chosen, name)))
    books = Workshop(site.workplace, busy=lambda: False, serve=lambda _: None)
    books.build(str(tiny_novel))
    await until(lambda: books.job and not books.job.running())
    tab = await opened(site)
    await tab.click("train")
    await until(lambda: tab.sees("分钟，最多占"))
    assert tab.sees("先要下载")
    await tab.click("start")
    ((chosen, name),) = begun
    assert name == "xiaoshuo" and chosen.recipe.train.steps > 0


async def test_a_slow_machine_is_given_the_time_it_needs(
    site: Site, tiny_novel: Path, own_home: Path
):
    write_rates(Rates(machine="any", fp32=100.0, bf16=10.0), own_home)
    books = Workshop(site.workplace, busy=lambda: False, serve=lambda _: None)
    books.build(str(tiny_novel))
    await until(lambda: books.job and not books.job.running())
    tab = await opened(site)
    await tab.click("train")
    await until(lambda: tab.sees("分钟，最多占"))
    (minutes,) = tab.user.find(marker="minutes").elements
    assert minutes.value > 15
    minutes.set_value(8)
    await until(lambda: tab.sees("这样练不成"))


async def test_runs_stand_there_with_what_can_be_done(site: Site, monkeypatch: pytest.MonkeyPatch):
    done = []
    monkeypatch.setattr(Workshop, "go_on", lambda shop, name: done.append(("go on", name)))
    monkeypatch.setattr(Workshop, "export", lambda shop, *what: done.append(what))
    a_run(site, "练好的", "complete")
    a_run(site, "停着的", "running")
    tab = await opened(site)
    assert tab.sees("第 0 / 24 步") and has(tab, "run-练好的") and has(tab, "run-停着的")
    await tab.click("go_on")
    await tab.click("export")
    await tab.click("start")
    assert done == [("go on", "停着的"), ("练好的", "gguf", "q8_0")]
    await tab.click("talk")
    await until(lambda: site.served)
    assert [path.name for path in site.served] == ["练好的"]
    (site.workplace / "runs" / "练好的" / "compare.html").write_text("<html>对比</html>")
    page = await tab.user.http_client.get("/workshop/comparison", params={"run": "练好的"})
    assert "对比" in page.text
    none = await tab.user.http_client.get("/workshop/comparison", params={"run": "停着的"})
    assert none.status_code == 404 and "还没有比过" in none.text


async def test_a_run_has_a_page_of_its_own(site: Site):
    a_run(site, "停着的", "running")
    tab = await opened(site, "/run?name=停着的")
    assert tab.sees("停着，进度都在")


async def test_where_nothing_may_be_made_there_is_no_such_page(tmp_path: Path, anyio_backend):
    site = Site(tmp_path)
    site.workplace = None
    async with site.serving() as new_user:
        user = new_user()
        await user.open("/")
        assert "书与模型" not in [getattr(one, "text", "") for one in user.client.elements.values()]
        for path in ("/workshop", "/workshop/report", "/run"):
            answer = await user.http_client.get(path)
            assert answer.status_code == 404 or "没有这一页" in answer.text, path
    site.store.close()


async def test_with_nobody_served_the_chat_page_shows_the_way(tmp_path: Path, anyio_backend):
    site = Site(tmp_path)
    site.models = []
    async with site.serving() as new_user:
        tab = Tab(new_user(), site)
        await tab.user.open("/")
        assert tab.sees("还没有可以说话的人") and has(tab, "to_workshop")
    site.store.close()
