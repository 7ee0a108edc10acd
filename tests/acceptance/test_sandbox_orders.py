"""The order conversation with the sandbox, through its HTTP door."""

from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any

import httpx
import pytest

from tests.support.sandbox import ACCOUNT, CONIDS, RunningSandbox

SANDBOX = {"rate": 20}
PATH = f"/iserver/account/{ACCOUNT}/orders"
RESTS = {"price": 438.0}  # below the day's low, and within 3 % of the price
NUMBERS = count(1)


def accepted(answer: httpx.Response) -> int:
    """The order id of an accepted order."""
    (row,) = answer.json()
    assert answer.status_code == 200
    assert isinstance(row["order_id"], str)
    assert row["encrypt_message"] == "1"
    return int(row["order_id"])


def question(answer: httpx.Response) -> tuple[str, str]:
    (row,) = answer.json()
    assert set(row) == {"id", "message", "isSuppressed", "messageIds"}
    (message_id,) = row["messageIds"]
    return row["id"], message_id


def reply(sandbox: RunningSandbox, reply_id: str, confirmed: Any = True) -> httpx.Response:
    return sandbox.post(f"/iserver/reply/{reply_id}", {"confirmed": confirmed})


def error(answer: httpx.Response) -> str:
    assert answer.status_code == 200
    (only,) = answer.json().items()
    assert only[0] == "error"
    return str(only[1])


def new_id() -> str:
    return f"test-{next(NUMBERS)}"


def test_an_order_is_accepted_fills_and_shows_everywhere(sandbox: RunningSandbox) -> None:
    coid = new_id()
    cash, held = Decimal(sandbox.book()["cash"]), Decimal(sandbox.position("GOOGL"))
    answer = sandbox.order("GOOGL", "BUY", 6, price=805.0, cOID=coid)
    order_id = accepted(answer)
    assert answer.json()[0]["local_order_id"] == coid
    order = sandbox.wait_for_status(order_id, "Filled")
    (fill,) = [f for f in sandbox.book()["fills"] if f["order_id"] == order_id]
    price = Decimal(fill["price"])
    assert 791 < price <= 805
    assert (order["filled"], order["avg_price"], order["cOID"]) == ("6", fill["price"], coid)
    assert Decimal(sandbox.book()["cash"]) == cash - 6 * price - 1
    assert Decimal(sandbox.position("GOOGL")) == held + 6

    (trade,) = [t for t in sandbox.get("/iserver/account/trades").json() if t["order_ref"] == coid]
    assert (trade["side"], trade["size"], trade["price"]) == ("B", 6.0, fill["price"])
    assert (trade["commission"], trade["order_id"]) == ("1.00", order_id)
    sandbox.get("/iserver/account/orders", accountId=ACCOUNT)
    live = sandbox.get("/iserver/account/orders", accountId=ACCOUNT).json()
    (row,) = [row for row in live["orders"] if row.get("order_ref") == coid]
    assert live["snapshot"] is True
    expected = {
        "orderId": order_id, "conid": CONIDS["GOOGL"], "ticker": "GOOGL", "side": "BUY",
        "status": "Filled", "sizeAndFills": "6", "filledQuantity": 6.0, "remainingQuantity": 0.0,
        "totalSize": 6.0, "avgPrice": fill["price"], "price": "805.00", "timeInForce": "CLOSE",
        "origOrderType": "LIMIT", "orderType": "Limit", "account": ACCOUNT,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    status = sandbox.get(f"/iserver/account/order/status/{order_id}").json()
    expected = {
        "order_id": order_id, "order_status": "Filled", "side": "B", "size": "0",
        "total_size": "6", "cum_fill": "6", "average_price": fill["price"],
        "limit_price": "805.00", "order_ccp_status": "2", "tif": "DAY",
    }  # fmt: skip
    assert {name: status[name] for name in expected} == expected
    assert "order_ref" not in status


def test_a_large_order_fills_in_parts(sandbox: RunningSandbox) -> None:
    order_id = accepted(sandbox.order("MSFT", "BUY", 490, price=28.1))
    partly = sandbox.wait_until(
        lambda book: any(f["order_id"] == order_id for f in book["fills"]), "a first part"
    )
    (order,) = [o for o in partly["orders"] if o["order_id"] == order_id]
    assert order["status"] in ("Submitted", "Filled")
    sandbox.wait_for_status(order_id, "Filled")
    parts = [f["quantity"] for f in sandbox.book()["fills"] if f["order_id"] == order_id]
    assert parts == ["200", "200", "90"]


def test_a_resting_order_is_cancelled_on_request(sandbox: RunningSandbox) -> None:
    order_id = accepted(sandbox.order("AAPL", "BUY", 10, **RESTS))
    sandbox.wait_for_status(order_id, "Submitted")
    answer = sandbox.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}").json()
    assert answer == {
        "msg": "Request was submitted",
        "order_id": order_id,
        "conid": CONIDS["AAPL"],
        "account": None,
    }
    order = sandbox.wait_for_status(order_id, "Cancelled")
    assert (order["filled"], order["avg_price"], order["reason"]) == ("0", None, None)
    again = sandbox.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}")
    assert again.status_code == 400


def test_minus_one_cancels_every_working_order(sandbox: RunningSandbox) -> None:
    ids = [accepted(sandbox.order("AAPL", "BUY", 1, **RESTS)) for _ in range(2)]
    answer = sandbox.delete(f"/iserver/account/{ACCOUNT}/order/-1").json()
    assert (answer["order_id"], answer["conid"]) == (-1, -1)
    assert [sandbox.wait_for_status(i, "Cancelled")["order_id"] for i in ids] == ids


@pytest.mark.parametrize("order_id", ["0", "1", "abc", "²", "-7", "9" * 40, "1.5", "%00"])
def test_unknown_orders_are_400_or_503(sandbox: RunningSandbox, order_id: str) -> None:
    cancelled = sandbox.delete(f"/iserver/account/{ACCOUNT}/order/{order_id}")
    status = sandbox.get(f"/iserver/account/order/status/{order_id}")
    assert cancelled.status_code == 400
    assert status.status_code == (503 if order_id == "1" else 400)


def test_the_same_client_id_is_refused_even_after_a_lost_answer(sandbox: RunningSandbox) -> None:
    coid = new_id()
    sandbox.faults({"action": "cut", "when": "after", "method": "POST", "path": "*/orders"})
    with pytest.raises(httpx.TransportError):
        sandbox.order("AAPL", "BUY", 1, **RESTS, cOID=coid)
    again = sandbox.order("AAPL", "BUY", 1, **RESTS, cOID=coid)
    assert error(again) == (
        f"Order couldn't be submitted: Local order ID={coid} is already registered."
    )
    assert [o["cOID"] for o in sandbox.orders()].count(coid) == 1
    sandbox.faults(duplicate_status=400)
    assert sandbox.order("AAPL", "BUY", 1, **RESTS, cOID=coid).status_code == 400
    sandbox.faults(duplicate_status=200)


def test_a_connection_cut_before_the_work_leaves_nothing(sandbox: RunningSandbox) -> None:
    coid = new_id()
    sandbox.faults({"action": "cut", "method": "POST", "path": "*/orders"})
    with pytest.raises(httpx.TransportError):
        sandbox.order("AAPL", "BUY", 1, **RESTS, cOID=coid)
    assert coid not in [o["cOID"] for o in sandbox.orders()]
    accepted(sandbox.order("AAPL", "BUY", 1, **RESTS, cOID=coid))


def test_questions_come_one_after_the_other(sandbox: RunningSandbox) -> None:
    coid = new_id()
    asked = sandbox.order("AAPL", "BUY", 600, price=430.0, cOID=coid)
    ids = []
    for _ in range(3):
        reply_id, message_id = question(asked)
        ids.append(message_id)
        asked = reply(sandbox, reply_id)
    assert ids == ["o163", "o383", "o451"]
    accepted(asked)
    gone = reply(sandbox, reply_id)
    assert (gone.status_code, gone.json()) == (400, {"error": f"reply id not found: '{reply_id}'"})


def test_a_no_drops_the_order(sandbox: RunningSandbox) -> None:
    coid = new_id()
    reply_id, _ = question(sandbox.order("AAPL", "BUY", 10, price=430.0, cOID=coid))
    assert error(reply(sandbox, reply_id, confirmed=False)) == "Order not confirmed "
    assert coid not in [o["cOID"] for o in sandbox.orders()]


@pytest.mark.parametrize("confirmed", ["true", 1, None, []])
def test_an_answer_that_is_no_truth_value_is_500(sandbox: RunningSandbox, confirmed: Any) -> None:
    reply_id, _ = question(sandbox.order("AAPL", "BUY", 10, price=430.0))
    assert reply(sandbox, reply_id, confirmed).status_code == 500
    assert error(reply(sandbox, reply_id, confirmed=False)) == "Order not confirmed "


def test_an_order_in_between_makes_the_reply_503_and_both_go_live(sandbox: RunningSandbox) -> None:
    first, second = new_id(), new_id()
    first_reply, _ = question(sandbox.order("AAPL", "BUY", 10, price=430.0, cOID=first))
    second_reply, _ = question(sandbox.order("AAPL", "BUY", 10, price=430.0, cOID=second))
    late = reply(sandbox, first_reply)
    assert (late.status_code, late.json()["error"]) == (503, "Service Unavailable")
    assert first not in [o["cOID"] for o in sandbox.orders()]
    accepted(reply(sandbox, second_reply))
    assert {first, second} <= {o["cOID"] for o in sandbox.orders()}


def test_suppressed_questions_are_not_asked_until_they_are_reset(sandbox: RunningSandbox) -> None:
    path = "/iserver/questions/suppress"
    assert sandbox.post(path, {"messageIds": ["o163", "o9"]}).json() == {"status": "submitted"}
    accepted(sandbox.order("AAPL", "BUY", 10, price=430.0))
    assert sandbox.post(f"{path}/reset").json() == {"status": "submitted"}
    question(sandbox.order("AAPL", "BUY", 10, price=430.0))
    for unfit in ([], ["o163"] * 52, "o163", None):
        assert sandbox.post(path, {"messageIds": unfit}).status_code == 500


def test_questions_can_be_switched_on(sandbox: RunningSandbox) -> None:
    sandbox.faults(questions=["o354", "o10151"])
    reply_id, first = question(sandbox.order("IBM", "BUY", 1))
    reply_id, second = question(reply(sandbox, reply_id))
    sandbox.faults(questions=["o163", "o383", "o451"])
    assert (first, second) == ("o354", "o10151")
    accepted(reply(sandbox, reply_id))


@pytest.mark.parametrize(
    ("ticket", "says"),
    [
        ({"price": 900.0}, "closer to the current market price"),
        ({"price": 438.001}, "invalid order price fields"),
        ({"price": 438.0, "quantity": 1.5}, "fractional"),
        ({"price": 438.0, "quantity": 100_000}, "AVAILABLE FUNDS"),
        ({"price": 438.0, "side": "SELL", "quantity": 101}, "closer|no short selling"),
        ({"price": 438.0, "outsideRTH": True}, "Outside Regular Trading Hours"),
        ({"orderType": "STP", "price": 438.0}, "not in the sandbox"),
        ({"price": 438.0, "tif": "GTD"}, "not in the sandbox"),
        ({"price": 438.0, "parentId": "x"}, "parentId"),
    ],
)
def test_what_the_broker_refuses_is_an_error_with_status_200(
    sandbox: RunningSandbox, ticket: dict[str, Any], says: str
) -> None:
    before = len(sandbox.orders())
    whole: dict[str, Any] = {"side": "BUY", "quantity": 10} | ticket
    answer = sandbox.order("AAPL", **whole)
    assert any(part in error(answer) for part in says.split("|"))
    assert len(sandbox.orders()) == before


GOOD = {
    "conid": CONIDS["AAPL"], "side": "BUY", "quantity": 1, "orderType": "LMT", "price": 438.0,
    "tif": "DAY",
}  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        [GOOD],
        {"orders": []},
        {"orders": GOOD},
        {"orders": [None]},
        {"orders": [{}]},
        {"orders": [GOOD | {"conid": 1}]},
        {"orders": [GOOD | {"conid": "AAPL"}]},
        {"orders": [GOOD | {"conid": [265598]}]},
        {"orders": [GOOD | {"side": "buy"}]},
        {"orders": [GOOD | {"side": None}]},
        {"orders": [GOOD | {"quantity": 0}]},
        {"orders": [GOOD | {"quantity": -1}]},
        {"orders": [GOOD | {"quantity": "many"}]},
        {"orders": [GOOD | {"quantity": True}]},
        {"orders": [GOOD | {"quantity": "NaN"}]},
        {"orders": [GOOD | {"quantity": "sNaN"}]},
        {"orders": [GOOD | {"quantity": 1e300}]},
        {"orders": [GOOD | {"price": None}]},
        {"orders": [GOOD | {"price": "Infinity"}]},
        {"orders": [GOOD | {"acctId": "U1"}]},
        {"orders": [GOOD | {"cOID": 7}]},
        {"orders": [GOOD | {"cOID": "\ud800"}]},
        {"orders": [GOOD | {"cOID": "a\x00b"}]},
    ],
)
def test_a_malformed_ticket_is_400_and_leaves_nothing(sandbox: RunningSandbox, body: Any) -> None:
    before = len(sandbox.orders())
    answers = [sandbox.post(PATH, body), sandbox.post(f"{PATH}/whatif", body)]
    assert [a.status_code for a in answers] == [400, 400]
    assert all(a.json()["statusCode"] == 400 for a in answers)
    assert len(sandbox.orders()) == before


def test_two_orders_in_one_request_are_refused(sandbox: RunningSandbox) -> None:
    assert "must not share a request" in error(sandbox.post(PATH, {"orders": [GOOD, GOOD]}))


def test_an_account_that_is_not_ours_is_400(sandbox: RunningSandbox) -> None:
    answer = sandbox.post("/iserver/account/U1/orders", {"orders": [GOOD]})
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "Bad Request: accountId is not valid: U1",
    )


def test_a_preview_shows_formatted_figures_and_keeps_nothing(sandbox: RunningSandbox) -> None:
    before = sandbox.orders()
    body = {"orders": [GOOD | {"quantity": 10, "cOID": new_id()}]}
    shown = sandbox.post(f"{PATH}/whatif", body).json()
    assert shown["amount"] == {
        "amount": "4,380.00 USD (10 Shares)",
        "commission": "1.00 USD",
        "total": "4,381.00 USD",
    }
    assert set(shown) == {
        "amount", "equity", "initial", "maintenance", "position", "warn", "error",
    }  # fmt: skip
    assert (shown["warn"], shown["error"]) == (None, None)
    assert shown["position"] == {"current": "100", "change": "10", "after": "110"}
    refused = sandbox.post(f"{PATH}/whatif", {"orders": [GOOD | {"quantity": 100_000}]}).json()
    assert "AVAILABLE FUNDS" in refused["error"]
    assert sandbox.orders() == before


def test_an_empty_list_of_orders_proves_nothing(sandbox: RunningSandbox) -> None:
    accepted(sandbox.order("AAPL", "BUY", 1, **RESTS))
    sandbox.session(brokerage=False)
    sandbox.session(brokerage=True)
    sandbox.prime()
    path, empty = "/iserver/account/orders", {"orders": [], "snapshot": False}
    assert sandbox.get(path, accountId=ACCOUNT).json() == empty  # the first call of a session
    assert sandbox.get(path, accountId=ACCOUNT).json()["snapshot"] is True
    assert sandbox.get(path, accountId=ACCOUNT, force="true").json() == empty
    assert sandbox.get(path).json() == empty
    filled = sandbox.get(path, accountId=ACCOUNT, filters="filled").json()["orders"]
    assert {row["status"] for row in filled} == {"Filled"}
    sandbox.faults(trades_empty_first=True)
    assert sandbox.get("/iserver/account/trades").json() == []
    assert sandbox.get("/iserver/account/trades").json() != []
    sandbox.faults(trades_empty_first=False)


def test_in_a_quiet_market_nothing_fills(sandbox: RunningSandbox) -> None:
    sandbox.faults(quiet=True)
    order_id = accepted(sandbox.order("IBM", "BUY", 1))
    assert sandbox.wait_for_status(order_id, "Submitted")["filled"] == "0"
    sandbox.faults(quiet=False)
    sandbox.wait_for_status(order_id, "Filled")


def test_the_brokers_own_systems_can_end_an_order(sandbox: RunningSandbox) -> None:
    ids = [accepted(sandbox.order("AAPL", "BUY", 1, **RESTS)) for _ in range(2)]
    sandbox.control("orders", {"order_id": ids[0], "status": "Inactive"})
    sandbox.control(
        "orders", {"order_id": ids[1], "status": "Cancelled", "reason": "Margin violation"}
    )
    sandbox.get("/iserver/account/orders", accountId=ACCOUNT)
    rows = {
        row["orderId"]: row
        for row in sandbox.get("/iserver/account/orders", accountId=ACCOUNT).json()["orders"]
    }
    assert rows[ids[0]]["status"] == "Inactive"
    assert rows[ids[1]]["status"] == "Cancelled"
    assert rows[ids[1]]["order_cancellation_by_system_reason"] == "Margin violation"


def test_an_order_before_the_open_waits_and_one_of_the_day_expires_at_its_close(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox(at="2013-02-27T15:59:40", rate=10)
    sandbox.prime()
    order_id = accepted(sandbox.order("AAPL", "BUY", 1, **RESTS))
    order = sandbox.wait_for_status(order_id, "Cancelled")
    assert (order["filled"], order["changed_at"]) == ("0", "2013-02-27T21:00:00+00:00")
    assert "expired" in order["reason"]
    late = accepted(sandbox.order("AAPL", "BUY", 1, **RESTS))
    order = sandbox.wait_for_status(late, "PreSubmitted")
    assert order["expires_at"] == "2013-02-28T21:00:00+00:00"


def test_after_midnight_done_orders_are_gone_and_trades_stay(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox(rate=20)
    sandbox.prime()
    coid = new_id()
    order_id = accepted(sandbox.order("MSFT", "BUY", 1, cOID=coid))
    sandbox.wait_for_status(order_id, "Filled")
    sandbox.go_to("2013-02-28T00:01:00")
    sandbox.prime()
    sandbox.get("/iserver/account/orders", accountId=ACCOUNT)
    live = sandbox.get("/iserver/account/orders", accountId=ACCOUNT).json()
    assert live == {"orders": [], "snapshot": True}
    assert sandbox.get(f"/iserver/account/order/status/{order_id}").status_code == 503
    trades = {
        days: [t["order_ref"] for t in sandbox.get("/iserver/account/trades", days=days).json()]
        for days in (1, 2, 7)
    }
    assert trades == {1: [], 2: [coid], 7: [coid]}
