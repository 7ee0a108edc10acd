"""A way to a server that freezes: from a certain word on nothing passes any more, in no direction.

Connections stay open and new ones are accepted, as of a server that was stopped.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_BLOCK = 65536


class FreezingWay:
    def __init__(self, port: int, word: bytes) -> None:
        self._port, self._word = port, word
        self._frozen = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def is_frozen(self) -> bool:
        return self._frozen.is_set()

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def close(self) -> None:
        for each in (self._listener, *self._sockets):
            with_shutdown(each)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while block := source.recv(_BLOCK):
                if self._word in block:
                    self._frozen.set()
                if not self.is_frozen:
                    target.sendall(block)
        except OSError:
            return  # it was closed under our hands


def with_shutdown(each: socket.socket) -> None:
    with suppress(OSError):  # a listener, or one whose other end is gone
        each.shutdown(socket.SHUT_RDWR)
    each.close()


@contextmanager
def freezing_way(port: int, word: bytes) -> Iterator[FreezingWay]:
    way = FreezingWay(port, word)
    threading.Thread(target=way.serve, daemon=True).start()
    try:
        yield way
    finally:
        way.close()
