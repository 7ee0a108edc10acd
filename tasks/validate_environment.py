"""Step 2 of 9: look whether everything the run needs is there, and say what to mend."""

from worker.errors import ConfigurationError
from worker.models.run import Run
from worker.runtime import services
from worker.step import step


@step("tasks.validate_environment", number=2)
def validate_environment(run: Run) -> Run:
    """Configuration, journal, Redis, broker address, account and mode agree, or the run fails."""
    problems = services().environment.problems(run)
    if problems:
        raise ConfigurationError("; ".join(problems))
    return run
