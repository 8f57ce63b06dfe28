"""`custome keys`: who may use a server."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ..resources import custome_home
from .flags import parse


def keys_path(given: str) -> Path:
    return Path(given) if given else custome_home() / "keys.json"


@dataclass(frozen=True, kw_only=True)
class KeysAdd:
    """新建一个 API 密钥；只显示这一次，文件里只留它的哈希。"""

    name: Positional[str]
    """给谁用的。"""
    admin: bool = False
    """可以加减适配器。"""
    requests_per_minute: Annotated[int, arg(aliases=["--rpm"])] = 0
    """一分钟最多多少个请求；0 不限。"""
    concurrent: int = 0
    """同时最多多少个请求；0 不限。"""
    keys: str = ""
    """密钥文件；默认是缓存目录里的 keys.json。"""


def keys_add(argv: list[str]) -> int:
    flags = parse(KeysAdd, argv, "custome keys add")
    from ..server.auth import add_key

    path = keys_path(flags.keys)
    made = add_key(
        path,
        flags.name,
        admin=flags.admin,
        requests_per_minute=flags.requests_per_minute,
        concurrent=flags.concurrent,
    )
    print(made)
    print(f"只显示这一次；哈希存在 {path}", file=sys.stderr)
    return 0


@dataclass(frozen=True, kw_only=True)
class KeysList:
    """有哪些密钥。"""

    keys: str = ""
    """密钥文件；默认是缓存目录里的 keys.json。"""


def keys_list(argv: list[str]) -> int:
    flags = parse(KeysList, argv, "custome keys list")
    from ..server.auth import read_keys

    for key in read_keys(keys_path(flags.keys)):
        limits = f"每分钟 {key.requests_per_minute or '不限'}，同时 {key.concurrent or '不限'}"
        print(f"{key.name}\t{limits}{'　管理' if key.admin else ''}")
    return 0


@dataclass(frozen=True, kw_only=True)
class KeysRemove:
    """删掉一个密钥；正在运行的服务重启后生效。"""

    name: Positional[str]
    """哪一个。"""
    keys: str = ""
    """密钥文件；默认是缓存目录里的 keys.json。"""


def keys_remove(argv: list[str]) -> int:
    flags = parse(KeysRemove, argv, "custome keys remove")
    from ..server.auth import remove_key

    remove_key(keys_path(flags.keys), flags.name)
    return 0
