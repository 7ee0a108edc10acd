"""Open orders whose runs follow them no longer."""

from datetime import timedelta

from worker.journal.orders import OrderBook
from worker.journal.runs import RunBook
from worker.models.order import OrderRecord
from worker.orders.following import Following

A_RUNS_OWN_TIME = timedelta(minutes=1)
FOLLOWED_BY_ITS_RUN = frozenset({"created", "queued"})


class Reconciling:
    def __init__(self, orders: OrderBook, runs: RunBook, following: Following) -> None:
        self._orders, self._runs, self._following = orders, runs, following

    def once(self) -> dict[str, int]:
        """Settle by one read of the broker's lists, then cancel what is overdue."""
        left = [order for order in self._orders.open_orders() if self._is_left(order)]
        for order in left:
            if order.state == "INTENDED":
                self._orders.deny(order.intent.coid, "its run ended before it was sent")
        if not left:
            return {"open": 0, "moved": 0}
        moved = self._following.settle(left)
        self._following.cancel_overdue([self._orders.get(order.intent.coid) for order in left])
        return {"open": len(left), "moved": moved}

    def _is_left(self, order: OrderRecord) -> bool:
        if self._following.is_overdue(order, by=A_RUNS_OWN_TIME):
            return True  # its run should have cancelled it by now
        row = self._runs.find(order.intent.run_id)
        return row is None or row.status not in FOLLOWED_BY_ITS_RUN or row.cancelled
