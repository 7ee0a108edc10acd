"""Faults on requests: what the client meets, and what the book says was done."""

import os
import socket
import ssl
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest

from tests.support.sandbox import ACCOUNT, CONIDS, RunningSandbox
from worker.clock import monotonic

ORDERS, TRADES = "/iserver/account/orders", "/iserver/account/trades"
PLACED = {"method": "POST", "path": "*/orders"}
UNAVAILABLE = '{"error": "Service Unavailable", "statusCode": 503}'
TAKEN = '{"error": "Order couldn\'t be submitted: Local order ID=%s is already registered."}'
NUMBERS = count(1)


@pytest.fixture(autouse=True)
def _undisturbed(sandbox: RunningSandbox) -> Iterator[None]:
    yield
    sandbox.disarm()


@pytest.fixture
def coid() -> str:
    return f"request-{next(NUMBERS)}"


def place(sandbox: RunningSandbox, coid: str) -> httpx.Response:
    """An order that rests."""
    return sandbox.order("AAPL", "BUY", 1, price=438.0, cOID=coid)


def booked(sandbox: RunningSandbox, coid: str) -> list[int]:
    return [order["order_id"] for order in sandbox.orders() if order["cOID"] == coid]


def assert_noted(sandbox: RunningSandbox, coid: str, answer: Any, fault_id: str) -> None:
    """One request, one answer, and exactly the orders it made."""
    (noted,) = sandbox.order_requests(coid)
    assert (noted["answer"], noted["faults"]) == (answer, [fault_id])
    assert noted["committed"] == booked(sandbox, coid)


@pytest.mark.parametrize(("kind", "orders"), [("cut_before", 0), ("cut_after", 1)])
def test_a_connection_is_reset_without_a_byte(
    sandbox: RunningSandbox, coid: str, kind: str, orders: int
) -> None:
    (fault_id,) = sandbox.arm({"kind": kind, **PLACED, "cOID": coid})
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        place(sandbox, coid)
    assert len(booked(sandbox, coid)) == orders
    assert_noted(sandbox, coid, "cut", fault_id)


def test_a_cut_connection_ends_with_a_reset(sandbox: RunningSandbox) -> None:
    sandbox.arm({"kind": "cut_before", "path": "/tickle"})
    context = ssl.create_default_context(cafile=sandbox.certificate)
    address = ("127.0.0.1", sandbox.port)
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        socket.socket(fileno=os.dup(connection.fileno())) as wire,
    ):
        wire.settimeout(10)
        connection.sendall(b"GET /v1/api/tickle HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):  # read below TLS, which calls a reset an end
            list(iter(lambda: wire.recv(4096), b""))


@pytest.mark.parametrize(
    ("fault", "status", "text", "orders"),
    [
        ({"kind": "status"}, 503, UNAVAILABLE, 0),
        ({"kind": "status", "status": 500, "body": "oops"}, 500, "oops", 0),
        ({"kind": "status_after"}, 503, UNAVAILABLE, 1),
        ({"kind": "status_after", "status": 401, "body": ""}, 401, "", 1),
        ({"kind": "status_after", "status": 599, "body": [1]}, 599, "[1]", 1),
        ({"kind": "empty_body"}, 200, "", 1),
        ({"kind": "empty_body", "status": 204, "committed": False}, 204, "", 0),
        ({"kind": "html", "body": "<p>hello</p>"}, 200, "<p>hello</p>", 1),
        ({"kind": "html", "body": "<p>no</p>", "status": 502, "committed": False}, 502,
         "<p>no</p>", 0),
        ({"kind": "already_registered"}, 200, TAKEN, 0),
        ({"kind": "already_registered", "committed": True, "status": 400}, 400, TAKEN, 1),
    ],
)  # fmt: skip
def test_an_answer_is_not_what_was_done(
    sandbox: RunningSandbox, coid: str, fault: dict[str, Any], status: int, text: str, orders: int
) -> None:
    where = {} if fault["kind"] == "already_registered" else PLACED
    (fault_id,) = sandbox.arm(fault | where)
    answer = place(sandbox, coid)
    expected = text % coid if text is TAKEN else text
    assert (answer.status_code, answer.text) == (status, expected)
    assert len(booked(sandbox, coid)) == orders
    assert_noted(sandbox, coid, status, fault_id)


def test_a_page_says_that_it_is_one(sandbox: RunningSandbox) -> None:
    sandbox.arm({"kind": "html", "path": "/tickle"})
    answer = sandbox.get("/tickle")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!doctype html>")


def test_half_an_answer_is_no_json_and_the_order_is_there(
    sandbox: RunningSandbox, coid: str
) -> None:
    (fault_id,) = sandbox.arm({"kind": "truncated_body", **PLACED})
    answer = place(sandbox, coid)
    whole = f'[{{"order_id": "{booked(sandbox, coid)[0]}", "order_status": "PendingSubmit"'
    assert whole.startswith(answer.text)
    assert len(answer.text) > 20
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()
    assert_noted(sandbox, coid, 200, fault_id)


def test_a_late_answer_comes_after_the_client_has_left_and_the_order_before(
    sandbox: RunningSandbox, coid: str
) -> None:
    (fault_id,) = sandbox.arm({"kind": "late", "delay_seconds": 3, **PLACED})
    leave_early(sandbox, coid)
    (noted,) = sandbox.order_requests(coid)
    assert (noted["answer"], noted["committed"]) == (None, booked(sandbox, coid))
    assert len(booked(sandbox, coid)) == 1
    sandbox.wait_until(lambda _: sandbox.order_requests(coid)[0]["answer"] == 200, "an answer")
    assert_noted(sandbox, coid, 200, fault_id)


def test_a_slow_request_is_worked_after_the_client_has_left(
    sandbox: RunningSandbox, coid: str
) -> None:
    (fault_id,) = sandbox.arm({"kind": "slow", "delay_seconds": 3, **PLACED})
    leave_early(sandbox, coid)
    assert booked(sandbox, coid) == []
    sandbox.wait_until(lambda _: len(booked(sandbox, coid)) == 1, "an order")
    sandbox.wait_until(lambda _: sandbox.order_requests(coid)[0]["answer"] == 200, "an answer")
    assert_noted(sandbox, coid, 200, fault_id)


def leave_early(sandbox: RunningSandbox, coid: str) -> None:
    ticket = {"conid": CONIDS["AAPL"], "side": "BUY", "quantity": 1, "orderType": "LMT"}
    body = {"orders": [ticket | {"price": 438.0, "tif": "DAY", "cOID": coid}]}
    with sandbox.make_client(timeout=0.2) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.post(f"/iserver/account/{ACCOUNT}/orders", json=body)


def test_after_an_answer_connections_are_refused_for_a_while(
    sandbox: RunningSandbox, coid: str
) -> None:
    (fault_id,) = sandbox.arm({"kind": "refuse", "seconds": 1.0, "path": TRADES})
    began = monotonic()
    assert sandbox.get(TRADES).status_code == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sandbox.port), timeout=5)
    with pytest.raises(httpx.ConnectError):  # its open connection has ended
        place(sandbox, coid)
    sandbox.wait_until_it_listens()
    assert monotonic() - began >= 1.0
    assert sandbox.order_requests(coid) == []
    assert {"id": fault_id, "kind": "refuse", "count": 1} in sandbox.book()["faults_fired"]
    place(sandbox, coid)
    assert len(booked(sandbox, coid)) == 1


def test_connections_can_be_refused_at_once(sandbox: RunningSandbox) -> None:
    (fault_id,) = sandbox.arm({"kind": "refuse", "seconds": 0.5, "at_once": True})
    with pytest.raises(httpx.ConnectError):
        sandbox.get("/tickle")
    sandbox.wait_until_it_listens()
    assert sandbox.control("faults")["faults"] == []
    assert {"id": fault_id, "kind": "refuse", "count": 1} in sandbox.book()["faults_fired"]


def test_whoever_waits_for_an_answer_gets_it_while_others_are_refused(
    sandbox: RunningSandbox,
) -> None:
    sandbox.arm({"kind": "late", "delay_seconds": 0.5, "path": "/tickle"})
    sandbox.arm({"kind": "refuse", "seconds": 0.2, "path": "/tickle"})
    assert sandbox.get("/tickle").status_code == 200
    sandbox.wait_until_it_listens()
    assert sandbox.get("/tickle").status_code == 200


def test_lists_are_falsely_empty(sandbox: RunningSandbox, coid: str) -> None:
    sandbox.wait_for_status(sandbox.order("IBM", "BUY", 1).json()[0]["order_id"], "Filled")
    place(sandbox, coid)
    sandbox.get(ORDERS, accountId=ACCOUNT)  # the first call of a session is empty anyhow
    sandbox.arm({"kind": "empty_orders"}, {"kind": "empty_orders", "snapshot": True})
    sandbox.arm({"kind": "empty_trades", "count": 2})
    found = [sandbox.get(ORDERS, accountId=ACCOUNT).json() for _ in range(3)]
    assert found[:2] == [{"orders": [], "snapshot": s} for s in (False, True)]
    assert coid in [row.get("order_ref") for row in found[2]["orders"]]
    assert [bool(sandbox.get(TRADES).json()) for _ in range(3)] == [False, False, True]


def test_a_fault_finds_the_reply_and_the_cancel_of_its_order(
    sandbox: RunningSandbox, coid: str
) -> None:
    sandbox.arm({"kind": "ask", "rounds": [["o354"]], "count": None})
    other = sandbox.order("AAPL", "BUY", 1, price=438.0, cOID=f"{coid}-other")
    assert sandbox.confirm(other).status_code == 200
    asked = place(sandbox, coid)
    sandbox.arm(
        {"kind": "status_after", "path": "/iserver/reply/*", "cOID": coid},
        {"kind": "cut_after", "method": "DELETE", "symbol": "AAPL", "cOID": coid},
    )
    assert sandbox.confirm(asked).status_code == 503
    (order_id,) = booked(sandbox, coid)
    with pytest.raises(httpx.TransportError):
        sandbox.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}")
    sandbox.wait_for_status(order_id, "Cancelled")
    assert [n["answer"] for n in sandbox.order_requests(coid)] == [200, 503, "cut"]
