"""Recipes as YAML: read with every mistake named, written with every setting explained.

Field docstrings are the only place a setting is explained; the comments in recipe.yaml and the command line's help are made
from them.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import logging
import textwrap
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from .config import SECTIONS, Recipe
from .errors import InputError
from .files import read_text
from .tuning_methods import METHOD_NAMES, method_class, nearest

log = logging.getLogger(__name__)

OLD_NAMES = {"replay": "self_replay", "introduced": "persona_prefix"}
"""Settings by the name the last release had for them; read for one more release, with a line that says the new one."""


def field_docs(cls: type) -> dict[str, str]:
    """Docstring of every field of a dataclass, inherited ones first, read from the source."""
    docs: dict[str, str] = {}
    for parent in [c for c in reversed(cls.__mro__) if dataclasses.is_dataclass(c)]:
        body = ast.parse(textwrap.dedent(inspect.getsource(parent))).body[0]
        assert isinstance(body, ast.ClassDef)
        for declared, following in zip(body.body, body.body[1:], strict=False):
            named = isinstance(declared, ast.AnnAssign) and isinstance(declared.target, ast.Name)
            if (
                named
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
            ):
                docs[declared.target.id] = str(following.value.value)  # type: ignore[attr-defined]
    return docs


def find_recipe(name: str) -> Path:
    """A recipe file, or one that comes with the program by its name (cosplay, sanguo, long …)."""
    shipped = Path(str(files("custome"))) / "recipes" / f"{name}.yaml"
    return shipped if not Path(name).exists() and shipped.is_file() else Path(name)


def shipped_recipe(name: str) -> Recipe:
    """A recipe that comes with the program, whatever lies in the working directory under its name."""
    return load_recipe(Path(str(files("custome"))) / "recipes" / f"{name}.yaml")


def load_recipe(path: Path) -> Recipe:
    """Read a YAML recipe; what it leaves out keeps its default.

    Raises:
        InputError: not readable, not YAML, unknown section or key, or a value of the wrong type.
    """
    try:
        raw = yaml.safe_load(read_text(path, "配方"))
    except yaml.YAMLError as error:
        raise InputError(
            f"配方 {str(path)!r} 不是合法的 YAML：{str(error).splitlines()[0]}",
            "对照 docs/train.md 里的例子",
        ) from error
    if not isinstance(raw, dict):
        raise InputError(
            f"配方 {str(path)!r} 的最外层应是若干节：{', '.join(SECTIONS)}",
            "对照 docs/train.md 里的例子",
        )
    sections = {}
    for name, values in raw.items():
        if name not in SECTIONS:
            raise InputError(
                f"配方 {str(path)!r} 里没有 {name!r} 这一节",
                f"是不是 {nearest(str(name), list(SECTIONS))!r}？",
            )
        cls = SECTIONS[name]
        if name == "method" and isinstance(values, str):
            values = {"name": values}
        if not isinstance(values or {}, dict):
            raise InputError(
                f"配方 {str(path)!r} 的 {name} 应是若干“键: 值”，这里是 {values!r}",
                "对照 docs/train.md 里的例子",
            )
        values = dict(values or {})
        if name == "method":
            cls = method_class(str(values.pop("name", "lora")))
        sections[name] = _section(cls, values, f"配方 {str(path)!r} 的 {name}")
    return Recipe(**sections)


def _section(cls: type, values: dict[str, Any], where: str) -> Any:
    """The values as a section; pydantic holds each against the type its field declares."""
    from pydantic import TypeAdapter, ValidationError

    known = {f.name: f for f in dataclasses.fields(cls)}
    values = _renamed(values, list(known), where)
    for key in values:
        if key not in known:
            raise InputError(
                f"{where} 里没有 {key!r} 这一项",
                f"是不是 {nearest(str(key), list(known)) or list(known)}？",
            )
    kinds, found, wrong = get_type_hints(cls), {}, []
    for key, value in values.items():
        try:
            given = _as_meant(value, kinds[key])
            found[key] = TypeAdapter(kinds[key]).validate_python(given, strict=True)
        except ValidationError:
            wrong.append(_wrong(cls, key, value, where))
    if wrong:
        raise InputError("；".join(what for what, _ in wrong), wrong[0][1])
    return cls(**found)


def _as_meant(value: Any, kind: Any) -> Any:
    """What YAML cannot write as it is meant: 2e-3, which it reads as text, and one word in place of a list."""
    if get_origin(kind) is tuple:
        return tuple(value) if isinstance(value, list) else (value,)
    if kind is float and isinstance(value, str):
        with suppress(ValueError):
            return float(value)
    return value


def _wrong(cls: type, key: str, value: Any, where: str) -> tuple[str, str]:
    """What is wrong with a value, and what would be right."""
    kind = get_type_hints(cls)[key]
    if get_origin(kind) is Literal:
        allowed = [str(one) for one in get_args(kind)]
        return (
            f"{where}.{key} = {value!r}，只能是 {'、'.join(allowed)}",
            f"是不是 {nearest(str(value), allowed)}？",
        )
    declared = next(one for one in dataclasses.fields(cls) if one.name == key)
    return f"{where}.{key} = {value!r}，应是 {declared.type}", f"默认值是 {declared.default!r}"


def _renamed(values: dict[str, Any], known: list[str], where: str) -> dict[str, Any]:
    """Values under today's names."""
    found = {}
    for key, value in values.items():
        new = OLD_NAMES.get(key, key) if key not in known else key
        if new != key and new in values:
            raise InputError(f"{where} 里 {key!r} 和 {new!r} 是同一项，写了两次", f"只留 {new}")
        if new != key:
            log.warning("%s：%s 现在叫 %s", where, key, new)
        found[new] = value
    return found


def dump(recipe: Recipe) -> str:
    """The recipe as YAML with every field's explanation as a comment; load_recipe reads it back."""
    lines = []
    for name in SECTIONS:
        section = getattr(recipe, name)
        docs = field_docs(type(section))
        lines.append(f"{name}:  # {(type(section).__doc__ or '').strip()}")
        if name == "method":
            lines.append(f"  name: {METHOD_NAMES[type(section)]}")
        for declared in dataclasses.fields(section):
            value = getattr(section, declared.name)
            value = list(value) if isinstance(value, tuple) else value
            shown = yaml.safe_dump(
                value, allow_unicode=True, default_flow_style=True, width=10**6
            ).splitlines()[0]
            lines.append(f"  {declared.name}: {shown}  # {docs.get(declared.name, '')}")
    return "\n".join(lines) + "\n"
