"""Step 8 of 9: put parameters, metrics and artifacts on the record, and end it."""

from worker.models.run import Run
from worker.runtime import services
from worker.step import step


@step("tasks.end_tracking", number=8)
def end_tracking(run: Run) -> Run:
    """What the run saw, asked, was told, checked and sent, in MLflow; with the run's true status
    and the head of the journal's chain.
    A tracking server that is away is noted on the run and stops nothing."""
    s = services()
    note = s.tracking.finish(s.recorder.record(run))
    return run.noted(note) if note else run
