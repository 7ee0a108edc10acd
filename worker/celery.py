"""The Celery object. `celery -A worker ...` finds it here; its settings are in celeryconfig.py."""

import sys
from typing import Any

from celery import Celery, signals

from worker.errors import OpenbellError
from worker.logs import configure_logging
from worker.runtime import prove_replay_clock, settings

app = Celery("openbell")
app.config_from_object("celeryconfig")


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def _configure_logging(**_: Any) -> None:
    configure_logging(settings().logging.level, settings().logging.format)


def _prove(**_: Any) -> None:
    """A process that would run on replayed time must stand before the sandbox, or not at all."""
    try:
        prove_replay_clock()
    except OpenbellError as error:
        print(error.sentence, file=sys.stderr)
        raise SystemExit(2) from None


signals.worker_init.connect(_prove)
signals.beat_init.connect(_prove)
