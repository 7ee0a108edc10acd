"""Open orders whose runs follow them no longer."""

from datetime import timedelta

from worker.clock import Clock
from worker.journal.orders import OrderBook
from worker.journal.runs import RunBook
from worker.journal.steps import StepBook
from worker.models.order import OrderRecord
from worker.orders.following import Following
from worker.recovery import stands_still

A_RUNS_OWN_TIME = timedelta(minutes=1)
FOLLOWED_BY_ITS_RUN = frozenset({"created", "queued"})


class Reconciling:
    def __init__(
        self, orders: OrderBook, runs: RunBook, steps: StepBook, following: Following, clock: Clock
    ) -> None:
        self._orders, self._runs, self._steps = orders, runs, steps
        self._following, self._clock = following, clock

    def once(self) -> dict[str, int]:
        """Settle by one read of the broker's lists, then cancel what is overdue."""
        left = [order for order in self._orders.open_orders() if self._is_left(order)]
        for order in left:
            if order.state == "INTENDED":
                self._orders.deny(order.intent.coid, "its run ended before it was sent")
        by_hand = self._orders.resolved_lately()
        if not left and not by_hand:
            return {"open": 0, "moved": 0}
        return {"open": len(left), "moved": self._following.look(left, by_hand)}

    def _is_left(self, order: OrderRecord) -> bool:
        if self._following.is_overdue(order, by=A_RUNS_OWN_TIME):
            return True  # its run should have cancelled it by now
        row = self._runs.find(order.intent.run_id)
        if row is None or row.status not in FOLLOWED_BY_ITS_RUN or row.cancelled:
            return True
        begun = self._steps.of(row.run_id)
        return stands_still(row, begun, self._clock.wall_now(), self._steps.lease)
