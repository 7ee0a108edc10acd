"""Upkeep: a worker of each queue shows that it takes tasks from it."""

from celery import shared_task

from worker.runtime import services


@shared_task(name="tasks.show_life")  # type: ignore[untyped-decorator]
def show_life(queue: str) -> None:
    """Sent by Beat to every queue; whoever executes it has consumed it."""
    services().beacons.light(f"consumed:{queue}")
