"""A set that stands apart: nothing of a person's own configuration reaches into it."""

import os
from collections.abc import Mapping
from pathlib import Path

FOREIGN = ("OPENBELL_", "MLFLOW_", "CELERY_", "FLOWER_")


def apart(home: Path, own: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what is Openbell's, with `own` in its place."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**mine, "OPENBELL_HOME": str(home), **own}


def become(environment: Mapping[str, str]) -> None:
    """From here on this process's environment is the set's."""
    os.environ.clear()
    os.environ.update(environment)
