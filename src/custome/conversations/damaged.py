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

    What is no SQLite file at all is left alone: somebody named the wrong file. So is one that another process has open.
    """
    if not _is_damaged(path):
        return None
    with FileLock(f"{path}.lock"):  # of several that start at once one does it
        if not _is_damaged(path) or _is_in_use(path):
            return None
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        for part in reversed(PARTS):
            if (file := Path(f"{path}{part}")).is_file():
                file.rename(f"{aside}{part}")
        rescued, saved = path.with_name(f"{path.name}.rescued"), 0
        rescued.unlink(missing_ok=True)
        try:
            saved = _saved(aside, rescued)
            rescued.replace(path)  # only when it is whole: else a new one is begun
        except (sqlite3.Error, OSError) as error:
            log.warning("对话库 %s 里读不出什么：%s", path, error)
            rescued.unlink(missing_ok=True)
    log.warning("对话库 %s 坏了：原样留在 %s，读得出的 %d 段对话已抄进新的一个", path, aside, saved)
    return aside


def _is_damaged(path: Path) -> bool:
    if not path.is_file() or not path.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.OperationalError:  # locked, not allowed: for others to explain
        return False
    except sqlite3.DatabaseError as error:
        return "malformed" in str(error)


def _is_in_use(path: Path) -> bool:
    """Has another process the file open? What it still writes would go into the file that is set aside."""
    try:
        with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:  # too damaged to say
        return False
    return False


def _saved(damaged: Path, fresh: Path) -> int:
    """Copy the tables row by row, as far as they can be read; returns the conversations that were.

    Raises:
        sqlite3.Error: nothing can be read, or nobody could tell whose tables these are.
    """
    with (
        closing(sqlite3.connect(damaged)) as source,
        closing(sqlite3.connect(fresh, isolation_level=None)) as target,
    ):
        made = source.execute(
            "SELECT type, name, sql FROM sqlite_master"
            " WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY type DESC"
        ).fetchall()
        saved = {}
        target.execute("BEGIN")
        for kind, name, sql in made:  # tables before their indexes
            target.execute(sql)
            if kind == "table":
                saved[name] = _copy(source, target, name)
        if not saved or saved.get("alembic_version") == 0:
            raise sqlite3.DatabaseError("读不出是哪个版本的")
        target.execute("COMMIT")
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
