"""Pinned downloads: verified, kept wheel by wheel, offline afterwards."""

from __future__ import annotations

import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from custome import resources
from custome.errors import SourceError
from custome.report import NullReporter
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
    assert calls == ["part0", "part1"]
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


def test_the_catalogue_is_pinned():
    for resource in resources.catalogue().values():
        assert resource.licence and resource.title
        digests = [wheel.sha256 for wheel in resource.wheels] + ([resource.sha256] if resource.wheels else [])
        assert all(len(digest) == 64 and int(digest, 16) for digest in digests)
        assert bool(digests) != bool(resource.url)
        assert not resource.url or re.search(r"/[0-9a-f]{40}/", resource.url)  # a commit, which pins the content
        assert all(wheel.version and wheel.bytes > 0 for wheel in resource.wheels)


def test_an_unreachable_index_is_explained(tmp_path: Path):
    wheel = Wheel(package="no-such-package-for-custome", version="9.9.9", sha256="0" * 64, member="x", bytes=1)
    with pytest.raises(SourceError) as caught:
        resources._pip_download(wheel, tmp_path / "d")
    assert "no-such-package-for-custome" in caught.value.message and "pip config" in caught.value.hint


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
    url = f"http://127.0.0.1:{server.server_port}{path}" if path.startswith("/") else "http://127.0.0.1:9/book"
    resource = Resource(name="book", kind="novel", title="书", file="book.txt", licence="-", url=url)
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
