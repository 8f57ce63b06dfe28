"""Finding a port to listen on."""

from __future__ import annotations

import socket

from .errors import ServeError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""What only this machine can reach."""
FIRST_PORT, LAST_PORT = 7860, 7959


def free_port(host: str, wanted: int | None) -> int:
    """`wanted` if it is free, or the first free one of the usual range.

    Raises:
        ServeError: the wanted port is taken, or the host is not one of this machine's.
    """
    for port in [wanted] if wanted else range(FIRST_PORT, LAST_PORT + 1):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except socket.gaierror as error:
                raise ServeError(
                    f"不认识的地址 {host!r}：{error.strerror}", "本机用 127.0.0.1，对外用 0.0.0.0"
                ) from error
            except OverflowError as error:
                raise ServeError(
                    f"端口 {port!r} 不在 1–65535 之间", "换一个端口：--port 7860"
                ) from error
            except PermissionError as error:
                raise ServeError(
                    f"没有权限用端口 {port}", "换一个 1024 以上的端口：--port 7860"
                ) from error
            except OSError as error:
                if wanted:
                    raise ServeError(
                        f"{host}:{port} 用不了：{error.strerror}",
                        f"换一个端口：--port {port + 1}，或不给 --port 自动找",
                    ) from error
                continue
            return port
    raise ServeError(f"{FIRST_PORT}–{LAST_PORT} 的端口都被占用", "指定一个空闲端口：--port 9000")
