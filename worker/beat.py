"""Beat's scheduler: what is due becomes a task. Started by `celery -A worker beat`.

It keeps no file: a slot's key is made from its due time, and the journal knows which keys have a
run. Two Beats at once, or one that starts again, do no harm.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from celery.beat import Scheduler
from kombu.exceptions import OperationalError

from worker.errors import TemporaryError
from worker.runtime import Services, services
from worker.schedule.consumption import Consumption
from worker.schedule.pulse import LOOK_EVERY, Pulse

START_RUN, SHOW_LIFE = "tasks.start_run", "tasks.show_life"
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
        self._consumption = self._watch(s)
        self.max_interval = LOOK_EVERY.total_seconds()

    def tick(self, *_: Any, **__: Any) -> float:
        pause = self._pulse.beat()
        self._consumption.look()
        return pause

    def _watch(self, s: Services) -> Consumption:
        routes = {task: route["queue"] for task, route in self.app.conf.task_routes.items()}
        every = s.settings.queues.show_life_every
        life = _Life(s, routes)
        return Consumption(
            clock=s.clock,
            queues=sorted(set(routes.values())),
            every=every,
            send=lambda queue: self._send(
                SHOW_LIFE, [queue], expires=every.total_seconds(), queue=queue
            ),
            signs=life,
            tell=life,
        )

    @property
    def info(self) -> str:
        return "    . strategies and upkeep from the configuration"

    def _send(
        self,
        task: str,
        args: Sequence[Any],
        expires: float | None = None,
        queue: str | None = None,
    ) -> None:
        """To `queue`, or where the task's route leads. Raises TemporaryError within 5 s where
        Redis does not take it."""
        try:
            with self.app.connection_for_write(transport_options=_IMPATIENT) as connection:
                # Waiting for its result would need a second connection with a patience of its own.
                self.app.send_task(
                    task, args, expires=expires, queue=queue, connection=connection, retry=False,
                    ignore_result=True,
                )  # fmt: skip
        except (OperationalError, OSError, RuntimeError) as error:
            raise TemporaryError(
                f"Redis does not take {task} ({type(error).__name__}); "
                "start it, or point OPENBELL_REDIS_URL at it"
            ) from None


class _Life:
    """What the journal shows of the queues' workers, and what a person is told of them."""

    def __init__(self, s: Services, routes: dict[str, str]) -> None:
        self._s, self._routes = s, routes

    def shown_at(self, queue: str) -> datetime | None:
        return self._s.beacons.lit_at(f"consumed:{queue}")

    def busy(self) -> Collection[str]:
        return {self._routes[f"tasks.{step}"] for step in self._s.steps.at_work()}

    def deaf(self, queue: str, for_seconds: float) -> None:
        self._s.tell_once(
            "critical",
            f"queue:{queue}",
            f"Queue {queue} has no living consumer",
            f"Nothing was taken from it for {for_seconds:.0f} s: what is sent to it waits. Start "
            f"one by `openbell up`, or by `celery -A worker worker -Q {queue}`; one that is there "
            "hangs: restart it.",
        )

    def heard(self, queue: str) -> None:
        self._s.forget(f"queue:{queue}")
