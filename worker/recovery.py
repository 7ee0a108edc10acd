"""Which runs stand still, and where they go on: pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from worker.journal.runs import RunRow
from worker.journal.steps import StepRow

PATIENCE = timedelta(seconds=60)
LAST_STEP = 9
FIRST_OF_THE_LAST = 8


def next_step(
    row: RunRow,
    steps: Sequence[StepRow],
    wall_now: datetime,
    market_now: datetime,
    lease: timedelta,
) -> int | None:
    """The number of the step to publish from; None while the run's chain may be alive.

    Gone is a chain whose running step lost its lease, whose waiting step is a minute past its
    wake time, or in which no step began for a lease and a minute. A run that a person triggered
    and that never reached Redis is left to that person. Published again only after 1, 2, 4 ...
    15 minutes while nothing begins.
    """
    never_began = row.status == "created" and not steps
    if never_began and not (row.slot.startswith("cron:") and _in_time(row, market_now)):
        return None
    if not stands_still(row, steps, wall_now, lease):
        return None
    if row.published_at is not None and wall_now < row.published_at + _pause(row, steps):
        return None
    current = steps[-1] if steps else None
    number = 1 if current is None else current.number + (current.state in ("done", "failed"))
    if row.status == "ending" or (current is not None and current.state == "failed"):
        number = max(number, FIRST_OF_THE_LAST)
    return min(number, LAST_STEP)


def _in_time(row: RunRow, market_now: datetime) -> bool:
    return row.not_after is None or market_now <= row.not_after


def stands_still(
    row: RunRow, steps: Sequence[StepRow], wall_now: datetime, lease: timedelta
) -> bool:
    """Is nobody at work on the run, as far as the journal shows?"""
    if not steps:
        return wall_now > (row.queued_at or row.created_at) + lease + PATIENCE
    last = steps[-1]
    if last.state == "running":
        return last.lease_until is None or wall_now > last.lease_until
    if last.state in ("waiting", "released"):
        return last.wake_at is None or wall_now > last.wake_at + PATIENCE
    return last.finished_at is None or wall_now > last.finished_at + lease + PATIENCE


def _pause(row: RunRow, steps: Sequence[StepRow]) -> timedelta:
    """Doubling while nothing begins after a publication, at most a quarter of an hour."""
    published_at = row.published_at
    began = published_at is not None and any(_last_sign(step) > published_at for step in steps)
    times = 0 if began else max(0, row.published - 1)
    return timedelta(minutes=min(15, 2**times))


def _last_sign(step: StepRow) -> datetime:
    """When something was last seen to happen to it. A lease or a wake time that lay before a
    publication, as those of a run that stands still do, was not set after it."""
    seen = (step.started_at, step.finished_at, step.lease_until, step.wake_at)
    return max(moment for moment in seen if moment is not None)
