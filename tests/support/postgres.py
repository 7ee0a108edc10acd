"""A real PostgreSQL server for the tests marked `needs_postgres`; a database of its own for each.

    @pytest.mark.needs_postgres
    def test_x(postgres_url: str) -> None:
        Journal(postgres_url).upgrade()

The server refuses to run as root: there it runs as `postgres` or `nobody`, whichever exists. No
user is ever made.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from scripts.parts.ports import HOST, Ports
from tests.support.machine import required
from worker.clock import SystemClock, monotonic
from worker.settings import PROJECT_ROOT

PATIENCE_SECONDS = 20.0
UNPRIVILEGED = ("postgres", "nobody")
OPTIONS = (
    "listen_addresses=127.0.0.1",
    "fsync=off",
    "shared_buffers=32MB",
    "logging_collector=off",
)


def _user() -> pwd.struct_passwd | None:
    """Whom the server runs as, where that is not the one who runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in UNPRIVILEGED if name in known)


def _as_user(user: pwd.struct_passwd | None, command: Sequence[str]) -> list[str]:
    if user is None:
        return list(command)
    drop = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [*drop, "--", *command]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The server's address without a database; it ends with the tests, kill -9 included."""
    programs, user = required("needs_postgres"), _user()
    # Not under pytest's own folder: other users cannot walk into that one.
    folder = Path(tempfile.mkdtemp(prefix="openbell-postgres-"))
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data = folder / "data"
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", "openbell", "-A", "trust"]
        initdb += ["--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(_as_user(user, initdb), check=True, capture_output=True, cwd=folder)
        with Ports() as ports:
            port = ports.take()
            server = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
            server += [word for option in OPTIONS for word in ("-c", option)] + ["-k", str(folder)]
            command = [sys.executable, "-m", "scripts.parts.guardian", "--"]
            log = (folder / "log").open("ab")
            with log, subprocess.Popen(
                [*command, *_as_user(user, server)], cwd=PROJECT_ROOT,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            ) as guardian:  # fmt: skip
                url = f"postgresql://openbell@{HOST}:{port}"
                try:
                    _wait(url, guardian, folder / "log")
                    yield url
                finally:
                    guardian.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The address of a fresh, empty database."""
    import psycopg

    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{postgres_server}/{name}"


def _wait(url: str, guardian: "subprocess.Popen[bytes]", log: Path) -> None:
    import psycopg

    end = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if guardian.poll() is not None or monotonic() > end:
                pytest.fail(f"PostgreSQL does not answer; its log:\n{log.read_text()}")
            SystemClock().sleep(0.05)
