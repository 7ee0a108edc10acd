"""Step 9 of 9: close the run and tell a person what must be told."""

from worker.models.run import Run
from worker.runtime import services
from worker.step import step


@step("tasks.cleanup", number=9)
def cleanup(run: Run) -> Run:
    """Close the run in the journal, once; a failed run is an alert."""
    s = services()
    outcome = "failed" if run.failure else run.ending.code if run.ending else "done"
    reason = run.failure or (run.ending.reason if run.ending else None)
    if run.failure:
        # Before it is closed: whoever dies in between has a person told all the same.
        s.tell_once(
            "critical",
            f"run-failed:{run.run_id}",
            f"Run {run.run_id} of {run.strategy.name} failed",
            f"{run.failure}. Look at it with `openbell runs show {run.run_id}`.",
        )
    s.runs.close(run.run_id, outcome, reason)
    return run
