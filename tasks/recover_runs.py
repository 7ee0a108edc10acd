"""Upkeep: a run whose chain is gone is resumed, or ended."""

import structlog
from celery import shared_task

from tasks.chain import publish, task_ids
from tasks.end_run import end_run
from worker.errors import TemporaryError
from worker.journal.runs import RunRow
from worker.recovery import (
    FIRST_OF_THE_LAST,
    first_left,
    is_too_late,
    next_step,
    nobody_works,
)  # fmt: skip
from worker.runtime import Services, services

log = structlog.get_logger(__name__)


@shared_task(name="tasks.recover_runs")  # type: ignore[untyped-decorator]
def recover_runs() -> list[str]:
    """Publish the rest of every run that stands still, under the same task ids.

    Never waits for Redis to deliver again; what comes twice is sorted out by the journal.
    """
    s = services()
    with s.turn("recover_runs") as mine:
        return _recover(s) if mine else []


def end_cancelled(s: Services, run_id: str) -> bool:
    """Publish the last two steps of a cancelled run that waits for something, now. False: its
    chain is at work and ends it by itself. Raises TemporaryError where Redis does not take them;
    recover_runs then does it."""
    row = s.runs.get(run_id)
    steps = s.steps.of(run_id)
    if row.is_over or not nobody_works(row, steps, s.clock.wall_now(), s.steps.lease):
        return False
    _publish_rest(s, row, first_left(row, steps))
    return True


def _recover(s: Services) -> list[str]:
    recovered = []
    for row in s.runs.unfinished():
        first = next_step(row, s.steps.of(row.run_id), s.clock.wall_now(), s.steps.lease)
        if first is None:
            continue
        try:
            _publish_rest(s, row, _where_it_goes_on(s, row, first))
        except TemporaryError as error:
            log.warning("recovery_not_published", run_id=row.run_id, reason=error.sentence)
            continue
        recovered.append(row.run_id)
    return recovered


def _where_it_goes_on(s: Services, row: RunRow, first: int) -> int:
    """The same step, or the first of the last two where the run's window ended meanwhile.

    A run that has orders goes back to its step 7 all the same: that sends nothing after the
    window, follows what is open and reports what became of it.
    """
    if is_too_late(row, first, s.clock.market_now()) and not _has_an_end(s, row):
        _expire(s, row)
        return FIRST_OF_THE_LAST
    return first


def _has_an_end(s: Services, row: RunRow) -> bool:
    """Has it orders to report, or did one of its steps end it before?"""
    return bool(s.orders.of_run(row.run_id)) or s.steps.last_run(row.run_id).ending is not None


def _expire(s: Services, row: RunRow) -> None:
    ended = s.local(row.not_after) if row.not_after else "before"
    why = f"nobody worked on it until its window ended at {ended}"
    s.tell_once(
        "warning",
        f"expired:{row.run_id}",
        f"Run {row.run_id} of {row.strategy_name} expired",
        f"Its workers, or its messages, were lost: {why}.",
    )
    s.runs.expire(row.run_id, why)


def _publish_rest(s: Services, row: RunRow, first: int) -> None:
    if first >= FIRST_OF_THE_LAST:
        s.runs.mark_ending(row.run_id)
    on_error = end_run.si(row.run_id) if first < FIRST_OF_THE_LAST else None
    publish(s.steps.last_run(row.run_id), first=first, on_error=on_error)
    s.runs.mark_published(row.run_id, task_ids(row.run_id))
    log.warning("run_recovered", run_id=row.run_id, first=first, times=row.published)
