"""HTTP clients: who is proved to be at the other end, and what may have left this machine."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert

import httpx
import pytest

from tests.support.tls_server import OK, Peer, TlsServer, answering, make_certificate
from worker.errors import ConfigurationError, NotProved
from worker.http import OneConnection, Tls, make_client, peer_fingerprint

DAY = timedelta(days=1)
EXPIRED = (-2 * DAY, -DAY)
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


def get(server: TlsServer, tls: Tls) -> httpx.Response:
    with make_client(server.base_url, tls=tls, timeout_seconds=5) as client:
        return client.get("tickle")


@contextmanager
def one_connection(server: TlsServer, timeout_seconds: float = 5) -> Iterator[OneConnection]:
    tls = Tls(pinned_certificate=server.certificate)
    connection = OneConnection(server.base_url, tls=tls, timeout_seconds=timeout_seconds)
    try:
        yield connection
    finally:
        connection.close()


def stop() -> None:
    raise InterruptedError("the guard says no")


# Who is at the other end


def test_the_pinned_certificate_is_accepted(tmp_path: Path) -> None:
    with TlsServer(tmp_path, answering(OK)) as server:
        assert get(server, Tls(pinned_certificate=server.certificate)).json() == {}


@pytest.mark.parametrize(
    ("names", "lives"),
    [(("127.0.0.1",), EXPIRED), (("gateway.example",), (-DAY, DAY)), (("x",), (DAY, 2 * DAY))],
    ids=["expired", "another name", "another name and not yet valid"],
)
def test_a_pinned_certificate_needs_neither_date_nor_name(
    tmp_path: Path, names: tuple[str, ...], lives: tuple[timedelta, timedelta]
) -> None:
    with TlsServer(tmp_path, answering(OK), names=names, lives=lives) as server:
        assert get(server, Tls(pinned_certificate=server.certificate)).status_code == 200


def test_another_certificate_than_the_pinned_one_gets_no_byte(tmp_path: Path) -> None:
    other, _ = make_certificate(tmp_path, ("127.0.0.1",), (-DAY, DAY))
    with TlsServer(tmp_path / "server", answering(OK)) as server:
        with pytest.raises(httpx.ConnectError, match="not the pinned one"):
            get(server, Tls(pinned_certificate=other))
        assert server.received == [b""]
        assert server.handshakes == 1


def test_a_pin_counts_even_where_nothing_else_is_verified(tmp_path: Path) -> None:
    other, _ = make_certificate(tmp_path, ("127.0.0.1",), (-DAY, DAY))
    with (
        TlsServer(tmp_path / "server", answering(OK)) as server,
        pytest.raises(httpx.ConnectError),
    ):
        get(server, Tls(verify=False, pinned_certificate=other))


def test_a_certificate_of_no_known_authority_gets_no_byte(tmp_path: Path) -> None:
    with TlsServer(tmp_path, answering(OK)) as server:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            get(server, Tls())
        assert server.received == []


def test_the_authority_of_the_ca_file_is_trusted(tmp_path: Path) -> None:
    with TlsServer(tmp_path, answering(OK)) as server:
        assert get(server, Tls(ca_file=server.certificate)).status_code == 200


@pytest.mark.parametrize(
    ("names", "lives"),
    [(("127.0.0.1",), EXPIRED), (("gateway.example",), (-DAY, DAY))],
    ids=["expired", "another name"],
)
def test_an_authority_does_not_excuse_a_wrong_date_or_name(
    tmp_path: Path, names: tuple[str, ...], lives: tuple[timedelta, timedelta]
) -> None:
    with (
        TlsServer(tmp_path, answering(OK), names=names, lives=lives) as server,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        get(server, Tls(ca_file=server.certificate))


def test_verification_is_off_only_where_it_is_said(tmp_path: Path) -> None:
    with TlsServer(tmp_path, answering(OK), lives=EXPIRED) as server:
        assert get(server, Tls(verify=False)).status_code == 200


@pytest.mark.parametrize("content", [None, b"", b"\x30\x82\x01\xff binary", b"a note to myself"])
@pytest.mark.parametrize("field", ["ca_file", "pinned_certificate"])
def test_a_file_that_holds_no_certificate_is_a_mistake_in_the_configuration(
    tmp_path: Path, content: bytes | None, field: str
) -> None:
    path = tmp_path / "cert.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        make_client("https://127.0.0.1:1", tls=Tls.model_validate({field: path}), timeout_seconds=1)
    assert str(path) in raised.value.sentence
    assert f"ibkr.tls.{field}" in raised.value.sentence


def test_a_proxy_of_the_environment_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with TlsServer(tmp_path, answering(OK)) as server:
        assert get(server, Tls(pinned_certificate=server.certificate)).status_code == 200


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    away = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    with TlsServer(tmp_path, answering(away, OK)) as server:
        assert get(server, Tls(pinned_certificate=server.certificate)).status_code == 302
        assert b"".join(server.received).count(b"HTTP/1.1") == 1


def test_a_request_says_who_asks(tmp_path: Path) -> None:
    with TlsServer(tmp_path, answering(OK)) as server:
        get(server, Tls(pinned_certificate=server.certificate))
        (received,) = server.received
    assert received.startswith(b"GET /v1/api/tickle HTTP/1.1\r\n")
    assert b"\r\nUser-Agent: openbell\r\n" in received


def test_the_fingerprint_is_of_the_certificate_that_carried_the_answer(tmp_path: Path) -> None:
    with TlsServer(tmp_path, answering(OK)) as server, one_connection(server) as connection:
        found = peer_fingerprint(connection.client.get("tickle"))
        der = PEM_cert_to_DER_cert(server.certificate.read_text())
    assert found == sha256(der).hexdigest()


def test_an_answer_without_a_certificate_proves_nothing() -> None:
    with pytest.raises(NotProved):
        peer_fingerprint(httpx.Response(200))


def test_a_connection_that_was_closed_after_the_answer_proves_nothing(tmp_path: Path) -> None:
    with (
        TlsServer(tmp_path, answering(CLOSING)) as server,
        one_connection(server) as connection,
        pytest.raises(NotProved),
    ):
        peer_fingerprint(connection.client.get("tickle"))


# One connection


def test_the_guard_is_asked_directly_before_the_head_and_before_the_body(tmp_path: Path) -> None:
    seen: list[tuple[bool, bool]] = []
    with TlsServer(tmp_path, answering(OK, OK)) as server, one_connection(server) as connection:
        connection.client.post("proof", json={})
        assert not connection.written
        connection.arm(lambda: seen.append((connection.written, server.handshakes == 1)))
        connection.client.post("order", json={"orders": [1]})
        assert connection.written
        assert seen == [(False, True), (True, True)]
        connection.close()
        (received,) = server.received
    assert received.count(b"POST /v1/api/") == 2


def test_a_body_that_would_leave_too_late_never_leaves(tmp_path: Path) -> None:
    """A process that is stopped between head and body must not finish the request later."""
    answers = iter([True, False])

    def guard() -> None:
        if not next(answers):
            raise InterruptedError

    with TlsServer(tmp_path, answering(OK, OK)) as server, one_connection(server) as connection:
        connection.client.post("proof", json={})
        connection.arm(guard)
        with pytest.raises(InterruptedError):
            connection.client.post("order", json={"orders": [1]})
        assert connection.written
        connection.close()
        assert b'"orders"' not in b"".join(server.received)


@pytest.mark.parametrize("first", [True, False], ids=["a new connection", "a used connection"])
def test_a_guard_that_says_no_lets_no_byte_out(tmp_path: Path, first: bool) -> None:
    with TlsServer(tmp_path, answering(OK, OK)) as server, one_connection(server) as connection:
        if not first:
            connection.client.get("proof")
        connection.arm(stop)
        with pytest.raises(InterruptedError):
            connection.client.post("order", json={"orders": [1]})
        assert not connection.written
        connection.close()
        assert b"order" not in b"".join(server.received)


def test_after_a_guard_said_no_the_connection_is_not_replaced(tmp_path: Path) -> None:
    with TlsServer(tmp_path, answering(OK, OK)) as server, one_connection(server) as connection:
        connection.arm(stop)
        with pytest.raises(InterruptedError):
            connection.client.post("order", json={})
        connection.arm(lambda: None)
        with pytest.raises(httpx.ConnectError, match="not replaced"):
            connection.client.post("order", json={})
        assert not connection.written
        assert b"".join(server.received) == b""


def test_a_server_that_closed_the_idle_connection_gets_nothing_more(tmp_path: Path) -> None:
    with TlsServer(tmp_path, answering(CLOSING)) as server, one_connection(server) as connection:
        connection.client.get("proof")
        connection.arm(lambda: None)
        with pytest.raises(httpx.ConnectError, match="not replaced"):
            connection.client.post("order", json={})
        assert not connection.written
        assert server.handshakes == 1


@pytest.mark.parametrize("end", [Peer.reset, Peer.close], ids=["reset", "closed"])
def test_a_server_that_went_away_in_between_gets_nothing_more(
    tmp_path: Path, end: Callable[[Peer], None]
) -> None:
    has_read = threading.Event()

    def behave(peer: Peer) -> None:
        peer.request()
        peer.answer()
        has_read.wait(10)
        end(peer)

    with TlsServer(tmp_path, behave) as server, one_connection(server) as connection:
        connection.client.get("proof")
        has_read.set()
        assert len(server.received) == 1  # it has ended
        connection.arm(lambda: None)
        with pytest.raises(httpx.HTTPError):
            connection.client.post("order", json={})
        assert not connection.written
        assert server.handshakes == 1


def cut_after_some(peer: Peer) -> None:
    peer.some()
    peer.reset()


def cut_after_all(peer: Peer) -> None:
    peer.request()
    peer.reset()


def answer_half(peer: Peer) -> None:
    peer.request()
    peer.answer(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{"order_id"')
    peer.close()


def answer_nonsense(peer: Peer) -> None:
    peer.request()
    peer.answer(b"I am no web server\r\n\r\n")
    peer.close()


@pytest.mark.parametrize("behave", [cut_after_some, cut_after_all, answer_half, answer_nonsense])
def test_bytes_count_as_written_when_the_answer_is_lost(
    tmp_path: Path, behave: Callable[[Peer], None]
) -> None:
    with TlsServer(tmp_path, behave) as server, one_connection(server) as connection:
        connection.arm(lambda: None)
        with pytest.raises(httpx.HTTPError):
            connection.client.post("order", json={"orders": ["x" * 100]})
        assert connection.written
        assert server.handshakes == 1


def test_bytes_count_as_written_when_no_answer_comes_in_time(tmp_path: Path) -> None:
    def silent(peer: Peer) -> None:
        peer.request()
        peer.request()

    with TlsServer(tmp_path, silent) as server, one_connection(server, 0.2) as connection:
        connection.arm(lambda: None)
        with pytest.raises(httpx.ReadTimeout):
            connection.client.post("order", json={})
        assert connection.written


def test_nothing_is_written_where_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connection = OneConnection(
        f"https://127.0.0.1:{port}/v1/api", tls=Tls(verify=False), timeout_seconds=2
    )
    connection.arm(lambda: None)
    with pytest.raises(httpx.ConnectError):
        connection.client.post("order", json={})
    assert not connection.written
    connection.close()


def test_nothing_is_written_to_a_certificate_that_is_not_pinned(tmp_path: Path) -> None:
    other, _ = make_certificate(tmp_path, ("127.0.0.1",), (-DAY, DAY))
    with TlsServer(tmp_path / "server", answering(OK)) as server:
        connection = OneConnection(
            server.base_url, tls=Tls(pinned_certificate=other), timeout_seconds=2
        )
        connection.arm(lambda: None)
        with pytest.raises(httpx.ConnectError, match="not the pinned one"):
            connection.client.post("order", json={})
        assert not connection.written
        connection.close()
        assert server.received == [b""]
