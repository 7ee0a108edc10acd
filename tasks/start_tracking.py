"""Step 1 of 9: open the run's record in MLflow, if MLflow is there."""

from worker.models.run import Run
from worker.runtime import services
from worker.step import step


@step("tasks.start_tracking", number=1)
def start_tracking(run: Run) -> Run:
    """Open one MLflow run, named by the run id. A tracking server that is away stops nothing."""
    return run.evolve(tracking=services().tracking.start(run))
