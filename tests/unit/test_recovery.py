"""Which runs stand still, and where they are published again from."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.values import OPEN, run
from worker.journal.runs import RunRow
from worker.journal.steps import StepRow
from worker.recovery import is_too_late, next_step

LEASE = timedelta(seconds=30)


def run_row(**changes: Any) -> RunRow:
    data: dict[str, Any] = dict(
        run_id="r", strategy_id=1, strategy_name="momentum", slot="manual:1", mode="dry",
        status="queued", cancelled=False, outcome=None, reason=None, failed_step=None,
        initial=run().to_json(), task_ids=None, due_at=OPEN, not_after=None, created_at=OPEN,
        queued_at=OPEN, closed_at=None, published=1, published_at=OPEN, version="0",
    )  # fmt: skip
    return RunRow(**(data | changes))


def step_row(number: int, state: Any, **changes: Any) -> StepRow:
    data: dict[str, Any] = dict(
        run_id="r", number=number, step=f"step_{number}", state=state, token=1, lease_until=None,
        wake_at=None, waits_for=None, attempts=0, hops=0, takeovers=0, started_at=OPEN,
        finished_at=None, output=None, error=None,
    )  # fmt: skip
    return StepRow(**(data | changes))


LATER = OPEN + timedelta(minutes=10)
CASES = [
    ("nothing began for long", run_row(), [], LATER, 1),
    ("nothing began yet", run_row(), [], OPEN + timedelta(seconds=60), None),
    ("live lease", run_row(), [step_row(2, "running", lease_until=LATER)], LATER, None),
    ("dead lease", run_row(), [step_row(2, "running", lease_until=OPEN)], LATER, 2),
    ("waiting", run_row(), [step_row(3, "waiting", wake_at=LATER)], LATER, None),
    ("overslept", run_row(), [step_row(3, "waiting", wake_at=OPEN)], LATER, 3),
    ("done, next began late", run_row(), [step_row(4, "done", finished_at=OPEN)], LATER, 5),
    ("done a moment ago", run_row(), [step_row(4, "done", finished_at=LATER)], LATER, None),
    ("failed", run_row(), [step_row(5, "failed", finished_at=OPEN)], LATER, 8),
    ("ending", run_row(status="ending"), [step_row(5, "failed", finished_at=OPEN)], LATER, 8),
    ("tracking failed", run_row(), [step_row(8, "failed", finished_at=OPEN)], LATER, 9),
    ("published just now", run_row(published_at=LATER), [], LATER, None),
    ("published often", run_row(published=5), [], OPEN + timedelta(minutes=14), None),
    ("published often, long ago", run_row(published=5), [], OPEN + timedelta(minutes=16), 1),
    (
        "published often, and it woke since", run_row(published=5, published_at=OPEN),
        [step_row(7, "waiting", wake_at=OPEN + timedelta(minutes=3))],
        OPEN + timedelta(minutes=5), 7,
    ),
    (
        "published often, and its lease was renewed since", run_row(published=5),
        [step_row(7, "running", lease_until=OPEN + timedelta(minutes=3))],
        OPEN + timedelta(minutes=5), 7,
    ),
    (
        "published often, and nothing happened since", run_row(published=5),
        [step_row(7, "waiting", wake_at=OPEN - timedelta(minutes=3))],
        OPEN + timedelta(minutes=5), None,
    ),
    ("a person's, never in Redis", run_row(status="created", queued_at=None), [], LATER, None),
    ("Beat's", run_row(status="created", queued_at=None, slot="cron:0:x"), [], LATER, 1),
    (
        "cancelled, and it sleeps on", run_row(cancelled=True),
        [step_row(3, "waiting", wake_at=LATER + timedelta(days=2))], LATER, 8,
    ),
    (
        "cancelled, and it would try again", run_row(cancelled=True),
        [step_row(4, "released", wake_at=LATER + timedelta(seconds=5))], LATER, 8,
    ),
    (
        "cancelled, and published again just now", run_row(cancelled=True, published_at=LATER),
        [step_row(3, "waiting", wake_at=LATER + timedelta(days=2))], LATER, None,
    ),
    (
        "cancelled, published often, and nothing happened since", run_row(
            cancelled=True, published=5),
        [step_row(3, "waiting", wake_at=LATER + timedelta(days=2))],
        OPEN + timedelta(minutes=14), None,
    ),
    (
        "cancelled, and a step is at work", run_row(cancelled=True),
        [step_row(5, "running", lease_until=LATER)], LATER, None,
    ),
    (
        "cancelled, and its worker is lost", run_row(cancelled=True),
        [step_row(5, "running", lease_until=OPEN)], LATER, 8,
    ),
    (
        "cancelled, and its next step is due", run_row(cancelled=True),
        [step_row(4, "done", finished_at=LATER)], LATER, None,
    ),
    (
        "cancelled, and its record is tried again", run_row(cancelled=True),
        [step_row(8, "released", wake_at=LATER)], LATER, None,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "steps", "now", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_next_step_of_a_run_in_every_state(
    row: RunRow, steps: list[StepRow], now: Any, expected: int | None
) -> None:
    assert next_step(row, steps, now, LEASE) == expected


@pytest.mark.parametrize(
    ("not_after", "first", "expected"),
    [(None, 3, False), (LATER, 7, False), (OPEN, 7, True), (OPEN, 1, True), (OPEN, 8, False)],
)
def test_a_run_is_too_late_when_it_would_trade_after_its_window(
    not_after: Any, first: int, expected: bool
) -> None:
    assert is_too_late(run_row(not_after=not_after), first, LATER) is expected
