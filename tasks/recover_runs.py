"""Upkeep: a run whose chain is gone is resumed, or ended."""

import structlog
from celery import shared_task

from tasks.chain import publish, task_ids
from tasks.end_run import end_run
from worker.errors import TemporaryError
from worker.recovery import FIRST_OF_THE_LAST, next_step
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


def _recover(s: Services) -> list[str]:
    recovered = []
    for row in s.runs.unfinished():
        first = next_step(row, s.steps.of(row.run_id), s.clock.wall_now(), s.clock.market_now(),
                          s.steps.lease)  # fmt: skip
        if first is None:
            continue
        if first >= FIRST_OF_THE_LAST:
            s.runs.mark_ending(row.run_id)
        try:
            on_error = end_run.si(row.run_id) if first < FIRST_OF_THE_LAST else None
            publish(s.steps.last_run(row.run_id), first=first, on_error=on_error)
        except TemporaryError as error:
            log.warning("recovery_not_published", run_id=row.run_id, reason=error.sentence)
            continue
        s.runs.mark_published(row.run_id, task_ids(row.run_id))
        log.warning("run_recovered", run_id=row.run_id, first=first, times=row.published)
        recovered.append(row.run_id)
    return recovered
