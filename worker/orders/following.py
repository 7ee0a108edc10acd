"""Following open orders to their end: by the broker's lists, or by a cancel when overdue."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog

from worker.clock import Clock
from worker.errors import OpenbellError
from worker.models.order import OrderRecord
from worker.orders.conversation import LEASE, Busy, Conversation
from worker.orders.ports import Alarm, Book, Reads, Trader
from worker.orders.settling import find, verdict

ASK_TO_CANCEL_AGAIN = timedelta(seconds=30)
log = structlog.get_logger(__name__)


class Following:
    def __init__(
        self,
        book: Book,
        reads: Reads,
        trader: Trader,
        conversation: Conversation,
        clock: Clock,
        alarm: Alarm,
    ) -> None:
        self._book, self._reads, self._trader = book, reads, trader
        self._conversation, self._clock, self._alarm = conversation, clock, alarm

    def settle(self, orders: Sequence[OrderRecord]) -> int:
        """Read the broker's orders and trades once, and move what they prove; how many moved."""
        for order in orders:
            self._give_up_lost(order)
            if order.state == "UNKNOWN":
                # Whoever made it so may have died before a person was told.
                self._alarm(order, "; ".join(order.reasons) or "its fate is not known")
        sent = [order for order in orders if order.state not in ("INTENDED", "DENIED")]
        if not sent:
            return 0
        listed = self._reads.live_orders()
        self._book.add_fills(self._reads.fills())
        return sum(self._apply(order.intent.coid, listed.orders) for order in sent)

    def cancel_overdue(self, orders: Sequence[OrderRecord]) -> None:
        """Ask once for each entry that has not filled in time; later reads show what came of it."""
        for order in orders:
            if self.is_overdue(order):
                self.cancel(order, f"not filled within {order.intent.good_for_seconds} s")

    def cancel(self, order: OrderRecord, cause: str) -> None:
        """One request, in the account's conversation; a busy one is left to the next wake."""
        if order.broker_order_id is None:
            return
        try:
            with self._conversation.hold(order.intent.coid, "cancel"):
                # Written down first: a lost answer must not make it look as if nobody had asked.
                self._book.request_cancel(order.intent.coid, f"cancel asked for: {cause}")
                self._trader.cancel(order.intent.account_id, order.broker_order_id)
        except Busy:
            return
        except OpenbellError as error:
            log.warning("cancel_not_taken", coid=order.intent.coid, reason=error.sentence)

    def _apply(self, coid: str, listed: Any) -> int:
        order = self._book.get(coid)
        if order.done:
            return 0
        found = verdict(order, find(order, listed), self._clock.market_now())
        if found is None:
            return 0
        changes: dict[str, Any] = {"broker_order_id": found.broker_order_id}
        if found.reasons or found.state in ("FILLED", "WORKING"):
            changes["reasons"] = list(found.reasons)
        if order.acknowledged_at is None:
            changes["acknowledged_at"] = self._clock.market_now()
        return int(self._book.settle(coid, order.state, found.state, found.cause, **changes))

    def _give_up_lost(self, order: OrderRecord) -> None:
        """SENDING whose sender's conversation is over: nobody knows what became of it."""
        if order.state != "SENDING" or order.send_by is None:
            return
        if self._clock.wall_now() <= order.send_by + LEASE:
            return
        cause = "its sender was lost before the answer was written down"
        if self._book.settle(order.intent.coid, "SENDING", "UNKNOWN", cause, reasons=[cause]):
            self._alarm(order, cause)

    def is_overdue(self, order: OrderRecord, by: timedelta = timedelta()) -> bool:
        """Has it stood at the broker longer than it is good for, and may be asked to cancel?"""
        if order.state not in ("WORKING", "PARTIAL") or order.intent.rest:
            return False
        if order.acknowledged_at is None:
            return False
        good_for = timedelta(seconds=order.intent.good_for_seconds)
        if self._clock.market_now() < order.acknowledged_at + good_for + by:
            return False
        asked = order.cancel_requested_at
        return asked is None or self._clock.wall_now() > asked + ASK_TO_CANCEL_AGAIN
