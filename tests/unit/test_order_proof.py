"""No order goes to a server that does not prove to be the sandbox."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.conversing import Conversation, always, new_intent
from tests.support.gateway import NoPace
from tests.support.sandbox import RunningSandbox
from tests.support.tls_server import TlsServer, answering
from worker.errors import NotProved, OpenbellError, PacingError
from worker.http import OneConnection, Tls, make_client
from worker.ibkr.proof import prove_sandbox

SANDBOX = {"rate": 20}


def refuse_to_prove(conversation: Conversation) -> OpenbellError:
    intent, before = new_intent(), conversation.submissions()
    with pytest.raises(OpenbellError) as raised:
        conversation.send(intent)
    assert (conversation.booked(intent), conversation.submissions()) == ([], before)
    return raised.value


@pytest.mark.parametrize("secret", [None, "", "another secret"])
def test_without_the_right_secret_there_is_no_proof_and_no_order(
    conversation: Conversation, secret: str | None
) -> None:
    right = conversation.secret
    conversation.secret = secret  # type: ignore[assignment]
    error = refuse_to_prove(conversation)
    assert type(error) is NotProved
    assert right not in str(error)


def reply(body: bytes, status: bytes = b"200 OK") -> bytes:
    length = str(len(body)).encode()
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: " + length + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "said",
    [
        reply(b""), reply(b"{}"), reply(b"[]"), reply(b"null"), reply(b"<html>"),
        reply(b'{"proof": null}'), reply(b'{"proof": ""}'), reply(b'{"proof": 5}'),
        reply(b'{"proof": "\xc3\xa4"}'), reply(b"Access Denied", b"404 Not Found"),
        reply(b'{"proof": "' + b"0" * 64 + b'"}'), reply(b"", b"401 Unauthorized"),
    ],
)  # fmt: skip
def test_a_server_that_cannot_prove_it_gets_no_order(
    conversation: Conversation, tmp_path: Path, said: bytes
) -> None:
    with TlsServer(tmp_path, answering(said, said)) as server:
        conversation.base_url = server.base_url
        conversation.tls = Tls(pinned_certificate=server.certificate)
        with pytest.raises(NotProved):
            conversation.send(new_intent())
        assert b"orders" not in b"".join(server.received)


def real_proof(sandbox: RunningSandbox, nonce: str) -> bytes:
    proof = sandbox.client.post(f"{sandbox.address}/sandbox/proof", json={"nonce": nonce})
    return reply(proof.content)


def test_a_proof_passed_on_from_the_sandbox_is_worth_nothing_here(
    conversation: Conversation, tmp_path: Path
) -> None:
    """A server in between asks the sandbox itself, with the very nonce it was given."""

    def pass_on(peer: Any) -> None:
        request = httpx.Response(200, content=peer.request().split(b"\r\n\r\n", 1)[1]).json()
        peer.answer(real_proof(conversation.sandbox, request["nonce"]))
        peer.request()

    with TlsServer(tmp_path, pass_on) as server:
        conversation.base_url, conversation.tls = server.base_url, Tls(verify=False)
        with pytest.raises(NotProved):
            conversation.send(new_intent())
        assert b"orders" not in b"".join(server.received)


def test_a_proof_of_an_earlier_nonce_is_worth_nothing(
    conversation: Conversation, sandbox: RunningSandbox
) -> None:
    old = real_proof(sandbox, "00" * 32).partition(b"\r\n\r\n")[2].decode()
    client = make_client(sandbox.base_url, tls=conversation.tls, timeout_seconds=5)

    class Replaying(httpx.BaseTransport):
        """The sandbox's own connection and certificate; only the words are old."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = client.post(str(request.url), content=request.read())
            return httpx.Response(200, text=old, extensions=response.extensions)

    with (
        httpx.Client(base_url=sandbox.base_url, transport=Replaying()) as replaying,
        pytest.raises(NotProved),
    ):
        prove_sandbox(replaying, sandbox.secret)
    client.close()


def test_each_proof_asks_with_a_nonce_of_its_own(tmp_path: Path) -> None:
    said = reply(b"{}")
    with TlsServer(tmp_path, answering(said, said)) as server:
        tls = Tls(pinned_certificate=server.certificate)
        with make_client(server.base_url, tls=tls, timeout_seconds=5) as client:
            for _ in range(2):
                with pytest.raises(NotProved):
                    prove_sandbox(client, "secret")
        (received,) = server.received
    bodies = [part[:80] for part in received.split(b"\r\n\r\n") if part.startswith(b"{")]
    assert len(set(bodies)) == 2
    assert b"POST /sandbox/proof HTTP/1.1" in received


def test_the_proof_and_the_order_share_one_connection(conversation: Conversation) -> None:
    opened: list[OneConnection] = []
    connect = conversation.trader._connect

    def counting() -> OneConnection:
        opened.append(connect())
        return opened[-1]

    trader = conversation.trader
    trader._connect = counting
    connection = trader.open()
    assert connection.send(new_intent(), always, always).kind == "accepted"
    connection.close()
    assert len(opened) == 1


def test_no_order_is_opened_where_the_pace_has_no_room(conversation: Conversation) -> None:
    class Full(NoPace):
        def wait(self, endpoint: str) -> None:
            raise PacingError("no room")

    conversation.gateway.limiter = Full()
    assert type(refuse_to_prove(conversation)) is PacingError
