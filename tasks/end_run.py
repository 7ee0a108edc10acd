"""After a failure: the run's last two steps still happen."""

from datetime import timedelta

import structlog
from celery import Task, shared_task

from tasks.chain import publish
from worker.recovery import FIRST_OF_THE_LAST
from worker.runtime import services

log = structlog.get_logger(__name__)


@shared_task(name="tasks.end_run", bind=True, max_retries=None)  # type: ignore[untyped-decorator]
def end_run(self: Task, run_id: str) -> str:
    """Mark the run as ending and publish steps 8 and 9 as a chain of their own.

    Believes the journal, not the call: Celery reports errors twice, or for a chain that then
    succeeds. While a step holds a live lease, it waits; where nothing failed, it does nothing.
    """
    s = services()
    row = s.runs.mark_ending(run_id)
    if row is not None:
        publish(s.steps.last_run(run_id), first=FIRST_OF_THE_LAST)
        log.info("run_ending", run_id=run_id, failed_step=row.failed_step)
        return "ending"
    if s.runs.get(run_id).is_over:
        return "nothing to end"
    if any(step.state == "running" for step in s.steps.of(run_id) if step.number <= 7):
        raise self.retry(countdown=(s.steps.lease + timedelta(seconds=1)).total_seconds())
    return "nothing to end"
