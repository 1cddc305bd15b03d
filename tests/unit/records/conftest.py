from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from app.records.opening import Records, open_records

from . import postgres

# A folder -> a URL of a database that nobody has used yet.
NewUrl = Callable[[Path], str]


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("PostgreSQL's programs are not installed (Debian: apt install postgresql)")
    pytest.importorskip("psycopg", reason="the driver is not installed: goodsguard[postgres]")
    with postgres.server(programs) as port:
        yield port


@pytest.fixture
def postgres_url(postgres_port: int) -> Iterator[str]:
    """An empty database of its own."""
    start = f"postgresql+psycopg://postgres:{quote(postgres.PASSWORD, safe='')}@127.0.0.1"
    name = f"t{secrets.token_hex(6)}"
    admin = sa.create_engine(
        f"{start}:{postgres_port}/postgres", isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    )
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield f"{start}:{postgres_port}/{name}"
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database: each test that takes it runs on both kinds."""
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgres_url")
        return found
    return f"sqlite:///{tmp_path}/records/goodsguard.db"


@pytest.fixture
def records(url: str, tmp_path: Path) -> Iterator[Records]:
    with open_records(tmp_path / "records", url) as opened:
        yield opened


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no `mount` here")
    if done.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
