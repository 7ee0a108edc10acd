"""A raw TLS server that notes every byte it is sent, and answers as a test says.

with TlsServer(tmp_path, answering(b"...")) as server:
    server.received   # one bytes a connection, in the order in which they were accepted
"""

import ipaddress
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from worker.clock import SystemClock

RESET_AT_ONCE = struct.pack("ii", 1, 0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PATIENCE_SECONDS = 10.0


class Peer:
    """One connection of a client."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self.received = bytearray()
        self._taken = 0

    def request(self) -> bytes:
        """The next whole request; empty where the client has closed."""
        while (whole := self._whole()) is None:
            chunk = self._connection.recv(65536)
            if not chunk:
                return b""
            self.received += chunk
        return whole

    def some(self) -> None:
        """Wait for the first bytes."""
        self.received += self._connection.recv(1)

    def answer(self, response: bytes = OK) -> None:
        self._connection.sendall(response)

    def close(self) -> None:
        self._connection.close()

    def reset(self) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        self._connection.close()

    def _whole(self) -> bytes | None:
        head, split, rest = bytes(self.received[self._taken :]).partition(b"\r\n\r\n")
        if not split:
            return None
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if len(rest) < length:
            return None
        self._taken += len(head) + len(split) + length
        return head + split + rest[:length]


Behaviour = Callable[[Peer], None]


def answering(*responses: bytes) -> Behaviour:
    """Answer one request after the other, then wait for the client to go."""

    def behave(peer: Peer) -> None:
        for response in responses:
            if not peer.request():
                return
            peer.answer(response)
        peer.request()

    return behave


class TlsServer:
    def __init__(
        self,
        folder: Path,
        behave: Behaviour,
        *,
        names: tuple[str, ...] = ("127.0.0.1",),
        lives: tuple[timedelta, timedelta] = (timedelta(days=-1), timedelta(days=1)),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate, key = make_certificate(folder, names, lives)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)
        self.handshakes = 0

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}/v1/api"

    @property
    def received(self) -> list[bytes]:
        """What each connection brought, once all have ended."""
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        return [bytes(peer.received) for peer in self._peers]

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(PATIENCE_SECONDS)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            raw.settimeout(PATIENCE_SECONDS)
            thread = threading.Thread(target=self._serve, args=(raw,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        try:
            with self._context.wrap_socket(raw, server_side=True) as connection:
                self.handshakes += 1
                peer = Peer(connection)
                self._peers.append(peer)
                self._behave(peer)
        except (OSError, ValueError):  # a client that goes, however it goes
            pass
        finally:
            raw.close()


def make_certificate(
    folder: Path, names: tuple[str, ...], lives: tuple[timedelta, timedelta]
) -> tuple[Path, Path]:
    """Self-signed, for these names, valid from and until these distances from now."""
    private = ec.generate_private_key(ec.SECP256R1())
    now: datetime = SystemClock().wall_now()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + lives[0])
        .not_valid_after(now + lives[1])
        .add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key = private.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key)
    os.chmod(folder / "key.pem", 0o600)
    return folder / "cert.pem", folder / "key.pem"


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
