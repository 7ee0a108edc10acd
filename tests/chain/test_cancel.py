"""A person cancels runs and orders: real workers, a real Valkey, a real sandbox."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.cli import openbell, sentence
from tests.support.stack import BUY, STRATEGY, Stack
from worker.journal.runs import CANCELLED
from worker.models.order import OrderRecord

STACK: dict[str, Any] = {"strategies": [STRATEGY | {"symbols": ["MSFT"]}]}
ASLEEP: dict[str, Any] = STACK | {"at": "2013-02-27T04:00:00"}
NO_ANSWER = {"action": "cut", "when": "after", "method": "DELETE", "path": "*"}


@pytest.fixture(autouse=True)
def _in_a_quiet_market(request: pytest.FixtureRequest) -> None:
    if "stack" in request.fixturenames:
        stack = request.getfixturevalue("stack")
        stack.sandbox.faults(quiet=True)
        stack.sandbox.analyst({"MSFT": BUY})


def working(stack: Stack) -> OrderRecord:
    """The order of a run that follows it: it rests at the broker."""
    run_id = stack.trigger(dry_run=False)
    stack.wait_for(
        lambda: [o.state for o in stack.orders(run_id)] == ["WORKING"], "its order rests",
        story=lambda: stack.story(run_id),
    )  # fmt: skip
    return stack.orders(run_id)[0]


def wait_state(stack: Stack, coid: str, state: str) -> None:
    """Upkeep as Beat would send it, until the order is in `state`."""
    from tasks.reconcile_orders import reconcile_orders

    def reached() -> bool:
        reconcile_orders()
        return stack.services.orders.get(coid).state == state

    stack.wait_for(reached, f"order {coid} is {state}")


def deletes(stack: Stack) -> int:
    made: dict[str, int] = stack.sandbox.book()["requests"]
    return sum(count for name, count in made.items() if name.startswith("DELETE"))


def test_a_run_that_sleeps_until_the_open_ends_when_it_is_cancelled(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(**ASLEEP)
    run_id = stack.trigger(dry_run=False)
    assert stack.wait_step(run_id, 3, "waiting").wake_at is not None
    said = openbell("runs", "cancel", run_id)
    assert (said.code, said.err) == (0, "")
    assert said.out == f"run {run_id} is cancelled, and ends now\n"
    row = stack.wait_closed(run_id, 30)
    assert (row.outcome, row.reason) == ("cancelled", CANCELLED)
    stack.wait_step(run_id, 9, "done")
    assert [step.number for step in stack.services.steps.of(run_id)] == [1, 2, 3, 8, 9]
    assert [step.token for step in stack.services.steps.of(run_id)] == [1, 1, 1, 1, 1]
    again = openbell("runs", "cancel", run_id)
    assert (again.code, again.out) == (0, f"run {run_id} was cancelled already\n")


def test_a_sleeping_run_that_was_cancelled_without_redis_is_ended_by_upkeep(
    start_stack: Callable[..., Stack],
) -> None:
    from tasks.recover_runs import recover_runs

    stack = start_stack(**ASLEEP)
    run_id = stack.trigger(dry_run=False)
    stack.wait_step(run_id, 3, "waiting")
    assert stack.services.runs.cancel(run_id)
    assert recover_runs() == []  # published less than a minute ago
    stack.redis.flushdb()
    stack.published_long_ago(run_id)
    assert recover_runs() == [run_id]
    assert stack.wait_closed(run_id).outcome == "cancelled"


def test_a_run_that_was_never_started_is_cancelled_at_once(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(**STACK, workers=False)
    s = stack.services
    from tasks.start_run import Wishes, new_run

    asked = new_run(s, s.strategies.by_id(1), "key:one", s.clock.market_now(), Wishes())
    s.runs.create(asked)
    told = json.loads(openbell("runs", "cancel", asked.run_id, "--json").out)
    assert (told["status"], told["outcome"], told["orders"]) == ("closed", "cancelled", [])
    assert stack.redis.keys() == []


def test_without_orders_a_cancel_says_which_stay_and_with_them_it_asks_for_each(
    stack: Stack,
) -> None:
    order = working(stack)
    coid, run_id = order.intent.coid, order.intent.run_id
    said = openbell("runs", "cancel", run_id)
    first, second = said.out.splitlines()
    assert first.startswith(f"run {run_id} is cancelled, and ")
    assert second.startswith(f"BUY {order.intent.quantity} MSFT is WORKING and stays; ")
    assert second.endswith(f"orders cancel {coid}`")
    assert stack.wait_closed(run_id).outcome == "cancelled"
    assert stack.services.orders.get(coid).state == "WORKING"
    before = deletes(stack)
    said = openbell("runs", "cancel", run_id, "--orders", "--json")
    told = json.loads(said.out)
    assert (said.code, told["refused"]) == (0, [])
    assert [(o["coid"], o["asked"]) for o in told["orders"]] == [(coid, True)]
    assert deletes(stack) == before + 1
    wait_state(stack, coid, "CANCELLED")
    found = stack.services.orders.get(coid)
    assert found.reasons == ("a person asked to cancel it",)
    assert deletes(stack) == before + 1


def test_an_order_is_cancelled_by_a_beginning_of_its_id_and_its_run_reports_it(
    stack: Stack,
) -> None:
    order = working(stack)
    coid = order.intent.coid
    before = deletes(stack)
    said = openbell("orders", "cancel", coid[:12])
    assert (said.code, said.err) == (0, "")
    assert f"{coid}, is asked to be cancelled; " in said.out
    again = openbell("orders", "cancel", coid, "--json")
    assert json.loads(again.out)["sentence"].count("was asked to be cancelled a moment ago") == 1
    assert deletes(stack) == before + 1
    row = stack.wait_closed(order.intent.run_id)
    assert stack.services.orders.get(coid).state == "CANCELLED"
    assert (row.outcome, row.cancelled) == ("done", False)
    assert "is CANCELLED already" in sentence(openbell("orders", "cancel", coid), 1)
    assert "is over already (done)" in sentence(openbell("runs", "cancel", row.run_id), 1)


def test_a_cancel_whose_answer_is_lost_is_asked_once_and_said_to_be_unsure(stack: Stack) -> None:
    order = working(stack)
    before = deletes(stack)
    stack.sandbox.faults(NO_ANSWER)
    told = sentence(openbell("orders", "cancel", order.intent.coid), 1)
    assert "may have been asked to be cancelled: the cancel's answer was lost" in told
    assert deletes(stack) == before + 1
    stack.wait_closed(order.intent.run_id)
    assert stack.services.orders.get(order.intent.coid).state == "CANCELLED"


@pytest.mark.parametrize("what", ["runs", "orders"])
def test_what_is_not_there_cannot_be_cancelled(stack: Stack, what: str) -> None:
    told = sentence(openbell(what, "cancel", "nothing"), 2)
    assert told.startswith(f"there is no {what.removesuffix('s')} 'nothing'; see `")
