"""One database for what users make: SQLite in one file, or PostgreSQL by its URL. Opens it, brings it up to date, explains
what goes wrong. Every session is one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from ..errors import InputError, StoreError
from .damaged import set_aside_if_damaged
from .tables import Base

WAIT_S = 10
"""How long a write waits for another one."""
REVISIONS = ("0001", "0002", "0003")
"""Of the tables, oldest first; 0001 is what the releases before migrations made."""
ONE_AT_A_TIME = 6_190_547
"""PostgreSQL's advisory lock of whoever migrates; any number that is always the same."""


class Database:
    """An open database whose tables are those of this program. A damaged SQLite file is set aside first.

    Args:
        url: a file's path for SQLite, or a URL such as postgresql+psycopg://user@host/name.

    Raises:
        StoreError: it cannot be opened or written to, or a newer program made it; the reason is told.
    """

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        with self._explaining():
            if "://" not in self.url:
                path = Path(self.url).expanduser()
                path.parent.mkdir(parents=True, exist_ok=True)
                set_aside_if_damaged(path)
                self.url = f"sqlite:///{path}"
            self._engine = _connect(self.url)
            self._bring_up_to_date()
            with self._engine.begin() as connection:  # may it be written to?
                connection.execute(text("UPDATE chats SET deleted = deleted WHERE id = ''"))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back by an exception."""
        with (
            self._explaining(),
            Session(self._engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def _bring_up_to_date(self) -> None:
        """Make the tables of an empty database, migrate those of an older program.

        Raises:
            StoreError: a newer program made it.
        """
        with self._engine.connect() as connection:
            found = _revision(connection)
        if found == REVISIONS[-1]:
            return
        if found is not None and found not in REVISIONS:
            raise StoreError(
                f"对话库 {_shown(self.url)!r} 是更新的版本写的（{found}），这个程序不认识",
                "升级程序，或换一个位置：--chats 别处/chats.db",
            )
        with _alone(self.url) as connection:
            found = _revision(connection)  # another process may have been faster
            if found is None:
                Base.metadata.create_all(connection)
                _stamp(connection, REVISIONS[-1])
            elif found != REVISIONS[-1]:
                self._keep_a_copy(found)
                _migrate(connection, found)

    def _keep_a_copy(self, revision: str) -> None:
        """Of a SQLite file, beside it: a migration that goes wrong costs nothing."""
        path = Path(self.url.removeprefix("sqlite:///"))
        if self.url.startswith("sqlite:///") and path.is_file():
            copy = path.with_name(f"{path.name}.{revision}")
            with closing(sqlite3.connect(path)) as here, closing(sqlite3.connect(copy)) as there:
                here.backup(there)  # what is still in the write-ahead log too

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except UnicodeError as error:
            raise InputError(f"有存不下的字符：{error}", "删掉它再试") from error
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise _explained(error, self.url) from error


def _connect(url: str) -> Engine:
    sqlite = url.startswith("sqlite")
    engine = create_engine(
        url, connect_args={"timeout": WAIT_S} if sqlite else {}, pool_pre_ping=True
    )
    if sqlite:
        _careful(engine)
    return engine


def _careful(engine: Engine) -> None:
    """A crash costs no committed write; readers do not wait for writers."""

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()


@contextmanager
def _alone(url: str) -> Iterator[Connection]:
    """A transaction that holds everybody else off, tables included: whole, or as if it had never begun."""
    engine = _connect(url)
    if engine.dialect.name == "sqlite":
        # Python's driver commits before it makes a table, unless it is told to keep out of it:
        # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
        @event.listens_for(engine, "connect")
        def _(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            # a table that is made anew is dropped in between, and others refer to it
            connection.execute("PRAGMA foreign_keys=OFF")

        @event.listens_for(engine, "begin")
        def _(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})"))
            yield connection
    finally:
        engine.dispose()


def _revision(connection: Connection) -> str | None:
    """Which program's tables these are; None where there are none."""
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return str(found) if found is not None else None
    return REVISIONS[0] if "chats" in tables else None


def _stamp(connection: Connection, revision: str) -> None:
    """Write down whose tables these are, as alembic does it; alembic itself is loaded by whoever has to migrate."""
    connection.execute(
        text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    )
    connection.execute(text("INSERT INTO alembic_version VALUES (:to)"), {"to": revision})


def _migrate(connection: Connection, found: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.attributes["connection"] = connection
    if "alembic_version" not in inspect(connection).get_table_names():
        _stamp(connection, found)
    command.upgrade(config, "head")


_WHY = {
    "locked": ("别的程序锁着它", "关掉占用它的程序再试"),
    "readonly": ("它是只读的", "改权限，或换一个位置：--chats 别处/chats.db"),
    "read-only": ("它是只读的", "改权限，或换一个位置：--chats 别处/chats.db"),
    "full": ("磁盘满了", "腾出地方再试；之前存下的都在"),
    "no space": ("磁盘满了", "腾出地方再试；之前存下的都在"),
    "not a database": ("它不是对话库", "换一个文件：--chats 别处/chats.db"),
    "malformed": ("它坏了", "把它移开，会新建一个：--chats 别处/chats.db"),
    "file exists": ("那里有一个不是目录的文件", "换一个位置：--chats 别处/chats.db"),
    "unable to open": ("打不开这个文件", "检查目录和权限，或换一个位置：--chats 别处/chats.db"),
    "refused": ("连不上数据库", "先启动它，或检查地址"),
    "password": ("数据库不认这个用户或密码", "检查 --chats 的地址"),
    "does not exist": ("没有这个数据库", "先建好它：createdb 名字"),
}


def _shown(url: str) -> str:
    """A URL as a message may have it: without its password."""
    return url.partition("@")[2] or url.removeprefix("sqlite:///")


def _explained(error: Exception, url: str) -> StoreError:
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip().split("\n")[0]
    for sign, (why, hint) in _WHY.items():
        if sign in said.lower():
            return StoreError(f"对话存不进 {_shown(url)!r}：{why}", hint)
    kind = "连不上或写不进" if isinstance(error, OperationalError) else "出错"
    return StoreError(
        f"对话库 {_shown(url)!r} {kind}：{said}", "检查磁盘和权限；完整经过：加 --debug"
    )
