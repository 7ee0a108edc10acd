"""Nine steps that do nothing: as plain Celery tasks, and under the contract of a step."""

from typing import Any

from celery import Celery

from worker.models.run import Run
from worker.step import step

QUEUE = "benchmark"
app = Celery("benchmark")
app.config_from_object("celeryconfig")
app.conf.update(imports=(), task_routes={}, task_default_queue=QUEUE)


def _plain(number: int) -> Any:
    def hand_on(payload: dict[str, Any]) -> dict[str, Any]:
        return payload

    return app.task(name=f"benchmark.plain_{number}")(hand_on)


def _kept(number: int) -> Any:
    def hand_on(run: Run) -> Run:
        return run

    return step(f"benchmark.kept_{number}", number=number)(hand_on)


PLAIN = tuple(_plain(number) for number in range(1, 10))
KEPT = tuple(_kept(number) for number in range(1, 10))
