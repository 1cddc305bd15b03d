"""Transactions: many read, one writes; and what a database's errors mean, in sentences.

One writer at a time on PostgreSQL, too, by a lock that its transactions share: what the room
promises of files and leases is then the same on both. Each takes milliseconds.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, event, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from .errors import RecordRefused, RecordsError, RecordsFull, RecordsUnavailable, WrongDatabase

# How long a writer waits for the others before it gives up.
PATIENCE_S = 30
_WRITES = "goodsguard_writes"
# Any number that no other program uses for its own locks in the same database.
_LOCK = 0x6F_6F_64_73_67_75_72_64


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes, alone; committed at the end, taken back if the body fails.

    Raises:
        RecordsUnavailable: the database cannot do it; the text says why.
    """
    with told(engine), engine.connect() as connection:
        connection = connection.execution_options(**{_WRITES: True})
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE_S}s'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads, beside all others.

    Raises:
        RecordsUnavailable: the database cannot do it; the text says why.
    """
    with told(engine), engine.connect() as connection, connection.begin():
        yield connection


def prepare_sqlite(engine: Engine) -> None:
    """Have SQLAlchemy begin SQLite's transactions itself, and each connection set up."""

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: Any) -> None:
        # Python's module would begin a transaction before the first change only: too late to be
        # sure of the lock, and not at all for the migrations' changes of tables.
        connection.isolation_level = None
        for pragma in (
            "foreign_keys = ON",
            "synchronous = FULL",  # what is committed outlasts a power cut
            "cache_size = -16384",  # KiB, per connection
            "temp_store = MEMORY",
            "journal_size_limit = 67108864",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # Who will write asks at once: a reader that turns writer may find that it cannot.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def told(engine: Engine) -> Iterator[None]:
    """Turn a database's errors into sentences.

    Raises:
        RecordsUnavailable: in their place. RecordRefused: where it is the value that is wrong.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as exc:
        raise in_words(exc, engine) from exc


def in_words(exc: SQLAlchemyError | sqlite3.Error, engine: Engine) -> RecordsError:
    """What a database's error means, and what to do; without the password."""
    where = shown_url(engine.url)
    if isinstance(exc, NoConnectionFree):
        return RecordsUnavailable(f"all connections to {where} are in use: too many ask at once")
    original = exc.orig if isinstance(exc, DBAPIError) else exc
    reason = " ".join(str(original).split())
    for secret in _secrets(engine.url):
        reason = reason.replace(secret, "***")
    if is_full(original):
        return RecordsFull(f"the disk of {where} is full: make space, or keep fewer photos")
    if isinstance(exc, IntegrityError | DataError) or type(exc) is StatementError:
        return RecordRefused(f"the database {where} does not take this: {reason}")
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original, where, reason)
    return RecordsUnavailable(f"the database {where} cannot be used: {reason}")


def shown_url(url: URL) -> str:
    """A database's URL as people may see it: without the password, which may be an option, too."""
    return url.set(query={}).render_as_string(hide_password=True)


def _secrets(url: URL) -> Iterator[str]:
    options = (value for name, value in url.query.items() if "password" in name)
    yield from (str(secret) for secret in (url.password, *options) if secret)


def is_full(exc: BaseException | None) -> bool:
    """Whether an error of a database or a file says that there is no space left."""
    if isinstance(exc, OSError):
        return exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(exc, sqlite3.Error):
        return _code(exc) == sqlite3.SQLITE_FULL
    return getattr(exc, "sqlstate", None) == "53100"  # PostgreSQL's disk_full


def _of_sqlite(exc: sqlite3.Error, where: str, reason: str) -> RecordsUnavailable:
    match _code(exc):
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return WrongDatabase(
                f"{where} is no database, or a damaged one ({reason}): move it away, and a new one"
                " is made, or put back a copy"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return RecordsUnavailable(
                f"{where} cannot be written ({reason}): give the service's user the right to write"
                " the file and its folder"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return RecordsUnavailable(
                f"another program has held {where} for more than {PATIENCE_S} s ({reason})"
            )
    return RecordsUnavailable(f"the database {where} cannot be used: {reason}")


def _code(exc: sqlite3.Error) -> int:
    """SQLite's primary error code; 0 where the error is Python's own."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF
