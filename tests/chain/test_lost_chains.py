"""A run whose workers and whose messages are all lost is resumed in its window, or expires."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.stack import BUY, STRATEGY, Stack
from worker.journal.runs import RunRow

ONE: dict[str, Any] = STRATEGY | {"symbols": ["MSFT"]}
# A kill that falls between two looks at an order is found a minute after the next was due.
pytestmark = pytest.mark.timeout(240)
WISHES: dict[str, Any] = {
    "strategies": [ONE],
    "queues": {"io,wait": ("threads", 4), "orders,upkeep,session": ("prefork", 2)},
}
BARS, TRADES = "/iserver/marketdata/history", "/iserver/account/trades"


def hold_up(stack: Stack, path: str) -> None:
    """Nobody gets an answer there in time."""
    fault = {"action": "delay", "seconds": 60, "path": path, "times": 1000}
    stack.sandbox.faults(fault, quiet=True)


def lose_everything(stack: Stack, run_id: str, number: int) -> None:
    """While step `number` is at work: kill -9 of every worker, and Redis forgets all."""
    stack.wait_step(run_id, number, "running")
    stack.kill_workers()
    stack.redis.flushdb()
    stack.published_long_ago(run_id)
    stack.sandbox.faults(quiet=False)


def come_back(stack: Stack, run_id: str) -> RunRow:
    """Workers start again, and upkeep comes by until it has found the run."""
    from tasks.recover_runs import recover_runs

    stack.start_workers()
    stack.wait_for(lambda: recover_runs() == [run_id], "upkeep finds it", 120)
    row = stack.wait_closed(run_id)
    stack.wait_step(run_id, 9, "done")
    return row


def tokens(stack: Stack, run_id: str) -> dict[int, int]:
    """How often each step was begun."""
    return {step.number: step.token for step in stack.services.steps.of(run_id)}


def test_in_its_window_it_goes_on_from_its_last_finished_step(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(**WISHES)
    stack.sandbox.analyst({"MSFT": BUY})
    hold_up(stack, BARS)
    run_id = stack.trigger(dry_run=False)
    lose_everything(stack, run_id, 5)
    assert come_back(stack, run_id).outcome == "done"
    begun = tokens(stack, run_id)
    assert begun.pop(7) >= 1  # it comes back to look after its order
    assert begun == {1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 6: 1, 8: 1, 9: 1}
    [order] = stack.orders(run_id)
    assert [o["cOID"] for o in stack.sandbox.orders()] == [order.intent.coid]


def test_after_its_window_it_expires_and_only_its_last_steps_happen(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(**WISHES | {"strategies": [ONE | {"market": {
        "not_before_open": "0s", "lasts": "20s",
    }}]})  # fmt: skip
    hold_up(stack, BARS)
    run_id = stack.trigger(dry_run=False)
    lose_everything(stack, run_id, 5)
    not_after = stack.services.runs.get(run_id).not_after
    assert not_after is not None
    stack.wait_for(lambda: stack.market_now() > not_after, "its window is over")
    row = come_back(stack, run_id)
    words = f"nobody worked on it until its window ended at {stack.services.local(not_after)}"
    assert (row.outcome, row.reason, row.failed_step) == ("expired", words, None)
    assert tokens(stack, run_id) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 8: 1, 9: 1}
    assert stack.sandbox.orders() == []


def test_after_its_window_it_still_looks_after_the_order_that_it_sent(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(**WISHES | {"strategies": [ONE | {"order": {"good_for": "5s"}}]})
    stack.sandbox.analyst({"MSFT": BUY})
    stack.sandbox.faults(quiet=True)
    run_id = stack.trigger(dry_run=False)
    stack.wait_for(lambda: [o.state for o in stack.orders(run_id)] == ["WORKING"], "it is sent")
    stack.wait_step(run_id, 7, "waiting")
    hold_up(stack, TRADES)
    lose_everything(stack, run_id, 7)
    stack.sandbox.faults(quiet=True)
    stack.services.runs.set_not_after(run_id, stack.market_now())
    row = come_back(stack, run_id)
    [order] = stack.orders(run_id)
    assert (row.outcome, order.state, order.reasons) == (
        "done", "CANCELLED", ("not filled within 5 s",),
    )  # fmt: skip
    assert [o["cOID"] for o in stack.sandbox.orders()] == [order.intent.coid]
