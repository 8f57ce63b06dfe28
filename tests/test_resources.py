"""Pinned downloads: verified, kept wheel by wheel, offline afterwards."""

from __future__ import annotations

import re
import shutil
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from custome import resources
from custome.errors import DiskError, SourceError
from custome.reporter import NullReporter
from custome.resources import Resource, Wheel, fetch, sha256_of


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two small wheels and the resource made of them; calls are counted."""
    wheels, calls = [], []
    for number, content in enumerate((b"one ", b"two")):
        path = tmp_path / "index" / f"part{number}.whl"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data/part", content)
        wheels.append(
            Wheel(
                package=f"part{number}",
                version="1",
                sha256=sha256_of(path),
                member="data/part",
                bytes=path.stat().st_size,
            )
        )
    whole = tmp_path / "whole"
    whole.write_bytes(b"one two")
    resource = Resource(
        name="thing",
        kind="novel",
        title="t",
        file="thing.bin",
        sha256=sha256_of(whole),
        licence="-",
        wheels=tuple(wheels),
    )
    monkeypatch.setattr(resources, "catalogue", lambda: {"thing": resource})

    def download(wheel: Wheel, folder: Path) -> Path:
        calls.append(wheel.package)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{wheel.package}-1-py3-none-any.whl"
        target.write_bytes((tmp_path / "index" / f"{wheel.package}.whl").read_bytes())
        return target

    return download, calls, tmp_path / "home"


def test_fetch_assembles_and_never_fetches_twice(shop):
    download, calls, home = shop
    path = fetch("thing", NullReporter(), home=home, download=download)
    assert path.read_bytes() == b"one two"
    assert fetch("thing", NullReporter(), home=home, download=download) == path
    assert sorted(calls) == ["part0", "part1"]
    assert [p.name for p in path.parent.iterdir()] == ["thing.bin"]


def test_an_interrupted_fetch_goes_on_with_the_next_wheel(shop):
    download, calls, home = shop

    def breaks(wheel: Wheel, folder: Path) -> Path:
        if wheel.package == "part1":
            raise SourceError("网络断了")
        return download(wheel, folder)

    with pytest.raises(SourceError):
        fetch("thing", NullReporter(), home=home, download=breaks)
    fetch("thing", NullReporter(), home=home, download=download)
    assert calls == ["part0", "part1"]


def test_a_wrong_wheel_is_refused_and_not_kept(shop):
    download, _, home = shop

    def tampered(wheel: Wheel, folder: Path) -> Path:
        path = download(wheel, folder)
        path.write_bytes(path.read_bytes() + b"!")
        return path

    with pytest.raises(SourceError, match="SHA-256"):
        fetch("thing", NullReporter(), home=home, download=tampered)
    assert list((home / "downloads" / "thing").iterdir()) == []


def test_a_damaged_part_is_named_and_the_others_are_kept(shop):
    download, calls, home = shop

    def damaged(wheel: Wheel, folder: Path) -> Path:
        path = download(wheel, folder)
        if wheel.package == "part1":
            path.write_bytes(b"half")
        return path

    with pytest.raises(SourceError, match="part1"):
        fetch("thing", NullReporter(), home=home, download=damaged)
    calls.clear()
    fetch("thing", NullReporter(), home=home, download=download)
    assert calls == ["part1"]


def test_half_a_part_left_by_a_killed_process_is_cut_off(shop):
    download, calls, home = shop
    with pytest.raises(SourceError):
        fetch(
            "thing",
            NullReporter(),
            home=home,
            download=lambda wheel, folder: (
                (_ for _ in ()).throw(SourceError("断"))
                if wheel.package == "part1"
                else download(wheel, folder)
            ),
        )
    partial = home / "downloads" / "thing" / "thing.bin.part"
    with partial.open("ab") as out:
        out.write(b"tw")
    assert fetch("thing", NullReporter(), home=home, download=download).read_bytes() == b"one two"


def test_nothing_lies_on_the_disk_twice(shop):
    """Each wheel is thrown away once it is in the file."""
    download, _, home = shop
    seen = []

    def watching(wheel: Wheel, folder: Path) -> Path:
        seen.append(sorted(path.name for path in folder.parent.glob("*.whl")))
        return download(wheel, folder)

    fetch("thing", NullReporter(), home=home, download=watching)
    assert list((home / "downloads" / "thing").glob("*.whl")) == [] and len(seen) == 2


def test_where_a_part_has_vanished_the_same_bytes_come_from_elsewhere(
    shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _, _, home = shop
    whole = resources.catalogue()["thing"]
    server = HTTPServer(("127.0.0.1", 0), _Whole)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{server.server_port}"

    def gone(wheel: Wheel, folder: Path) -> Path:
        raise SourceError(f"下载不到 {wheel.package}")

    try:
        for places, there in (
            ((f"{here}/gone", f"{here}/whole"), True),
            ((f"{here}/other",), False),
        ):
            monkeypatch.setattr(
                resources,
                "catalogue",
                lambda places=places: {"thing": replace(whole, elsewhere=places)},
            )
            fresh = home / str(there)
            if there:
                assert (
                    fetch("thing", NullReporter(), home=fresh, download=gone).read_bytes()
                    == b"one two"
                )
            else:
                with pytest.raises(SourceError) as caught:
                    fetch("thing", NullReporter(), home=fresh, download=gone)
                assert "part0" in caught.value.message and "/other" in caught.value.message
                assert "custome models get thing --file" in caught.value.hint
    finally:
        server.shutdown()


class _Whole(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = {"/whole": b"one two", "/other": b"another"}.get(self.path)
        self.send_response(404 if found is None else 200)
        self.end_headers()
        self.wfile.write(found or b"")

    def log_message(self, *args: object) -> None: ...


def test_a_file_brought_along_is_taken_if_it_is_that_very_file(shop, tmp_path: Path):
    _, _, home = shop
    brought = tmp_path / "brought.bin"
    for content, taken in ((b"one two", True), (b"one too", False)):
        brought.write_bytes(content)
        if taken:
            assert resources.take_file("thing", brought, home=home / "a").read_bytes() == content
        else:
            with pytest.raises(SourceError, match="brought.bin"):
                resources.take_file("thing", brought, home=home / "b")


def test_two_who_want_the_same_fetch_it_once(shop):
    download, calls, home = shop
    found: list[Path] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(
                fetch("thing", NullReporter(), home=home, download=download)
            )
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (
        sorted(calls) == ["part0", "part1"]
        and {path.read_bytes() for path in found} == {b"one two"}
        and len(found) == 3
    )


def test_a_disk_too_small_is_said_before_the_first_byte(shop, monkeypatch: pytest.MonkeyPatch):
    download, calls, home = shop
    monkeypatch.setattr(
        resources.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1)
    )
    with pytest.raises(DiskError, match="只剩"):
        fetch("thing", NullReporter(), home=home, download=download)
    assert calls == []


def test_the_catalogue_is_pinned():
    for resource in resources.catalogue().values():
        assert resource.licence and resource.title
        digests = [wheel.sha256 for wheel in resource.wheels] + (
            [resource.sha256] if resource.wheels else []
        )
        assert all(len(digest) == 64 and int(digest, 16) for digest in digests)
        assert bool(digests) != bool(resource.url)
        assert not resource.url or re.search(
            r"/[0-9a-f]{40}/", resource.url
        )  # a commit, which pins the content
        assert all(wheel.version and wheel.bytes > 0 for wheel in resource.wheels)


def test_an_unreachable_index_is_explained(tmp_path: Path):
    wheel = Wheel(
        package="no-such-package-for-custome", version="9.9.9", sha256="0" * 64, member="x", bytes=1
    )
    with pytest.raises(SourceError) as caught:
        resources._pip_download(wheel, tmp_path / "d")
    assert (
        "no-such-package-for-custome" in caught.value.message and "pip config" in caught.value.hint
    )


class _Shelf(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/book" else 404)
        self.end_headers()
        self.wfile.write(b"text" if self.path == "/book" else b"")

    def log_message(self, *args: object) -> None: ...


@pytest.mark.parametrize(("path", "there"), [("/book", True), ("/gone", False), ("nowhere", False)])
def test_a_resource_at_an_address_is_fetched_or_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, there: bool
):
    server = HTTPServer(("127.0.0.1", 0), _Shelf)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = (
        f"http://127.0.0.1:{server.server_port}{path}"
        if path.startswith("/")
        else "http://127.0.0.1:9/book"
    )
    resource = Resource(
        name="book", kind="novel", title="书", file="book.txt", licence="-", url=url
    )
    monkeypatch.setattr(resources, "catalogue", lambda: {"book": resource})
    try:
        if there:
            assert fetch("book", NullReporter(), home=tmp_path).read_bytes() == b"text"
        else:
            with pytest.raises(SourceError) as caught:
                fetch("book", NullReporter(), home=tmp_path)
            assert url in caught.value.message and "custome corpus build" in caught.value.hint
            assert list((tmp_path / "downloads" / "book").iterdir()) == []
    finally:
        server.shutdown()
