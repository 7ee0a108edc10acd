"""Following open orders to their end: by the broker's lists, or by a cancel when overdue."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog

from worker.clock import Clock
from worker.errors import OpenbellError
from worker.fencing import Held
from worker.models.order import LiveOrders, OrderRecord
from worker.orders.conversation import LEASE, Busy, Conversation
from worker.orders.ports import Alarm, Book, Reads, Shares, Trader
from worker.orders.settling import EXPIRED, contradicts, find, may_be_over, verdict

ASK_TO_CANCEL_AGAIN = timedelta(seconds=30)
# Longer than a read of the lists is shared: the second look is at another one.
SECOND_LOOK_AFTER = timedelta(seconds=15)
log = structlog.get_logger(__name__)


class Following:
    def __init__(
        self,
        book: Book,
        reads: Reads,
        trader: Trader,
        shares: Shares,
        conversation: Conversation,
        clock: Clock,
        alarm: Alarm,
    ) -> None:
        self._book, self._reads, self._trader, self._shares = book, reads, trader, shares
        self._conversation, self._clock, self._alarm = conversation, clock, alarm

    def look(self, orders: Sequence[OrderRecord], by_hand: Sequence[OrderRecord] = ()) -> int:
        """Settle what the broker's lists prove, and ask to cancel what is overdue, whether or not
        they can be read; how many moved."""
        try:
            return self.settle(orders, by_hand)
        finally:
            self.cancel_overdue([self._book.get(order.intent.coid) for order in orders])

    def settle(self, orders: Sequence[OrderRecord], by_hand: Sequence[OrderRecord] = ()) -> int:
        """Read the broker's orders and trades once, and move what they prove; how many moved.

        `by_hand`: orders that are over by a person's word; what contradicts it opens them again.
        """
        for order in orders:
            self._give_up_lost(order)
            if order.state == "UNKNOWN":
                # Whoever made it so may have died before a person was told.
                self._alarm(order, "; ".join(order.reasons) or "its fate is not known")
        sent = [order for order in orders if order.state not in ("INTENDED", "DENIED")]
        if not sent and not by_hand:
            return 0
        listed, trades = self._reads.live_orders(), self._reads.fills()
        if not trades.complete:
            log.warning("trades_incomplete", why="a trade that may be ours cannot be read")
        self._book.add_fills(trades.fills)
        for order in by_hand:
            self._doubt(self._book.get(order.intent.coid), listed)
        moved = sum(self._apply(order.intent.coid, listed.orders) for order in sent)
        shows_all = listed.snapshot and trades.complete
        return moved + sum(self._expire(order.intent.coid, listed, shows_all) for order in sent)

    def cancel_overdue(self, orders: Sequence[OrderRecord]) -> None:
        """Ask once for each entry that has not filled in time; later reads show what came of it."""
        for order in orders:
            if self.is_overdue(order):
                self.cancel(order, f"not filled within {order.intent.good_for_seconds} s")

    def cancel(self, order: OrderRecord, cause: str) -> None:
        """One request; a busy conversation is left to the next wake."""
        try:
            self.ask_to_cancel(order, cause)
        except Busy:
            return
        except OpenbellError as error:
            log.warning("cancel_not_taken", coid=order.intent.coid, reason=error.sentence)

    def ask_to_cancel(self, order: OrderRecord, cause: str) -> None:
        """One request, in the account's conversation; later reads show what came of it.

        Raises Busy, with nothing asked, while another conversation is under way, and what the
        broker or the way to it had against the request.
        """
        if order.broker_order_id is None:
            return
        with self._conversation.hold(order.intent.coid, "cancel") as lock:
            # Written down first: a lost answer must not make it look as if nobody had asked.
            if not self._book.request_cancel(order.intent.coid, cause):
                return
            account_id = order.intent.account_id
            self._trader.cancel(account_id, order.broker_order_id, self._while_held(lock))

    def _while_held(self, lock: Held) -> Callable[[], bool]:
        return lambda: self._clock.wall_now() < lock.lease_until

    def _expire(self, coid: str, listed: LiveOrders, shows_all: bool) -> int:
        """An order of a session that is over, of which the broker's lists, read twice, and the
        account's position show nothing: it can no longer fill."""
        order, now = self._book.get(coid), self._clock.wall_now()
        if not may_be_over(order, self._clock.market_now()) or not shows_all:
            return 0
        if find(order, listed.orders) is not None or not self._position_is_explained(order):
            if order.absent_since is not None:
                self._book.note_absent(coid, None)
            return 0
        if order.absent_since is None:
            self._book.note_absent(coid, now)
            return 0
        if now < order.absent_since + SECOND_LOOK_AFTER:
            return 0
        return int(self._book.settle(coid, order.state, "EXPIRED", EXPIRED, reasons=[EXPIRED]))

    def _position_is_explained(self, order: OrderRecord) -> bool:
        """Does the account hold what strategies own and what is nobody's, and no share of it?"""
        expected = self._shares.expected(order.intent.symbol, order.intent.conid)
        return expected is not None and self._reads.position(order.intent.conid) == expected

    def _doubt(self, order: OrderRecord, listed: LiveOrders) -> None:
        row = find(order, listed.orders)
        if order.done and row is not None and contradicts(order, row):
            self._book.reopen(order.intent.coid, f"the broker lists it as {row.status}")

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
        # What is listed after the bell still works there, for another session perhaps.
        if order.absent_since is not None and may_be_over(order, self._clock.market_now()):
            return False
        good_for = timedelta(seconds=order.intent.good_for_seconds)
        if self._clock.market_now() < order.acknowledged_at + good_for + by:
            return False
        return self.may_ask(order)

    def may_ask(self, order: OrderRecord) -> bool:
        """Not again right after somebody asked to cancel it."""
        asked = order.cancel_requested_at
        return asked is None or self._clock.wall_now() > asked + ASK_TO_CANCEL_AGAIN
