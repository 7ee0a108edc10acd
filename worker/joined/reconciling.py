"""Open orders whose runs follow them no longer."""

from datetime import timedelta

from worker.clock import Clock
from worker.joined.accounting import Accounting
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
        self,
        orders: OrderBook,
        runs: RunBook,
        steps: StepBook,
        following: Following,
        accounting: Accounting,
        clock: Clock,
    ) -> None:
        self._orders, self._runs, self._steps = orders, runs, steps
        self._following, self._accounting, self._clock = following, accounting, clock

    def once(self) -> dict[str, int]:
        """Settle by one read of the broker's lists, cancel what is overdue, then compare what the
        account holds with what the journal explains."""
        left = [order for order in self._orders.open_orders() if self._is_left(order)]
        for order in left:
            if order.state == "INTENDED":
                self._orders.deny(order.intent.coid, "its run ended before it was sent")
        by_hand = self._orders.resolved_lately()
        moved = self._following.look(left, by_hand) if left or by_hand else 0
        look = self._accounting.look()
        unexplained = sum(each.confirmed for each in look.shares)
        return {"open": len(left), "moved": moved, "unexplained": unexplained}

    def _is_left(self, order: OrderRecord) -> bool:
        if self._following.is_overdue(order, by=A_RUNS_OWN_TIME):
            return True  # its run should have cancelled it by now
        row = self._runs.find(order.intent.run_id)
        if row is None or row.status not in FOLLOWED_BY_ITS_RUN or row.cancelled:
            return True
        begun = self._steps.of(row.run_id)
        return stands_still(row, begun, self._clock.wall_now(), self._steps.lease)
