"""A real PostgreSQL in a temporary folder, for the tests of the records."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

PASSWORD = "s3cret/%word"


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs, which Debian keeps off the PATH; None: not installed."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@contextmanager
def server(programs: Path) -> Iterator[int]:
    """A server on 127.0.0.1 with the user `postgres` and PASSWORD; its port.

    PostgreSQL does not run as root: then its own user runs it.
    """
    with TemporaryDirectory(prefix="goodsguard-pg-", dir="/tmp") as name:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        as_user: list[str] = []
        if os.geteuid() == 0:
            for path in (folder, secret):
                shutil.chown(path, "postgres")
            as_user = ["runuser", "-u", "postgres", "--"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        data, log = folder / "data", folder / "log"

        def run(program: str, *arguments: str) -> None:
            words = [*as_user, str(programs / program), *arguments]
            done = subprocess.run(
                words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=120, check=False,
            )  # fmt: skip
            told = log.read_text() if log.exists() else ""
            assert done.returncode == 0, done.stdout.decode() + told

        # Nothing of it has to outlast a power cut.
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("initdb", "-D", str(data), "-U", "postgres", "-A", "scram-sha-256", "--no-sync",
            "--pwfile", str(secret), "--locale=C.UTF-8", "-E", "UTF8")  # fmt: skip
        # Its output into a file: the server would keep a pipe open.
        run("pg_ctl", "-D", str(data), "-l", str(log), "-o", options, "-w", "-t", "60", "start")
        try:
            yield port
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
