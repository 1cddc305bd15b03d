"""Open the records: the right database, its tables up to date, and the folder of photos."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from ..core.files import shown
from .errors import DriverMissing, NewerDatabase, RecordsUnavailable, WrongDatabase
from .photos import PhotoFiles
from .transactions import PATIENCE_S, prepare_sqlite, shown_url, told, writing

FILE = "goodsguard.db"
log = structlog.get_logger()
# It tells at each start what kind of database it found.
logging.getLogger("alembic").setLevel(logging.WARNING)

_MIGRATIONS = Path(__file__).parent / "migrations"
_CONNECT_S = 10
_COMMON: dict[str, Any] = {
    "hide_parameters": True,  # what people wrote does not belong into logs
    "json_serializer": partial(json.dumps, allow_nan=False),  # NaN is no JSON: PostgreSQL refuses
}
# Alembic keeps what it is doing in variables of its module.
_migrating = threading.Lock()


@dataclass(frozen=True)
class Records:
    """Records that are open. Any thread may use them; the functions of this room take them.

    Attributes:
        where: the database's URL without its password.
        identity: device and inode of an SQLite file.
    """

    engine: Engine
    photos: PhotoFiles
    where: str
    identity: tuple[int, int] | None = None

    def is_gone(self) -> bool:
        """Whether the database's file is no longer the one that was opened."""
        if self.identity is None:
            return False
        try:
            return _identity(self.engine.url) != self.identity
        except FileNotFoundError:
            return True
        except OSError:  # a disk that does not answer now
            return False

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_records(folder: Path, url: str | None = None) -> Records:
    """Open the records, made where there are none; an older database is brought up to date.

    Several processes may do so at once.

    Args:
        folder: photos lie below it, and the database, where no URL says another place.
        url: `sqlite:///PATH` or `postgresql+psycopg://USER:PASSWORD@HOST/NAME`.

    Raises:
        WrongDatabase: the URL is wrong, or what it leads to is no database of ours.
        DriverMissing: the URL needs a package that is not installed.
        NewerDatabase: a newer program has written it.
        RecordsUnavailable: it does not answer, or cannot be written.
    """
    address = _address(url) if url else URL.create("sqlite", database=str(folder / FILE))
    engine = _engine(address)
    try:
        if engine.dialect.name == "sqlite":
            with told(engine):
                _into_wal(engine)
        _bring_up_to_date(engine)
    except BaseException:
        engine.dispose()
        raise
    identity = _identity(address) if engine.dialect.name == "sqlite" else None
    return Records(engine, PhotoFiles(folder / "photos"), shown_url(address), identity)


def _identity(address: URL) -> tuple[int, int]:
    found = Path(str(address.database)).stat()
    return found.st_dev, found.st_ino


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        # The text may hold a password: it is not repeated, and neither is the cause's.
        raise WrongDatabase(
            "the database URL cannot be read: it must be sqlite:///PATH or"
            " postgresql+psycopg://USER:PASSWORD@HOST/NAME (a password's special characters"
            " written as %XX)"
        ) from None
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    if address.drivername not in ("sqlite", "postgresql+psycopg"):
        raise WrongDatabase(
            f"databases of the kind {address.drivername!r} are not used: take sqlite or"
            " postgresql+psycopg"
        )
    if address.drivername == "sqlite" and address.database in (None, "", ":memory:"):
        raise WrongDatabase("the database URL names no file: write sqlite:///PATH")
    return address


def _engine(address: URL) -> Engine:
    if address.drivername == "sqlite":
        return _sqlite(address)
    if "connect_timeout" not in address.query:
        address = address.update_query_dict({"connect_timeout": str(_CONNECT_S)})
    try:
        return create_engine(address, **_COMMON, pool_pre_ping=True)
    except (ModuleNotFoundError, ImportError, NoSuchModuleError) as exc:
        raise DriverMissing(
            "PostgreSQL needs a package that is not installed: pip install 'goodsguard[postgres]'"
        ) from exc


def _sqlite(address: URL) -> Engine:
    file = Path(str(address.database))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise RecordsUnavailable(
            f"the folder {shown(file.parent)} of the records cannot be made: {exc.strerror}"
        ) from exc
    engine = create_engine(address, **_COMMON, connect_args={"timeout": PATIENCE_S})
    prepare_sqlite(engine)
    return engine


def _into_wal(engine: Engine) -> None:
    """Readers and the writer beside each other; the file remembers it.

    Where two processes do so at once, one of them is refused without waiting.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection = engine.raw_connection()
            try:
                (mode,) = connection.cursor().execute("PRAGMA journal_mode = WAL").fetchone()
            finally:
                connection.close()
            if mode != "wal":
                log.warning("readers and writers of the records wait for each other: the file"
                            " system lacks what SQLite's WAL needs", mode=mode)  # fmt: skip
            return
        except (sqlite3.OperationalError, OperationalError) as exc:
            if "locked" not in str(exc) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _bring_up_to_date(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    # In one transaction: of two processes the second waits, then finds nothing left to do; one
    # that dies leaves the database as it was.
    with _migrating, writing(engine) as connection:
        known = {script.revision for script in scripts.walk_revisions()}
        found = MigrationContext.configure(connection).get_current_heads()
        if strange := set(found) - known:
            raise NewerDatabase(
                f"{shown_url(engine.url)} was written by a newer"
                f" GoodsGuard (its tables are of revision {', '.join(sorted(strange))}): update"
                " this one, or go back to the copy from before the update"
            )
        if set(found) == set(scripts.get_heads()):
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    log.info("the records' database is brought up to date", before=found, now=scripts.get_heads())
