"""Beat's scheduler: what is due becomes a task. Started by `celery -A worker beat`.

It keeps no file: a slot's key is made from its due time, and the journal knows which keys have a
run. Two Beats at once, or one that starts again, do no harm.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from celery.beat import Scheduler
from kombu.exceptions import OperationalError

from worker.errors import TemporaryError
from worker.runtime import services
from worker.schedule.pulse import LOOK_EVERY, Pulse

START_RUN = "tasks.start_run"
# Without Redis a publication gives up after 5 s in all; celeryconfig's patience is a worker's.
_IMPATIENT = {
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "retry_on_timeout": False,
    "max_retries": 0,  # the next look tries again
}


class OpenbellScheduler(Scheduler):  # type: ignore[misc]
    """Celery's own entries and heap are unused: strategies have time zones and market time."""

    def setup_schedule(self) -> None:
        s = services()
        self._pulse = Pulse(
            clock=s.clock,
            strategies=s.strategies,
            grace=s.settings.schedule.grace,
            start_task=START_RUN,
            upkeep=[(entry.task, entry.every) for entry in s.settings.upkeep],
            send=self._send,
            alarm=partial(s.alerts.send, "critical"),
        )
        self.max_interval = LOOK_EVERY.total_seconds()

    def tick(self, *_: Any, **__: Any) -> float:
        return self._pulse.beat()

    @property
    def info(self) -> str:
        return "    . strategies and upkeep from the configuration"

    def _send(self, task: str, args: Sequence[Any], expires: float | None = None) -> None:
        """Raises TemporaryError within 5 s where Redis does not take the task."""
        try:
            with self.app.connection_for_write(transport_options=_IMPATIENT) as connection:
                # Waiting for its result would need a second connection with a patience of its own.
                self.app.send_task(
                    task, args, expires=expires, connection=connection, retry=False,
                    ignore_result=True,
                )  # fmt: skip
        except (OperationalError, OSError, RuntimeError) as error:
            raise TemporaryError(
                f"Redis does not take {task} ({type(error).__name__}); "
                "start it, or point OPENBELL_REDIS_URL at it"
            ) from None
