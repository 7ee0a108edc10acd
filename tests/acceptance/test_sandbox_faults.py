"""Arming, listing and disarming faults, and what the book keeps of requests, over HTTP."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from hashlib import sha256
from itertools import count
from typing import Any

import httpx
import pytest

from scripts.sandbox.faults.kinds import KINDS
from tests.support.sandbox import ACCOUNT, CONIDS, RunningSandbox

SANDBOX = {"rate": 20}
PLACED = {"method": "POST", "path": "*/orders"}
RESTS = {"price": 438.0}
NUMBERS = count(1)


@pytest.fixture(autouse=True)
def _undisturbed(sandbox: RunningSandbox) -> Iterator[None]:
    yield
    sandbox.disarm()


def new_id() -> str:
    return f"fault-{next(NUMBERS)}"


# Every kind

TOLD: dict[str, dict[str, Any]] = {
    "refuse": PLACED | {"seconds": 0.1},
    "cut_before": PLACED,
    "cut_after": PLACED,
    "slow": PLACED | {"delay_seconds": 0.1},
    "late": PLACED | {"delay_seconds": 0.1},
    "status": PLACED,
    "status_after": PLACED,
    "empty_body": PLACED,
    "html": PLACED,
    "truncated_body": PLACED,
    "already_registered": {},
    "empty_orders": {},
    "empty_trades": {},
    "ask": {"rounds": [["o354"]]},
    "reply_503_live": {},
    "late_fill": {"delay_seconds": 3600},
    "inactive": {"reason": "on hold"},
    "system_cancel": {"reason": "margin"},
    "partial": {"steps": [{"after_seconds": 0, "shares": 1}]},
    "cancel_races_fill": {},
}


def converse(sandbox: RunningSandbox, coid: str) -> None:
    """An order's whole conversation as far as it goes: asked, confirmed, accepted, cancelled."""
    with suppress(httpx.TransportError, ValueError):
        answer = sandbox.order("GOOGL", "BUY", 2, price=805.0, cOID=coid)
        (row,) = answer.json()
        if "id" in row:
            (row,) = sandbox.confirm(answer).json()
        if "order_id" in row:
            sandbox.delete(f"/iserver/account/{ACCOUNT}/order/{row['order_id']}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_fires_once_when_it_is_armed_once(sandbox: RunningSandbox, kind: str) -> None:
    coid = new_id()
    asking = [{"kind": "ask", "rounds": [["o354"]], "cOID": coid}] if kind != "ask" else []
    (fault_id, *_) = sandbox.arm({"kind": kind} | TOLD[kind], *asking)

    def fired(_: dict[str, Any]) -> bool:
        sandbox.get("/iserver/account/orders", accountId=ACCOUNT)
        sandbox.get("/iserver/account/trades", accountId=ACCOUNT)
        found = {row["id"]: row for row in sandbox.book()["faults_fired"]}
        return found.get(fault_id) == {"id": fault_id, "kind": kind, "count": 1}

    converse(sandbox, coid)
    sandbox.wait_until_it_listens()
    sandbox.wait_until(fired, f"{kind} has fired")
    (armed,) = [f for f in sandbox.control("faults")["faults"] if f["id"] == fault_id]
    assert (armed["kind"], armed["left"], armed["fired"]) == (kind, 0, 1)


# Arming


def test_armed_faults_are_listed_with_what_is_left_and_how_often_they_fired(
    sandbox: RunningSandbox,
) -> None:
    before = sandbox.fired().get("status", 0)
    named, made_up = sandbox.arm(
        {"kind": "status", "path": "/tickle", "count": 3, "id": "mine"},
        {"kind": "late", "path": "/tickle", "delay_seconds": 0.0, "count": None, "nth": 5},
    )
    assert (named, made_up.startswith("late-")) == ("mine", True)
    assert [sandbox.get("/tickle").status_code for _ in range(4)] == [503, 503, 503, 200]
    listed = {f["id"]: (f["left"], f["fired"]) for f in sandbox.control("faults")["faults"]}
    assert listed == {"mine": (0, 3), made_up: (None, 0)}
    sandbox.get("/tickle")
    assert sandbox.fired()["status"] == before + 3
    assert [f["fired"] for f in sandbox.control("faults")["faults"]] == [3, 1]


def test_disarmed_faults_do_nothing(sandbox: RunningSandbox) -> None:
    first, second, third = sandbox.arm(*[{"kind": "cut_before", "path": "/tickle"}] * 3)
    assert sandbox.disarm(first).is_success
    assert [f["id"] for f in sandbox.control("faults")["faults"]] == [second, third]
    gone = sandbox.disarm(first)
    assert (gone.status_code, gone.json()) == (404, {"error": f"no fault named {first} is armed"})
    sandbox.disarm()
    assert sandbox.get("/tickle").status_code == 200


def test_faults_nest_in_their_order(sandbox: RunningSandbox) -> None:
    path = {"path": "/tickle"}
    outer, inner = sandbox.arm(
        {"kind": "html"} | path, {"kind": "status"} | path, {"kind": "cut_before"} | path
    )[:2]
    assert "<html>" in sandbox.get("/tickle").text
    fired = {f["id"]: f["fired"] for f in sandbox.control("faults")["faults"]}
    assert (fired[outer], fired[inner], sum(fired.values())) == (1, 1, 2)


def test_a_fault_counts_every_request_and_acts_on_those_no_other_answers(
    sandbox: RunningSandbox,
) -> None:
    path = {"path": "/tickle"}
    sandbox.arm(
        {"kind": "status", "status": 500} | path,
        {"kind": "status", "status": 501} | path,
        {"kind": "status", "status": 504, "nth": 3} | path,
    )
    assert [sandbox.get("/tickle").status_code for _ in range(4)] == [500, 501, 504, 200]


@pytest.mark.parametrize("wish", [[{"kind": "explode"}], [{}], ["cut_after"], "cut_after"])
def test_a_wrong_fault_is_400_in_a_sentence_and_arms_nothing(
    sandbox: RunningSandbox, wish: Any
) -> None:
    given = [{"kind": "cut_before"}, *wish] if isinstance(wish, list) else wish
    refused = sandbox.client.post(f"{sandbox.address}/sandbox/faults", json=given)
    assert refused.status_code == 400
    assert set(refused.json()) == {"error"}
    assert sandbox.control("faults")["faults"] == []


# What the book keeps


def test_every_request_of_an_order_is_in_the_book_with_what_it_committed(
    sandbox: RunningSandbox,
) -> None:
    coid, account = new_id(), f"/iserver/account/{ACCOUNT}"
    (asking,) = sandbox.arm({"kind": "ask", "rounds": [["o163"]], "cOID": coid})
    ticket = {"conid": CONIDS["AAPL"], "side": "BUY", "quantity": 1, "orderType": "LMT"}
    body = {"orders": [ticket | {"tif": "DAY", "cOID": coid} | RESTS]}
    sandbox.post(f"{account}/orders/whatif", body)
    asked = sandbox.post(f"{account}/orders", body)
    reply_path = f"/iserver/reply/{asked.json()[0]['id']}"
    order_id = int(sandbox.confirm(asked).json()[0]["order_id"])
    sandbox.post(f"{account}/orders", body)
    sandbox.delete(f"{account}/order/{order_id}")
    sandbox.get(f"/iserver/account/order/status/{order_id}")
    noted = sandbox.order_requests(coid)
    rows = [(n["method"], n["path"], n["committed"], n["faults"], n["answer"]) for n in noted]
    assert rows == [
        ("POST", f"{account}/orders/whatif", [], [], 200),
        ("POST", f"{account}/orders", [], [asking], 200),
        ("POST", reply_path, [order_id], [], 200),
        ("POST", f"{account}/orders", [], [], 200),
        ("DELETE", f"{account}/order/{order_id}", [order_id], [], 200),
    ]
    sent = json.dumps(body)
    assert (noted[1]["body"], noted[1]["account"]) == (sent, ACCOUNT)
    assert noted[1]["body_sha256"] == sha256(sent.encode()).hexdigest()
    assert [n["seq"] for n in noted] == sorted(n["seq"] for n in noted)


def test_every_order_in_the_book_is_explained_by_a_request(sandbox: RunningSandbox) -> None:
    released, last = new_id(), new_id()
    first = sandbox.order("AAPL", "BUY", 1, price=430.0, cOID=released)
    second = sandbox.order("AAPL", "BUY", 1, price=430.0, cOID=last)
    assert sandbox.confirm(first).status_code == 503
    assert sandbox.confirm(second).status_code == 200
    explained = [n for request in sandbox.order_requests() for n in made_by(request)]
    assert sorted(explained) == [order["order_id"] for order in sandbox.orders()]
    ids = {o["cOID"]: o["order_id"] for o in sandbox.orders()}
    assert sandbox.order_requests(last)[-1]["committed"] == [ids[last], ids[released]]


def made_by(request: dict[str, Any]) -> list[int]:
    return list(request["committed"]) if request["method"] == "POST" else []


def test_requests_that_are_refused_at_the_door_are_noted_too(sandbox: RunningSandbox) -> None:
    coids = [new_id() for _ in range(2)]
    sandbox.faults(refuse_address=True)
    sandbox.order("AAPL", "BUY", 1, **RESTS, cOID=coids[0])
    sandbox.faults(refuse_address=False, enforce_pacing=True)
    while sandbox.get("/sso/validate").status_code != 429:
        continue
    sandbox.order("AAPL", "BUY", 1, **RESTS, cOID=coids[1])
    sandbox.faults(enforce_pacing=False)
    noted = [sandbox.order_requests(coid) for coid in coids]
    assert [(n["answer"], n["committed"]) for (n,) in noted] == [(404, []), (429, [])]


def test_the_requests_are_read_a_page_at_a_time(sandbox: RunningSandbox) -> None:
    coids = [new_id() for _ in range(3)]
    before = [request["seq"] for request in sandbox.order_requests()]
    for coid in coids:
        sandbox.order("AAPL", "BUY", 1, **RESTS, cOID=coid)
    after = before[-1] if before else 0
    page = sandbox.control(f"book?after={after}&limit=2")
    assert ([n["cOIDs"] for n in page["order_requests"]], page["more"]) == (
        [[coids[0]], [coids[1]]],
        True,
    )
    rest = sandbox.control(f"book?after={page['order_requests'][-1]['seq']}&limit=1")
    assert ([n["cOIDs"] for n in rest["order_requests"]], rest["more"]) == ([[coids[2]]], False)
    assert "order_requests" not in sandbox.book()


@pytest.mark.parametrize("query", ["after=x", "after=-1", "limit=5", "after=0&limit=0", "colour=1"])
def test_a_page_that_cannot_be_is_400(sandbox: RunningSandbox, query: str) -> None:
    refused = sandbox.client.get(f"{sandbox.address}/sandbox/book?{query}")
    assert refused.status_code == 400
    assert refused.json()["error"].startswith(("after: ", "limit: ", "colour: "))


def test_no_order_is_taken_whose_request_cannot_own_up_to_it(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox()
    sandbox.prime()
    with closing(sqlite3.connect(sandbox.home / "state" / "sandbox" / "book.db")) as book:
        book.execute(
            "CREATE TRIGGER full BEFORE UPDATE OF committed ON order_requests"
            " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    assert sandbox.order("AAPL", "BUY", 1, **RESTS, cOID="lost").status_code == 500
    sandbox.restart()
    assert sandbox.orders() == []
    (noted,) = sandbox.order_requests("lost")
    assert (noted["answer"], noted["committed"]) == (None, [])


def test_a_restart_forgets_what_is_armed_and_keeps_what_fired_and_was_asked(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox()
    sandbox.prime()
    (fault_id,) = sandbox.arm({"kind": "cut_after", **PLACED, "count": None})
    with pytest.raises(httpx.TransportError):
        sandbox.order("AAPL", "BUY", 1, **RESTS, cOID="kept")
    sandbox.kill()
    sandbox.restart()
    assert sandbox.control("faults")["faults"] == []
    assert sandbox.fired() == {"cut_after": 1}
    (noted,) = sandbox.order_requests("kept")
    assert (noted["answer"], noted["faults"]) == ("cut", [fault_id])
    assert noted["committed"] == [order["order_id"] for order in sandbox.orders()]
