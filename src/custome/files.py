"""Files that are either complete or absent: written under a temporary name, flushed, renamed.

Knows nothing of what is written. A crash, Ctrl-C or a full disk leaves the previous content untouched.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import DiskError, EmptyFileError, InputError

_DISK_ERRNOS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ENOTEMPTY,
}
# Rust and C++ writers (safetensors, torch) report the same conditions as text of their own exception types.
_DISK_WORDS = (
    "No space left",
    "os error 28",
    "os error 27",
    "File too large",
    "PytorchStreamWriter failed",
)


def _is_disk_error(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _DISK_ERRNOS:
        return True
    return any(word in str(error) for word in _DISK_WORDS)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn 'cannot write here' of any writer into a DiskError that names the place."""
    try:
        yield
    except Exception as error:
        if not _is_disk_error(error):
            raise
        raise DiskError(
            f"写不进 {str(path)!r}：{error}；原有的内容没有改动",
            "腾出磁盘空间或换一个可写的目录，然后重跑同一条命令（训练加 --resume 接着跑）",
        ) from error


def flush(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the name, on failure it vanishes."""
    temporary = path.with_name(f".{path.name}.{threading.get_ident()}.{os.getpid()}.tmp")
    with disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            flush(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """The same for a folder that does not exist yet."""
    temporary = path.with_name(f".{path.name}.{threading.get_ident()}.{os.getpid()}.tmp")
    with disk_errors(path):
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    flush(file)
            os.replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Drop temporary files and folders that processes no longer alive left below `folder`."""
    import psutil

    for path in folder.rglob(".*.tmp"):
        owner = path.name.removesuffix(".tmp").rpartition(".")[2]
        if not owner.isdigit() or psutil.pid_exists(int(owner)):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def is_cut_off(path: Path) -> bool:
    """Does a file of lines end inside one? A disk was full then, or the program was killed."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) != b"\n"


def read_bytes(path: Path, what: str) -> bytes:
    """Content of a file the user named.

    Raises:
        InputError: it is missing, a folder, unreadable or empty.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"找不到{what} {str(path)!r}", f"检查路径：ls {path.parent}") from None
    except IsADirectoryError:
        raise InputError(
            f"{what} {str(path)!r} 是一个目录，需要的是文件", f"看看里面有什么：ls {path}"
        ) from None
    except OSError as error:
        raise InputError(
            f"读不了{what} {str(path)!r}：{error.strerror}", "检查路径和权限"
        ) from error
    if not raw.strip():
        raise EmptyFileError(f"{what} {str(path)!r} 是空的", "换一个有内容的文件")
    return raw


def read_text(
    path: Path, what: str, *, hint: str = "先转成 UTF-8：iconv -f GB18030 -t UTF-8 旧文件 > 新文件"
) -> str:
    """The same as UTF-8 text, with or without a byte order mark; `hint` is given when it is in another encoding."""
    try:
        return read_bytes(path, what).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{what} {str(path)!r} 不是 UTF-8 文本（第 {error.start} 字节起）", hint
        ) from error
