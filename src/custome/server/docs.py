"""/docs: the API as a page, made here out of its OpenAPI schema; a browser without a network shows it too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from ..report.render import page


def add_docs(app: FastAPI) -> None:
    """Put the page at /docs."""

    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    def docs() -> str:
        return page("api.html", title=app.title, routes=_routes(app.openapi()))


def _routes(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Method, path, purpose and fields of every route."""
    return [
        {
            "method": method.upper(),
            "path": path,
            "about": told.get("description") or told.get("summary", ""),
            "fields": _fields(told, schema),
        }
        for path, methods in schema["paths"].items()
        for method, told in methods.items()
    ]


def _fields(route: Mapping[str, Any], schema: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(name, kind, meaning) of what a route takes in its body; required ones have a star."""
    content = route.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    body = schema.get("components", {}).get("schemas", {}).get(name, {})
    required = body.get("required", ())
    return [
        (f"{field} *" if field in required else field, _kind(about), about.get("description", ""))
        for field, about in body.get("properties", {}).items()
    ]


def _kind(about: Mapping[str, Any]) -> str:
    """The type of a field in a word or two."""
    if "$ref" in about:
        return str(about["$ref"]).rpartition("/")[2]
    if "enum" in about:
        return "、".join(map(str, about["enum"]))
    if "anyOf" in about:
        return " / ".join(_kind(one) for one in about["anyOf"] if one.get("type") != "null")
    if about.get("type") == "array":
        return f"[{_kind(about.get('items', {}))}]"
    return str(about.get("const") or about.get("type", ""))
