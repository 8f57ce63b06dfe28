"""Our errors as the API tells them: one function from an error to status, body and headers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest

from ..apps.service.channels.incoming import SignatureError
from ..errors import (
    BusyError,
    CustomeError,
    EngineError,
    InputError,
    LengthError,
    RunError,
    SourceError,
    UnknownModelError,
)
from .auth import WrongKeyError

log = logging.getLogger(__name__)

_STATUS: list[tuple[type[CustomeError], int, str, str | None]] = [
    (WrongKeyError, 401, "authentication_error", "invalid_api_key"),
    (SignatureError, 401, "authentication_error", "invalid_signature"),
    (UnknownModelError, 404, "invalid_request_error", "model_not_found"),
    (LengthError, 400, "invalid_request_error", "context_length_exceeded"),
    (BusyError, 429, "rate_limit_error", "rate_limit_exceeded"),
    (EngineError, 503, "server_error", "engine_unavailable"),
    (InputError, 400, "invalid_request_error", None),
    (RunError, 400, "invalid_request_error", "bad_adapter"),
    (SourceError, 400, "invalid_request_error", "bad_adapter"),
]
ERROR_ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": words,
        "content": {"application/json": {"schema": {"type": "object", "required": ["error"]}}},
    }
    for status, words in (
        (400, "bad request"),
        (401, "no or wrong key"),
        (403, "not for this key"),
        (404, "no such model"),
        (413, "body too large"),
        (429, "too many requests"),
        (503, "engine away"),
    )
}


def error_body(
    message: str, kind: str, code: str | None = None, param: str | None = None
) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def described(error: CustomeError) -> tuple[int, dict[str, Any], dict[str, str]]:
    """(status, body, headers) of an error of ours."""
    status, kind, code = next(
        ((s, k, c) for cls, s, k, c in _STATUS if isinstance(error, cls)),
        (500, "server_error", None),
    )
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, BusyError) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return (
        status,
        error_body(f"{error.message}。{error.hint}" if error.hint else error.message, kind, code),
        headers,
    )


_PROBLEMS = {
    "extra_forbidden": "不认识，或这里不支持这个参数",
    "missing": "缺少",
    "json_invalid": "请求不是 JSON",
}


def _nearest(errors: Sequence[Any], body: Any) -> tuple[Any, str]:
    """Of the errors about the first thing that is wrong the one that is most exact, and where that is."""
    same = [one for one in errors if one["loc"][1:2] == errors[0]["loc"][1:2]]
    places = [(one, _as_written(one["loc"][1:], body, one["type"])) for one in same]
    return max(places, key=lambda pair: pair[1].count("."))


def _as_written(place: Sequence[str | int], body: Any, problem: str) -> str:
    """Where something is wrong, in the client's own names: a union's branches are no part of what was sent."""
    shown: list[str] = []
    for number, part in enumerate(place):
        if isinstance(part, int):
            inside = isinstance(body, list) and part < len(body)
        else:
            inside = isinstance(body, dict) and part in body
        if inside:
            body = body[part]
        elif problem != "missing" or number + 1 < len(place):
            continue  # a branch, or what a text would have to be
        shown.append(str(part))
    return ".".join(shown)


def tell_errors(app: FastAPI) -> None:
    """Have an app answer with our bodies, whatever goes wrong."""

    @app.exception_handler(CustomeError)
    async def ours(_: HttpRequest, error: CustomeError) -> Response:
        status, body, headers = described(error)
        return JSONResponse(body, status_code=status, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: HttpRequest, error: RequestValidationError) -> Response:
        first, param = _nearest(error.errors(), error.body)
        problem = _PROBLEMS.get(first["type"], first["msg"].removeprefix("Value error, "))
        return JSONResponse(
            error_body(
                f"{param}：{problem}" if param else problem,
                "invalid_request_error",
                param=param or None,
            ),
            status_code=400,
        )

    @app.exception_handler(HTTPException)
    async def http(_: HttpRequest, error: HTTPException) -> Response:
        return JSONResponse(
            error_body(str(error.detail), "invalid_request_error"),
            status_code=error.status_code,
            headers=error.headers,
        )

    @app.exception_handler(Exception)
    async def unexpected(_: HttpRequest, error: Exception) -> Response:
        log.exception("unexpected", exc_info=error)
        return JSONResponse(error_body("服务出错了，日志里有经过", "server_error"), status_code=500)
