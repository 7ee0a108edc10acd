"""Loopback ports for embedded parts, chosen so that two sets on one machine never share one."""

import random
import socket
import sys

HOST = "127.0.0.1"
# Below every system's range for outgoing connections: none of those can take a port away.
_FIRST, _LAST = 20_000, 32_000
_TRIES = 500


class Ports:
    """Ports that stay reserved, on Linux, until `close`.

    A socket that is bound and does not listen keeps others from choosing the port, while a server
    that reuses addresses, as ours do, can listen on it.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []
        self._taken: set[int] = set()

    def take(self) -> int:
        for _ in range(_TRIES):
            port = random.randrange(_FIRST, _LAST)  # noqa: S311 - no secret
            if port not in self._taken and is_free(port):
                self._hold(port)
                return port
        raise OSError("no free loopback port was found")

    def close(self) -> None:
        for held in self._held:
            held.close()
        self._held.clear()

    def __enter__(self) -> "Ports":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hold(self, port: int) -> None:
        self._taken.add(port)
        if sys.platform != "linux":
            return
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((HOST, port))
        except OSError:
            held.close()
            return
        self._held.append(held)


def is_free(port: int) -> bool:
    """Nobody listens on the port and nobody has reserved it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
