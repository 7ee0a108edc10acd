"""The network of the test process is closed but for loopback."""

import ipaddress
import sys
from typing import Any


class NetworkClosed(BaseException):
    """A test reached for another machine. No `except Exception` may take it for a bad answer."""


def close_network() -> None:
    """An audit hook sees what C code and event loops do as well, and nobody can undo it."""
    sys.addaudithook(_guard)


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto") and not _is_here(arguments[1]):
        raise NetworkClosed(f"a test connects to {arguments[1]}; only loopback is open")
    if event == "socket.getaddrinfo" and not _is_here(arguments[:2]):
        raise NetworkClosed(f"a test looks up {arguments[0]}; only loopback is open")


def _is_here(address: Any) -> bool:
    """Loopback, a socket file, or nothing at all."""
    host = address[0] if isinstance(address, tuple) else None
    if not isinstance(host, str) or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
