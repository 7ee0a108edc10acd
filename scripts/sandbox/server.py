"""Runs the sandbox: one home, one process, HTTPS on one address, until it is told to stop."""

import asyncio
import errno
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from scripts.sandbox.app import make_app
from scripts.sandbox.certificate import ensure_certificate, fingerprint
from scripts.sandbox.clock import NEW_YORK, Clock, check_rate, open_clock
from scripts.sandbox.prices import FIRST_DAY, LAST_DAY
from scripts.sandbox.sandbox import ACCOUNT, open_sandbox

SHUTDOWN_SECONDS = 1
KEEP_ALIVE_SECONDS = 75
PRIVATE = 0o077


class StartError(Exception):
    """The sandbox cannot start; the text is a sentence for a person."""


@dataclass(frozen=True)
class Wanted:
    home: Path
    host: str
    port: int  # 0: any free one
    at: datetime
    rate: float


class _Connection(H11Protocol):
    """Lets a request reach its own connection, so that a drill can cut it."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Asyncio does it for sockets of its own alone; without it each answer takes 40 ms more.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}


def serve(
    wanted: Wanted, environment: Mapping[str, str], say: Callable[[str], None] = print
) -> None:
    """Returns when SIGINT or SIGTERM ends it. Raises StartError and ClockError, having changed
    nothing in the home."""
    os.umask(PRIVATE)
    _check_day(wanted.at)
    check_rate(wanted.rate)
    with _listening(wanted.host, wanted.port) as listener, _alone_in(wanted.home):
        _run(wanted, environment, listener, say)


def _run(
    wanted: Wanted,
    environment: Mapping[str, str],
    listener: socket.socket,
    say: Callable[[str], None],
) -> None:
    state = wanted.home / "state"
    resumed = (state / "replay.json").exists()
    clock = open_clock(state / "replay.json", wanted.at, wanted.rate)
    made = datetime.fromtimestamp(clock.wall(), UTC)
    certificate, key = ensure_certificate(state / "sandbox", made)
    sandbox = open_sandbox(wanted.home, clock, fingerprint(certificate), environment)
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(sandbox),
            http=_Connection,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
    sandbox.entrance.belongs_to(server)
    for line in _greeting(wanted.host, listener, certificate, clock, resumed):
        say(line)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        # Not server.run(): it would set up its own loop policy for nothing.
        asyncio.run(server.serve(sockets=[listener]))
    finally:
        sandbox.book.close()


def _end(_number: int, _frame: FrameType | None) -> None:
    """Uvicorn stops on a signal and then raises it again, for whoever else listens."""
    sys.exit(0)


def _greeting(
    host: str, listener: socket.socket, certificate: Path, clock: Clock, resumed: bool
) -> Iterator[str]:
    name = f"[{host}]" if ":" in host else host
    address = f"https://{name}:{listener.getsockname()[1]}"
    now = clock.now().astimezone(NEW_YORK)
    yield "Openbell sandbox: not a broker, no real market, no real money."
    yield f"  gateway      {address}/v1/api"
    yield f"  account      {ACCOUNT}"
    yield f"  certificate  {certificate}"
    yield f"  analyst      {address}/analyst/v1"
    yield f"  book         {address}/sandbox/book"
    yield f"  faults       {address}/sandbox/faults"
    yield f"  market time  {now:%Y-%m-%d %H:%M:%S} New York, {clock.rate:g} x"
    if resumed:
        file = certificate.parent.parent / "replay.json"
        yield f"This home's clock goes on; --at and --rate count only after removing {file}."
    if now.date() > LAST_DAY:
        yield f"The prices end on {LAST_DAY}: nothing trades any more on this clock."


def _check_day(at: datetime) -> None:
    if not FIRST_DAY <= at.astimezone(NEW_YORK).date() <= LAST_DAY:
        raise StartError(
            f"the sandbox has prices from {FIRST_DAY} to {LAST_DAY}; choose --at in between"
        )


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        known = error.errno in errno.errorcode  # else it is about the host's name
        why = os.strerror(error.errno) if error.errno and known else error.strerror
        raise StartError(f"cannot listen on {host}, port {port}: {why}") from None
    with listener:
        yield listener


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    """Two sandboxes on one book would each fill the same orders."""
    path = home / "state" / "sandbox" / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise StartError(f"cannot write to the home {home}: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(f"another sandbox is using the home {home}") from None
        yield
