"""A damaged SQLite file is set aside, and what can still be read of it is written into a new one."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from filelock import FileLock

log = logging.getLogger(__name__)

PARTS = ("", "-wal", "-shm")
"""SQLite's files."""


def set_aside_if_damaged(path: Path) -> Path | None:
    """Keep a damaged file beside as `….damaged-TIME` and say so; returns where, None for a sound file.

    What is no SQLite file at all is left alone: somebody named the wrong file.
    """
    if not path.is_file() or not path.stat().st_size:
        return None
    with FileLock(f"{path}.lock"):  # another process may be at it
        if not _is_damaged(path):
            return None
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        for part in PARTS:
            if (file := Path(f"{path}{part}")).is_file():
                file.rename(f"{aside}{part}")
        saved = _saved(aside, path)
    log.warning("对话库 %s 坏了：原样留在 %s，读得出的 %d 段对话已抄进新的一个", path, aside, saved)
    return aside


def _is_damaged(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.OperationalError:  # locked, not allowed: for others to explain
        return False
    except sqlite3.DatabaseError as error:
        return "malformed" in str(error)


def _saved(damaged: Path, fresh: Path) -> int:
    """Copy the tables row by row, as far as they can be read; returns the conversations that were."""
    with closing(sqlite3.connect(damaged)) as source, closing(sqlite3.connect(fresh)) as target:
        try:
            made = source.execute(
                "SELECT type, name, sql FROM sqlite_master"
                " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY type DESC"
            ).fetchall()
        except sqlite3.DatabaseError:
            return 0
        saved = {}
        for kind, name, sql in made:  # tables before their indexes
            target.execute(sql)
            if kind == "table":
                saved[name] = _copy(source, target, name)
        if not saved.get("alembic_version"):  # nobody could tell whose tables these are
            return 0
        target.commit()
        return saved.get("chats", 0)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    rows = _rows(source, table)
    if rows:
        places = ", ".join("?" * len(rows[0]))
        target.executemany(f'INSERT OR IGNORE INTO "{table}" VALUES ({places})', rows)
    return len(rows)


def _rows(source: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    """From the front and from the back, up to what is damaged in between."""
    found: dict[int, tuple[object, ...]] = {}
    for order in ("ASC", "DESC"):
        try:
            for number, *row in source.execute(
                f'SELECT rowid, * FROM "{table}" ORDER BY rowid {order}'
            ):
                if number in found:
                    break
                found[number] = tuple(row)
        except sqlite3.DatabaseError:
            continue
    return [found[number] for number in sorted(found)]
