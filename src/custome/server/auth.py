"""API keys: kept as hashes, each with its limits.

A key is 32 random bytes, so one round of SHA-256 is enough to keep it: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import BusyError, CustomeError, InputError
from ..files import write_json

PREFIX = "sk-custome-"


class WrongKeyError(CustomeError):
    """No key, or a wrong one."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of the file."""

    name: str
    sha256: str
    admin: bool = False
    """May change what lies on the server's machine: adapters, knowledge, novels."""
    requests_per_minute: int = 0
    """0 for any number."""
    concurrent: int = 0
    """Requests at the same time; 0 for any number."""


def read_keys(path: Path) -> list[Key]:
    """The keys of a file, none where there is no file.

    Raises:
        InputError: it is damaged.
    """
    if not path.is_file():
        return []
    try:
        return [Key(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise InputError(
            f"密钥文件 {str(path)!r} 读不懂：{error}", f"删掉重建：rm {path}；custome keys add 名字"
        ) from error


def add_key(
    path: Path, name: str, *, admin: bool = False, requests_per_minute: int = 0, concurrent: int = 0
) -> str:
    """Make a key; the text returned is shown once and kept nowhere.

    Raises:
        InputError: the name is taken.
    """
    keys = read_keys(path)
    if name in {key.name for key in keys}:
        raise InputError(
            f"已经有叫 {name!r} 的密钥", f"换一个名字，或先删掉：custome keys remove {name}"
        )
    text = PREFIX + secrets.token_urlsafe(32)
    made = Key(
        name=name,
        sha256=_hash(text),
        admin=admin,
        requests_per_minute=requests_per_minute,
        concurrent=concurrent,
    )
    _write(path, [*keys, made])
    return text


def remove_key(path: Path, name: str) -> None:
    """Raises InputError when there is none of that name."""
    keys = read_keys(path)
    if name not in {key.name for key in keys}:
        raise InputError(f"没有叫 {name!r} 的密钥", "看看有哪些：custome keys list")
    _write(path, [key for key in keys if key.name != name])


def _write(path: Path, keys: list[Key]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, [asdict(key) for key in keys])
    path.chmod(0o600)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


class KeyAuth:
    """Who may come in, and how often. Without keys everybody may do everything."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = keys
        self._lock = threading.Lock()
        self._lately: dict[str, deque[float]] = {key.name: deque() for key in keys}
        self._inside = {key.name: 0 for key in keys}

    @property
    def open(self) -> bool:
        return not self._keys

    def find(self, text: str) -> Key | None:
        """The key that was shown; compares all of them, so that time tells nothing."""
        shown, found = _hash(text), None
        for key in self._keys:
            if hmac.compare_digest(shown, key.sha256):
                found = key
        return found

    def check(self, header: str | None) -> Key | None:
        """The key in an Authorization header; None where none is asked for.

        Raises:
            WrongKeyError: none, or a wrong one.
        """
        if self.open:
            return None
        kind, _, text = (header or "").partition(" ")
        key = self.find(text.strip()) if kind.lower() == "bearer" else None
        if key is None:
            raise WrongKeyError(
                "没有给密钥" if not header else "密钥不对",
                "请求头：Authorization: Bearer sk-custome-…；新建：custome keys add 名字",
            )
        return key

    @contextmanager
    def inside(self, key: Key | None) -> Iterator[None]:
        """Open while a request of this key is being answered.

        Raises:
            BusyError: the key is over one of its limits.
        """
        if key is None:
            yield
            return
        with self._lock:
            lately, now = self._lately[key.name], time.monotonic()
            while lately and lately[0] < now - 60:
                lately.popleft()
            if key.requests_per_minute and len(lately) >= key.requests_per_minute:
                wait = int(61 - (now - lately[0]))
                raise BusyError(
                    f"密钥 {key.name!r} 一分钟最多 {key.requests_per_minute} 个请求",
                    f"{wait} 秒后再来",
                    retry_after_s=wait,
                )
            if key.concurrent and self._inside[key.name] >= key.concurrent:
                raise BusyError(
                    f"密钥 {key.name!r} 同时最多 {key.concurrent} 个请求",
                    "等前面的答完再来",
                    retry_after_s=1,
                )
            lately.append(now)
            self._inside[key.name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside[key.name] -= 1
