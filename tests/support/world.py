"""A broker that keeps its own truth of every order, and tells it badly when it is asked to."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.support.clock import ManualClock
from tests.support.ledger import CONIDS
from tests.support.trading import FakeBroker
from worker.journal.locks import LockBook
from worker.models.base import Value
from worker.models.order import (
    BrokerOrder,
    Fill,
    LiveOrders,
    OrderIntent,
    SendResult,
    Trades,
)

# What it does with an order, and what it says of it.
BEHAVIOURS = (
    "filled", "filled", "filled, answer lost", "accepted", "accepted, answer lost",
    "accepted late", "lost on the way", "refused", "not sent", "registered",
)  # fmt: skip


class Crash(BaseException):
    """kill -9: nothing catches it, and nothing is given back."""


class MortalLocks(LockBook):
    """Who is dead releases nothing."""

    dead = False

    def release(self, held: Any) -> None:
        if not self.dead:
            super().release(held)


class Placed(Value):
    intent: OrderIntent
    broker_order_id: str
    filled: int = 0
    over: bool = False

    @property
    def rest(self) -> int:
        return self.intent.quantity - self.filled


class World(FakeBroker):
    def __init__(self, clock: ManualClock, locks: MortalLocks) -> None:
        super().__init__(clock)
        self._locks = locks
        self.placed: dict[str, Placed] = {}
        self.executions: list[Fill] = []
        self.submitted: Counter[str] = Counter()
        self.behaviour = "accepted"
        self.crash_at: str | None = None
        self.hides_orders = self.hides_trades = False

    def reach(self, point: str) -> None:
        if point == self.crash_at:
            self.crash_at, self._locks.dead = None, True
            raise Crash(point)

    # What is sent

    def send(
        self, intent: OrderIntent, in_time: Callable[[], bool], may_reply: Callable[[], bool]
    ) -> SendResult:
        self.reach("post:before")
        if not in_time():
            return SendResult(kind="unknown", text="its time had passed; nothing was written")
        if self.behaviour == "not sent":
            return SendResult(kind="not_sent", text="the connection broke before a byte")
        self.submitted[intent.coid] += 1
        taken = self.behaviour.startswith(("accepted", "filled"))
        if taken:
            number = str(len(self.placed) + 1)
            self.placed[intent.coid] = Placed(intent=intent, broker_order_id=number)
        if self.behaviour.startswith("filled"):
            self.fill(intent.coid, intent.quantity)
        self.reach("post:after")
        if self.behaviour == "accepted late":
            self._clock.advance(45)
        if taken and "lost" not in self.behaviour:
            return SendResult(
                kind="accepted", broker_order_id=self.placed[intent.coid].broker_order_id
            )
        kind: Any = {"refused": "refused", "registered": "registered"}.get(
            self.behaviour, "unknown"
        )
        return SendResult(kind=kind, text=self.behaviour)

    def cancel(self, account_id: str, broker_order_id: str, in_time: Callable[[], bool]) -> None:
        for coid, order in self.placed.items():
            if order.broker_order_id == broker_order_id:
                self.placed[coid] = order.evolve(over=True)

    # What happens there

    def fill(self, coid: str, quantity: int) -> None:
        order = self.placed[coid]
        quantity = min(quantity, order.rest)
        if order.over or quantity <= 0:
            return
        filled = order.filled + quantity
        self.placed[coid] = order.evolve(filled=filled, over=filled == order.intent.quantity)
        intent = order.intent
        self.executions.append(
            Fill(
                execution_id=f"x-{len(self.executions)}", coid=coid,
                broker_order_id=order.broker_order_id, conid=intent.conid, symbol=intent.symbol,
                side=intent.side, quantity=Decimal(quantity), price=intent.limit_price,
                executed_at=self._clock.now,
            )
        )  # fmt: skip

    def end_all(self) -> None:
        """The bell: orders for the day are over."""
        self.placed = {coid: order.evolve(over=True) for coid, order in self.placed.items()}
        self.session_is_over = True

    session_is_over = False

    def owned(self, strategy_id: int) -> int:
        """By the truth."""
        sign = {"BUY": 1, "SELL": -1}
        return sum(
            sign[order.intent.side] * order.filled
            for order in self.placed.values()
            if order.intent.strategy_id == strategy_id
        )

    # What it tells

    def live_orders(self) -> LiveOrders:
        if self.hides_orders:
            return LiveOrders(orders=(), snapshot=False)
        listed = () if self.session_is_over else self.placed.values()
        return LiveOrders(orders=tuple(map(self._row, listed)), snapshot=True)

    def _row(self, order: Placed) -> BrokerOrder:
        done = "Filled" if order.rest == 0 else "Cancelled"
        return BrokerOrder(
            broker_order_id=order.broker_order_id, coid=order.intent.coid,
            conid=order.intent.conid, symbol=order.intent.symbol, side=order.intent.side,
            status=done if order.over else "Submitted", quantity=Decimal(order.intent.quantity),
            filled_quantity=Decimal(order.filled), remaining_quantity=Decimal(order.rest),
        )  # fmt: skip

    def fills(self) -> Trades:
        if self.hides_trades:
            return Trades(fills=(), complete=False)
        return Trades(fills=tuple(self.executions))

    def positions(self) -> Any:
        moved = Counter({"AAPL": 100})
        for order in self.placed.values():
            sign = 1 if order.intent.side == "BUY" else -1
            moved[order.intent.symbol] += sign * order.filled
        self.held = {symbol: moved[symbol] for symbol in CONIDS}
        return super().positions()


SESSION_END_MARGIN = timedelta(minutes=6)
