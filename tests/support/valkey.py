"""A real Valkey server for tests: own configuration, port and password, on loopback.

from tests.support.valkey import valkey_server  # a fixture: one started server a test

def test_x(valkey_server: ValkeyServer) -> None:
    valkey_server.client().set("a", "b")
    valkey_server.kill()       # kill -9; the data of the last second may be lost
    valkey_server.start()      # the same address, the same data
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from scripts.parts.ports import Ports
from scripts.parts.valkey import Valkey
from worker.clock import SystemClock, monotonic
from worker.settings import PROJECT_ROOT

PATIENCE_SECONDS = 10.0


class ValkeyServer:
    """Dies with the test process, kill -9 included: it runs under the guardian."""

    def __init__(self, folder: Path) -> None:
        self._ports = Ports()
        self._valkey = Valkey(folder, self._ports.take())
        self._guardian: subprocess.Popen[bytes] | None = None
        self._clients: list[redis.Redis] = []
        self.log = folder / "server.log"

    @property
    def url(self) -> str:
        return self._valkey.url

    @property
    def port(self) -> int:
        return self._valkey.port

    @property
    def password(self) -> str:
        return self._valkey.password

    def start(self) -> "ValkeyServer":
        """Start it, if it is not running, and wait until it answers."""
        if self._guardian is None:
            command = [sys.executable, "-m", "scripts.parts.guardian", "--"]
            command += self._valkey.prepare()
            with self.log.open("ab") as log:
                self._guardian = subprocess.Popen(
                    command, cwd=PROJECT_ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
        end = monotonic() + PATIENCE_SECONDS
        while not self._valkey.answers():
            if self._guardian.poll() is not None or monotonic() > end:
                self.stop()
                raise AssertionError(f"Valkey does not answer; its log:\n{self.log.read_text()}")
            SystemClock().sleep(0.01)
        return self

    def kill(self) -> None:
        """As kill -9 of the server: nothing more is written to its data."""
        self._end(signal.SIGUSR1)

    def stop(self) -> None:
        """An orderly end; the data stays."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        self.kill()
        self.start()

    def client(self) -> redis.Redis:
        """A client that is closed with the server's fixture; texts come back as str."""
        client = redis.Redis.from_url(self.url, decode_responses=True)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.stop()
        self._ports.close()

    def _end(self, number: signal.Signals) -> None:
        if self._guardian is not None:
            self._guardian.send_signal(number)
            self._guardian.wait(PATIENCE_SECONDS)
            self._guardian = None


@pytest.fixture
def valkey_server(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path / "valkey")
    try:
        yield server.start()
    finally:
        server.close()
