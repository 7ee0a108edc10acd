"""What goes wrong ends in words: the record says which step and why, and cleanup ran."""

import signal
from typing import Any

import pytest

from tests.support.stack import STRATEGY, Stack

BUY = {"signal": "BUY", "confidence": 0.9, "rationale": "a test says so"}
ONE = STRATEGY | {"symbols": ["MSFT"]}
STACK: dict[str, Any] = {
    "strategies": [ONE],
    "queues": {
        "io,wait": ("threads", 8), "orders": ("prefork", 1), "upkeep,session": ("prefork", 1),
    },
    "environment": {
        "OPENBELL_RETRY__BROKER_READ__ATTEMPTS": "1",
        "OPENBELL_QUEUES__ATTEMPTS": "2",
        "OPENBELL_QUEUES__RETRY_AFTER": "1s",
    },
}  # fmt: skip
LIMITS = {"OPENBELL_QUEUES__STEP_DEADLINE": "6s", "OPENBELL_QUEUES__HARD_LIMIT_AFTER": "1s"}
IMPATIENT = STACK | {"environment": STACK["environment"] | LIMITS}


@pytest.fixture(autouse=True)
def _no_faults(stack: Stack) -> None:
    stack.sandbox.faults()
    stack.sandbox.session(sso=True, brokerage=True, competing=False)
    stack.sandbox.analyst({"MSFT": BUY})


def answer(path: str, status: int, body: str, **more: Any) -> dict[str, Any]:
    return {"action": "answer", "path": path, "status": status, "body": body, "times": 1000, **more}


def failed(stack: Stack, run_id: str) -> tuple[str | None, str | None, str | None]:
    row = stack.wait_closed(run_id)
    last = stack.step(run_id, 9)
    assert last is not None and last.state == "done"
    return row.outcome, row.failed_step, row.reason


def test_a_step_that_the_broker_refuses_fails_the_run_with_its_words(stack: Stack) -> None:
    stack.sandbox.faults(answer("/iserver/marketdata/history", 400, '{"error": "bad period"}'))
    assert failed(stack, stack.trigger()) == (
        "failed", "fetch_market_data",
        "fetch_market_data: the gateway refused /iserver/marketdata/history with 400 bad period",
    )  # fmt: skip


def test_a_step_that_stays_unanswered_is_given_up_after_its_attempts(stack: Stack) -> None:
    stack.sandbox.faults(answer("/iserver/marketdata/history", 503, '{"error": "busy"}'))
    outcome, step, reason = failed(stack, stack.trigger())
    assert (outcome, step) == ("failed", "fetch_market_data")
    assert (reason or "").startswith("fetch_market_data: given up after 2 attempts: the gateway")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (answer("*", 401, ""), "the gateway answers 401: nobody is logged in"),
        (answer("*", 200, "<html>hello</html>", content_type="text/html"), "with a web page"),
        (answer("*", 404, "Access Denied", content_type="text/plain"), "allow it in conf.yaml"),
    ],
    ids=["401", "HTML", "denied"],
)
def test_a_gateway_that_is_none_fails_the_run_at_the_login_step(
    stack: Stack, fault: dict[str, Any], words: str
) -> None:
    stack.sandbox.faults(fault)
    outcome, step, reason = failed(stack, stack.trigger())
    assert (outcome, step) == ("failed", "check_ibkr_auth")
    assert words in (reason or "")


def test_a_competing_session_fails_the_run_and_is_not_fought(stack: Stack) -> None:
    stack.sandbox.session(competing=True)
    outcome, step, reason = failed(stack, stack.trigger())
    assert (outcome, step) == ("failed", "check_ibkr_auth")
    assert "another program holds the brokerage session" in (reason or "")
    assert stack.sandbox.control("session")["competing"] is True


def test_a_lost_answer_to_an_order_leaves_one_order_and_finds_it(stack: Stack) -> None:
    fault = {
        "action": "cut",
        "when": "after",
        "method": "POST",
        "path": "/iserver/account/*/orders",
    }
    stack.sandbox.faults(fault)
    row = stack.run(dry_run=False)
    (order,) = stack.orders(row.run_id)
    (sent,) = [o for o in stack.sandbox.orders() if o["cOID"] == order.intent.coid]
    assert (order.state, str(order.filled_quantity)) == ("FILLED", sent["quantity"])
    states = [event["state"] for event in stack.services.orders.events(order.intent.coid)]
    assert states[:3] == ["INTENDED", "SENDING", "UNKNOWN"]
    assert row.outcome == "done"


def test_a_killed_child_loses_nothing_and_sends_nothing_twice(start_stack: Any) -> None:
    stack = start_stack(**STACK)
    stack.sandbox.analyst({"MSFT": BUY})
    stack.sandbox.faults({"action": "delay", "seconds": 4, "path": "/portfolio/*/positions/*"})
    run_id = stack.trigger(dry_run=False)
    stack.wait_step(run_id, 7, "running")
    stack.pool_child("orders").send_signal(signal.SIGKILL)
    row = stack.wait_closed(run_id)
    assert row.outcome == "done"
    (order,) = stack.orders(run_id)
    assert order.state == "FILLED"
    assert [o["cOID"] for o in stack.sandbox.orders()] == [order.intent.coid]


def test_a_step_past_its_soft_limit_fails_the_run(start_stack: Any) -> None:
    stack = start_stack(**IMPATIENT)
    stack.sandbox.analyst({"MSFT": BUY})
    stack.sandbox.faults({"action": "delay", "seconds": 9, "path": "/iserver/account/orders"})
    outcome, step, reason = failed(stack, stack.trigger())
    assert (outcome, step) == ("failed", "place_orders")
    assert "SoftTimeLimitExceeded" in (reason or "")


def test_a_step_killed_at_its_hard_limit_fails_the_run_and_cleanup_happens(
    start_stack: Any,
) -> None:
    stack = start_stack(**IMPATIENT)
    stack.sandbox.analyst({"MSFT": BUY})
    stack.sandbox.faults({"action": "delay", "seconds": 5, "path": "/iserver/account/orders"})
    run_id = stack.trigger()
    stack.wait_step(run_id, 7, "running")
    stack.pool_child("orders").send_signal(signal.SIGSTOP)
    assert failed(stack, run_id) == (
        "failed", "place_orders",
        "place_orders: its worker was lost or it ran into its time limit",
    )  # fmt: skip
    assert stack.sandbox.orders() == []
