"""Workers that are killed, and steps that run into their limits."""

import signal
from collections.abc import Callable
from typing import Any

from tests.support.stack import BUY, STRATEGY, Stack

WISHES: dict[str, Any] = {
    "strategies": [STRATEGY | {"symbols": ["MSFT"]}],
    "queues": {
        "io,wait": ("threads", 8), "orders": ("prefork", 1), "upkeep,session": ("prefork", 1),
    },
}  # fmt: skip
IMPATIENT = WISHES | {
    "environment": {
        "OPENBELL_QUEUES__STEP_DEADLINE": "6s",
        "OPENBELL_QUEUES__HARD_LIMIT_AFTER": "1s",
    }
}


def test_a_killed_child_loses_nothing_and_sends_nothing_twice(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(**WISHES)
    stack.sandbox.analyst({"MSFT": BUY})
    stack.sandbox.faults(
        {"action": "delay", "seconds": 4, "path": "/portfolio/*/positions/*", "times": 20}
    )
    run_id = stack.trigger(dry_run=False)
    stack.wait_step(run_id, 7, "running")
    stack.pool_child("orders").send_signal(signal.SIGKILL)
    stack.sandbox.faults()
    row = stack.wait_closed(run_id)
    assert row.outcome == "done"
    (order,) = stack.orders(run_id)
    assert order.state == "FILLED"
    assert [o["cOID"] for o in stack.sandbox.orders()] == [order.intent.coid]


def test_a_step_past_its_soft_limit_fails_the_run(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(**IMPATIENT)
    stack.sandbox.analyst({"MSFT": BUY})
    stack.sandbox.faults({"action": "delay", "seconds": 9, "path": "/iserver/account/orders"})
    outcome, step, reason = stack.failed(stack.trigger())
    assert (outcome, step) == ("failed", "place_orders")
    assert "SoftTimeLimitExceeded" in (reason or "")


def test_a_step_killed_at_its_hard_limit_fails_the_run_and_cleanup_happens(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(**IMPATIENT)
    stack.sandbox.analyst({"MSFT": BUY})
    stack.sandbox.faults({"action": "delay", "seconds": 5, "path": "/iserver/account/orders"})
    run_id = stack.trigger()
    stack.wait_step(run_id, 7, "running")
    stack.pool_child("orders").send_signal(signal.SIGSTOP)
    assert stack.failed(run_id) == (
        "failed", "place_orders",
        "place_orders: its worker was lost or it ran into its time limit",
    )  # fmt: skip
    assert stack.sandbox.orders() == []
