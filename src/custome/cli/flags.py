"""Flags → a dataclass, with errors that fit two lines and name the nearest flag."""

from __future__ import annotations

import dataclasses
import io
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, TypeVar

import tyro

from ..errors import InputError
from ..recipe_file import OLD_NAMES
from ..tuning_methods import nearest

T = TypeVar("T")
OLD_FLAGS = {**OLD_NAMES, "manner": "contrast_strength", "as": "me"}
"""Flags by the name the last release had for them."""
_FRAME = re.compile(r"[─-╿]+|-{4,}")


def parse(cls: type[T], argv: list[str], prog: str, default: T | None = None) -> T:
    """Parse `argv` into `cls`, starting from `default`.

    Raises:
        InputError: an unknown flag (the nearest is named), a missing or a wrong value.
        SystemExit: after --help.
    """
    argv = _renamed(argv, flag_names(cls))
    out, err = io.StringIO(), io.StringIO()
    options: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with redirect_stdout(out), redirect_stderr(err):
            parsed, unknown = tyro.cli(
                cls,
                args=argv,
                prog=prog,
                return_unknown_args=True,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.AvoidSubcommands),
                **options,
            )
    except SystemExit as exit_:
        if not exit_.code:
            print(_help(out.getvalue()), end="")
            raise
        raise InputError(
            f"{prog} 的参数不对：{_reason(err.getvalue() or out.getvalue())}",
            f"全部选项：{prog} --help",
        ) from None
    if unknown:
        names = [f"--{name.replace('_', '-')}" for name in flag_names(cls)]
        close = (
            nearest(unknown[0].split("=")[0].replace("_", "-"), names)
            if unknown[0].startswith("-")
            else ""
        )
        raise InputError(
            f"{prog} 没有选项 {unknown[0]!r}",
            (f"是不是 {close}？" if close else "") + f"全部选项：{prog} --help",
        )
    return parsed


def _renamed(argv: list[str], known: list[str]) -> list[str]:
    """Flags under today's names; a line says which.

    Raises:
        InputError: a flag is given by both names.
    """
    renamed = []
    for word in argv:
        flag, equals, value = word.partition("=")
        old = flag.removeprefix("--").replace("-", "_")
        new = OLD_FLAGS.get(old, "")
        if not flag.startswith("--") or old in known or new not in known:
            renamed.append(word)
            continue
        named = f"--{new.replace('_', '-')}"
        if any(other.partition("=")[0].replace("_", "-") == named for other in argv):
            raise InputError(f"{flag} 和 {named} 是同一项，给了两次", f"只留 {named}")
        print(f"{flag} 现在叫 {named}", file=sys.stderr)
        renamed.append(named + equals + value)
    return renamed


def flag_names(cls: type) -> list[str]:
    """Names of all fields of a flags class, nested sections flattened as on the command line."""
    names: list[str] = []
    for declared in dataclasses.fields(cls):
        section = (
            declared.default_factory
            if declared.default_factory is not dataclasses.MISSING
            else None
        )
        if isinstance(section, type) and dataclasses.is_dataclass(section):
            names += flag_names(section)
        else:
            names.append(declared.name)
    return names


def take(argv: list[str], flag: str) -> str | None:
    """The value of `--flag value` or `--flag=value` without removing it; None when absent."""
    for position, word in enumerate(argv):
        if word == f"--{flag}" and position + 1 < len(argv):
            return argv[position + 1]
        if word.startswith(f"--{flag}="):
            return word.split("=", 1)[1]
    return None


def _reason(shown: str) -> str:
    """The gist of tyro's framed message on one line."""
    text = " ".join(_FRAME.sub(" ", shown).split())
    text = re.split(r"Argument helptext|For full helptext|Perhaps you meant|\busage:", text)[
        0
    ].strip()
    missing = re.search(
        r"Missing from [^:]*: (?P<flag>[^\u4e00-\u9fff]+) (?P<help>.+?)(?: \(required\)|$)", text
    )
    if missing:
        return f"缺少 {missing['flag'].strip()}（{missing['help'].strip('。 ')}）"
    wrong = re.search(r"Error parsing (?P<flag>\S+): (?P<why>.*)", text)
    return f"{wrong['flag']} 的值不对：{wrong['why'].strip()}" if wrong else text[:300]


def _help(text: str) -> str:
    """tyro's help with headings in the language of the rest."""
    for pattern, words in (
        (r"\bsettings\.(\w+) options|\bmodel options", "选项：\\1"),
        (r"positional arguments", "位置参数"),
        (r"(?<=^ )options", "选项"),
        (r"\(default: ", "(默认 "),
        (r"\(required\)", "(必需)"),
        (r"show this help message and exit", "显示这段说明"),
        (r"^usage:", "用法："),
    ):
        text = re.sub(pattern, words, text, flags=re.MULTILINE)
    return text
