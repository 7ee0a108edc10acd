"""Upkeep: follow every open order whose run no longer does."""

from datetime import timedelta

from celery import shared_task

from worker.runtime import services

# It reads lists in a shared pace, and asks to cancel one order after the other.
LEASE = timedelta(minutes=3)


@shared_task(name="tasks.reconcile_orders")  # type: ignore[untyped-decorator]
def reconcile_orders() -> dict[str, int]:
    """Read the broker's orders and trades once, settle what they prove, cancel what is overdue.

    Orders of another account than the configured one cannot be looked at: a person is told.
    """
    s = services()
    if s.orders.open_elsewhere():
        s.tell_once(
            "critical",
            "orders-elsewhere",
            "Orders of another account are followed by nobody",
            "The journal has open orders of an account that is not the configured one. Set "
            "ibkr.account_id back to it until they are done; `openbell orders list` shows them.",
        )
    else:
        s.forget("orders-elsewhere")
    watched = s.orders.open_orders() or s.orders.resolved_lately()
    if s.settings.mode == "dry" and not watched:
        return {}
    with s.turn("reconcile_orders", LEASE) as mine:
        return s.reconcile() if mine else {}
