"""Faults on orders: questions, lost replies, and what the market makes of an order."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from tests.support.sandbox import ACCOUNT, RunningSandbox

SANDBOX = {"rate": 20}
ORDERS, TRADES = "/iserver/account/orders", "/iserver/account/trades"
NUMBERS = count(1)


@pytest.fixture(autouse=True)
def _undisturbed(sandbox: RunningSandbox) -> Iterator[None]:
    yield
    sandbox.disarm()


@pytest.fixture
def coid() -> str:
    return f"order-{next(NUMBERS)}"


def placed(sandbox: RunningSandbox, coid: str, quantity: int = 1, price: float = 438.0) -> int:
    """The id of an order that is accepted at once; at 438 it rests, at 450 it would fill."""
    (row,) = sandbox.order("AAPL", "BUY", quantity, price=price, cOID=coid).json()
    return int(row["order_id"])


def listed(sandbox: RunningSandbox, order_id: int) -> dict[str, Any]:
    sandbox.get(ORDERS, accountId=ACCOUNT)  # the first call of a session is empty
    rows = sandbox.get(ORDERS, accountId=ACCOUNT).json()["orders"]
    (row,) = [row for row in rows if row["orderId"] == order_id]
    return dict(row)


def traded(sandbox: RunningSandbox, coid: str) -> list[float]:
    trades = sandbox.get(TRADES, accountId=ACCOUNT).json()
    return [trade["size"] for trade in trades if trade.get("order_ref") == coid]


def has_fired(sandbox: RunningSandbox, fault_id: str) -> int:
    return sum(f["count"] for f in sandbox.book()["faults_fired"] if f["id"] == fault_id)


def test_questions_are_asked_round_by_round(sandbox: RunningSandbox, coid: str) -> None:
    rounds = [["o163"], ["o354", "o10331"]]
    (fault_id,) = sandbox.arm({"kind": "ask", "rounds": rounds, "cOID": coid})
    sandbox.post("/iserver/questions/suppress", {"messageIds": ["o163"]})
    answer = sandbox.order("AAPL", "BUY", 1, price=438.0, cOID=coid)
    for message_ids in rounds:
        (question,) = answer.json()
        assert question["messageIds"] == message_ids
        assert len(question["message"]) == len(message_ids)
        assert sandbox.orders() == [o for o in sandbox.orders() if o["cOID"] != coid]
        answer = sandbox.confirm(answer)
    order_id = int(answer.json()[0]["order_id"])
    noted = sandbox.order_requests(coid)
    assert [n["committed"] for n in noted] == [[], [], [order_id]]
    assert [n["faults"] for n in noted] == [[fault_id], [], []]
    sandbox.post("/iserver/questions/suppress/reset")


def test_a_reply_is_503_and_its_order_live_whatever_was_still_to_be_asked(
    sandbox: RunningSandbox, coid: str
) -> None:
    sandbox.arm({"kind": "ask", "rounds": [["o163"], ["o354"]]})
    (fault_id,) = sandbox.arm({"kind": "reply_503_live", "cOID": coid})
    lost = sandbox.confirm(sandbox.order("AAPL", "BUY", 1, price=438.0, cOID=coid))
    assert (lost.status_code, lost.json()["error"]) == (503, "Service Unavailable")
    (order,) = [o for o in sandbox.orders() if o["cOID"] == coid]
    assert has_fired(sandbox, fault_id) == 1
    reply = sandbox.order_requests(coid)[-1]
    assert (reply["committed"], reply["faults"], reply["answer"]) == (
        [order["order_id"]],
        [fault_id],
        503,
    )


def test_a_no_is_not_lost(sandbox: RunningSandbox, coid: str) -> None:
    sandbox.arm({"kind": "ask", "rounds": [["o163"]]})
    (fault_id,) = sandbox.arm({"kind": "reply_503_live"})
    (asked,) = sandbox.order("AAPL", "BUY", 1, price=438.0, cOID=coid).json()
    said = sandbox.post(f"/iserver/reply/{asked['id']}", {"confirmed": False})
    assert said.json() == {"error": "Order not confirmed "}
    assert has_fired(sandbox, fault_id) == 0
    assert coid not in [order["cOID"] for order in sandbox.orders()]


def test_an_accepted_order_becomes_inactive_and_stays_so(
    sandbox: RunningSandbox, coid: str
) -> None:
    (fault_id,) = sandbox.arm({"kind": "inactive", "reason": "no permission", "symbol": "AAPL"})
    order_id = placed(sandbox, coid, price=450.0)
    order = sandbox.wait_for_status(order_id, "Inactive")
    assert (order["filled"], order["reason"]) == ("0", "no permission")
    assert listed(sandbox, order_id)["status"] == "Inactive"
    assert has_fired(sandbox, fault_id) == 1
    sandbox.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}")
    sandbox.wait_for_status(order_id, "Cancelled")


def test_the_brokers_system_cancels_an_accepted_order_with_a_reason(
    sandbox: RunningSandbox, coid: str
) -> None:
    told = {"reason": "Margin violation", "after_seconds": 10.0, "cOID": coid}
    (fault_id,) = sandbox.arm({"kind": "system_cancel"} | told)
    order_id = placed(sandbox, coid, price=450.0)
    order = sandbox.wait_for_status(order_id, "Cancelled")
    row = listed(sandbox, order_id)
    assert (order["filled"], row["filledQuantity"]) == ("0", 0.0)
    assert row["order_cancellation_by_system_reason"] == "Margin violation"
    assert has_fired(sandbox, fault_id) == 1


def test_an_order_fills_in_parts_and_no_more(sandbox: RunningSandbox, coid: str) -> None:
    steps = [{"after_seconds": 0, "shares": 2}, {"after_seconds": 20, "shares": 3}]
    (fault_id,) = sandbox.arm({"kind": "partial", "steps": steps, "cOID": coid})
    order_id = placed(sandbox, coid, quantity=10, price=450.0)
    sandbox.wait_until(lambda _: traded(sandbox, coid) == [2.0, 3.0], "two parts")
    row = listed(sandbox, order_id)
    assert (row["status"], row["sizeAndFills"]) == ("Submitted", "5/10")
    sandbox.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}")
    assert sandbox.wait_for_status(order_id, "Cancelled")["filled"] == "5"
    assert has_fired(sandbox, fault_id) == 1


@pytest.mark.parametrize(("shares", "ends"), [(None, ("Filled", "3")), (1, ("Cancelled", "1"))])
def test_a_cancel_is_accepted_and_the_order_fills(
    sandbox: RunningSandbox, coid: str, shares: int | None, ends: tuple[str, str]
) -> None:
    (fault_id,) = sandbox.arm({"kind": "cancel_races_fill", "shares": shares, "cOID": coid})
    order_id = placed(sandbox, coid, quantity=3)
    sandbox.wait_for_status(order_id, "Submitted")
    assert has_fired(sandbox, fault_id) == 0
    cancelled = sandbox.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}")
    assert cancelled.json()["msg"] == "Request was submitted"
    order = sandbox.wait_for_status(order_id, "Filled", "Cancelled")
    assert (order["status"], order["filled"]) == ends
    assert has_fired(sandbox, fault_id) == 1


def test_fills_are_listed_long_after_they_happened(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox(rate=20)
    sandbox.prime()
    (fault_id,) = sandbox.arm({"kind": "late_fill", "delay_seconds": 3600})
    order_id = placed(sandbox, "late", quantity=220, price=450.0)
    sandbox.wait_for_status(order_id, "Filled")
    row = listed(sandbox, order_id)
    assert (row["status"], row["sizeAndFills"], "avgPrice" in row) == ("Submitted", "0/220", False)
    status = sandbox.get(f"/iserver/account/order/status/{order_id}").json()
    assert (status["order_status"], status["cum_fill"]) == ("Submitted", "0")
    assert traded(sandbox, "late") == []
    assert (sandbox.position("AAPL"), has_fired(sandbox, fault_id)) == ("320", 1)
    sandbox.go_to("2013-02-27T12:00:00")
    sandbox.prime()
    row = listed(sandbox, order_id)
    assert (row["status"], row["sizeAndFills"]) == ("Filled", "220")
    assert traded(sandbox, "late") == [200.0, 20.0]
    assert has_fired(sandbox, fault_id) == 1
