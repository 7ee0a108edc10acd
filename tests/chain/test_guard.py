"""The guard: held until the bell, released after it, or ended as closed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.support.sandbox import BEFORE_OPEN
from tests.support.stack import STRATEGY, Stack

SKIP = STRATEGY | {
    "id": 2,
    "name": "skipper",
    "when_closed": "skip",
    "signal": {"analyst": "rules"},
}
STACK = {"at": BEFORE_OPEN, "strategies": [STRATEGY, SKIP]}
THE_BELL = datetime(2013, 2, 27, 14, 30, tzinfo=UTC)


def test_a_run_before_the_open_waits_in_celery_as_retry_and_is_released_after_the_bell(
    stack: Stack,
) -> None:
    from tasks.chain import task_id
    from worker.celery import app

    run_id = stack.trigger(dry_run=True)
    waiting = stack.wait_step(run_id, 3, "waiting")
    assert waiting.waits_for == "the market is closed; released at 2013-02-27 09:30:00 EST"
    guard = app.AsyncResult(task_id(run_id, "tasks.check_market_open"))
    stack.wait_for(lambda: guard.state == "RETRY", "Celery shows the guard as RETRY")
    row = stack.wait_closed(run_id)
    assert row.outcome == "done"
    released = stack.step(run_id, 4)
    assert released is not None
    clock = stack.services.clock
    bell = clock.wall_now() + (THE_BELL - clock.market_now()) / clock.rate
    assert timedelta() <= released.started_at - bell < timedelta(seconds=15)


def test_a_closed_market_ends_a_strategy_that_skips_and_shows_one_that_waits(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(at="2013-02-23T12:00:00", strategies=[STRATEGY, SKIP])
    waiting, skipped = stack.trigger(1, dry_run=True), stack.run(2, dry_run=True)
    assert (skipped.outcome, skipped.reason) == (
        "closed", "the market is closed; it next opens 2013-02-25 09:30:00 EST",
    )  # fmt: skip
    step = stack.wait_step(waiting, 3, "waiting")
    assert step.waits_for == "the market is closed; released at 2013-02-25 09:30:00 EST"
    assert stack.sandbox.orders() == []


def test_an_open_farther_away_than_max_wait_ends_the_run_at_once(
    start_stack: Callable[..., Stack],
) -> None:
    short = STRATEGY | {"market": {"max_wait": "1h"}}
    stack = start_stack(at="2013-02-23T12:00:00", strategies=[short])
    row = stack.run(1, dry_run=True)
    assert row.outcome == "closed"
    assert "beyond max_wait" in (row.reason or "")
