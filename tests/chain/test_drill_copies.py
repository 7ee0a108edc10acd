"""A drill's copies of messages are real ones: they are delivered, and change nothing."""

from typing import Any

from scripts.drilling.copies import copy_message, publish_again
from tests.support.stack import BUY, STRATEGY, Stack

STACK: dict[str, Any] = {"strategies": [STRATEGY | {"symbols": ["MSFT"]}]}
# Long enough to be seen at work.
SLOW = {"action": "delay", "seconds": 3, "path": "/portfolio/*/positions/*", "times": 20}


def deciding(stack: Stack) -> str:
    """A run whose order is being decided."""
    stack.sandbox.analyst({"MSFT": BUY})
    stack.sandbox.faults(SLOW)
    run_id = stack.trigger(dry_run=False)
    stack.wait_step(run_id, 7, "running")
    return run_id


def deliveries(stack: Stack, run_id: str) -> int:
    """How many messages of step 7 workers have begun to handle."""
    logs = "".join(log.read_text() for log in stack.home.glob("worker-*.log"))
    task_id = (stack.services.runs.get(run_id).task_ids or {})["tasks.place_orders"]
    return logs.count(f"Task tasks.place_orders[{task_id}] received")


def test_a_message_in_hand_is_delivered_twice_and_one_order_comes_of_it(stack: Stack) -> None:
    run_id = deciding(stack)
    before = deliveries(stack, run_id)
    assert copy_message(stack.services.redis, (run_id,))
    stack.wait_for(lambda: deliveries(stack, run_id) > before, "the copy is delivered")
    stack.sandbox.faults()
    assert stack.wait_closed(run_id).outcome == "done"
    assert len(stack.orders(run_id)) == len(stack.sandbox.orders()) == 1
    assert not copy_message(stack.services.redis, ("a run that nobody has in hand",))


def test_a_chain_that_is_published_again_brings_no_second_order(stack: Stack) -> None:
    before = len(stack.sandbox.orders())
    stack.sandbox.analyst({"MSFT": {**BUY, "signal": "SELL"}})
    stack.sandbox.faults(SLOW)
    run_id = stack.trigger(dry_run=False)
    stack.wait_step(run_id, 7, "running")
    begun = deliveries(stack, run_id)
    assert publish_again(stack.services, run_id)
    stack.wait_for(lambda: deliveries(stack, run_id) > begun, "the copy is delivered")
    stack.sandbox.faults()
    assert stack.wait_closed(run_id).outcome == "done"
    assert len(stack.sandbox.orders()) == before + len(stack.orders(run_id)) == before + 1
    assert not publish_again(stack.services, run_id)
