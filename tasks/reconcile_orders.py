"""Upkeep: follow every open order whose run no longer does."""

from celery import shared_task

from worker.runtime import services


@shared_task(name="tasks.reconcile_orders")  # type: ignore[untyped-decorator]
def reconcile_orders() -> dict[str, int]:
    """Read the broker's orders and trades once, settle what they prove, cancel what is overdue."""
    s = services()
    if not s.orders.open_orders():
        return {}
    return s.reconcile()
