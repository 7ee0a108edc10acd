"""What goes wrong ends in words: the record says which step and why, and cleanup ran."""

from typing import Any

import pytest

from tests.support.stack import BUY, STRATEGY, Stack

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


@pytest.fixture(autouse=True)
def _no_faults(stack: Stack) -> None:
    stack.sandbox.faults()
    stack.sandbox.session(sso=True, brokerage=True, competing=False)
    stack.sandbox.analyst({"MSFT": BUY})


def answer(path: str, status: int, body: str, **more: Any) -> dict[str, Any]:
    return {"action": "answer", "path": path, "status": status, "body": body, "times": 1000, **more}


def test_a_step_that_the_broker_refuses_fails_the_run_with_its_words(stack: Stack) -> None:
    stack.sandbox.faults(answer("/iserver/marketdata/history", 400, '{"error": "bad period"}'))
    assert stack.failed(stack.trigger()) == (
        "failed", "fetch_market_data",
        "fetch_market_data: the gateway refused /iserver/marketdata/history with 400 bad period",
    )  # fmt: skip


def test_a_step_that_stays_unanswered_is_given_up_after_its_attempts(stack: Stack) -> None:
    stack.sandbox.faults(answer("/iserver/marketdata/history", 503, '{"error": "busy"}'))
    outcome, step, reason = stack.failed(stack.trigger())
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
    outcome, step, reason = stack.failed(stack.trigger())
    assert (outcome, step) == ("failed", "check_ibkr_auth")
    assert words in (reason or "")


def test_a_competing_session_fails_the_run_and_is_not_fought(stack: Stack) -> None:
    stack.sandbox.session(competing=True)
    outcome, step, reason = stack.failed(stack.trigger())
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
