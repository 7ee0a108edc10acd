"""Which runs stand still, and where they go on: pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from worker.journal.runs import RunRow
from worker.journal.steps import StepRow

PATIENCE = timedelta(seconds=60)
LAST_STEP = 9
FIRST_OF_THE_LAST = 8


def next_step(
    row: RunRow, steps: Sequence[StepRow], wall_now: datetime, lease: timedelta
) -> int | None:
    """The number of the step to publish from; None while the run's chain may be alive.

    Gone is a chain whose running step lost its lease, whose waiting step is a minute past its
    wake time, or in which no step began for a lease and a minute. A run that a person triggered
    and that never reached Redis is left to that person. Published again only after 1, 2, 4 ...
    15 minutes while nothing begins.
    """
    never_began = row.status == "created" and not steps
    if never_began and not row.slot.startswith("cron:"):
        return None
    if not nobody_works(row, steps, wall_now, lease):
        return None
    if row.published_at is not None and wall_now < row.published_at + _pause(row, steps, wall_now):
        return None
    return first_left(row, steps)


def first_left(row: RunRow, steps: Sequence[StepRow]) -> int:
    """The step that goes on with the run, or one of the last two where it is to end."""
    current = steps[-1] if steps else None
    number = 1 if current is None else current.number + (current.state in ("done", "failed"))
    failed = current is not None and current.state == "failed"
    if row.status == "ending" or row.cancelled or failed:
        number = max(number, FIRST_OF_THE_LAST)
    return min(number, LAST_STEP)


def is_too_late(row: RunRow, first: int, market_now: datetime) -> bool:
    """Would the rest of the run be one that wants to trade, after its window?"""
    late = row.not_after is not None and market_now > row.not_after
    return late and first < FIRST_OF_THE_LAST


def nobody_works(
    row: RunRow, steps: Sequence[StepRow], wall_now: datetime, lease: timedelta
) -> bool:
    """Has the run nobody who does what is next? A cancelled one does not sleep on: its last two
    steps are to be done now."""
    before_the_last = bool(steps) and steps[-1].number < FIRST_OF_THE_LAST
    sleeps = before_the_last and steps[-1].state in ("waiting", "released")
    return (row.cancelled and sleeps) or stands_still(row, steps, wall_now, lease)


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


def _pause(row: RunRow, steps: Sequence[StepRow], wall_now: datetime) -> timedelta:
    """Doubling while nothing begins after a publication, at most a quarter of an hour."""
    published_at = row.published_at
    began = published_at is not None and any(
        published_at < sign <= wall_now for step in steps for sign in _signs(step)
    )
    times = 0 if began else max(0, row.published - 1)
    return timedelta(minutes=min(15, 2**times))


def _signs(step: StepRow) -> list[datetime]:
    """When something was seen to happen to it. A lease or a wake time that lay before a
    publication, as those of a run that stands still do, was not set after it; one that lies ahead,
    as that of a cancelled run may, tells nothing."""
    seen = (step.started_at, step.finished_at, step.lease_until, step.wake_at)
    return [moment for moment in seen if moment is not None]
