"""Who may change what lies on the server's machine."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest

from .auth import Key


def may_change(http: HttpRequest, what: str, *, keyless: bool) -> None:
    """
    Args:
        what: what is to be done, as it is told (改知识库).
        keyless: does a server without keys let everybody, because nobody else reaches it?

    Raises:
        HTTPException: 403; the key may not, or there are no keys and strangers reach the server.
    """
    key: Key | None = http.state.key
    if key is None and not keyless:
        raise HTTPException(403, f"没有密钥、又对外开放的服务不能从外面{what}")
    if key is not None and not key.admin:
        raise HTTPException(
            403, f"密钥 {key.name!r} 不能{what}；新建一个能的：custome keys add 名字 --admin"
        )
