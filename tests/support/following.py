"""A broker in one hand and the room that follows its orders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, Ledger, fill_of
from worker.errors import OpenbellError
from worker.models.order import BrokerOrder, Fill, LiveOrders, OrderRecord, Trades
from worker.orders.conversation import Conversation
from worker.orders.following import Following


@dataclass
class FakeBroker:
    """What the broker lists, and what it does to a cancel."""

    listed: list[BrokerOrder] = field(default_factory=list)
    trades: list[Fill] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    fails: OpenbellError | None = None
    reads: int = 0
    snapshot: bool = True
    complete: bool = True
    held: int = 1000

    def live_orders(self) -> LiveOrders:
        self.reads += 1
        return LiveOrders(orders=tuple(self.listed), snapshot=self.snapshot)

    def fills(self) -> Trades:
        return Trades(fills=tuple(self.trades), complete=self.complete)

    def position(self, conid: int) -> Decimal:
        return Decimal(self.held)

    def open(self) -> Any:
        raise AssertionError("nothing is sent here")

    def cancel(self, account_id: str, broker_order_id: str, in_time: Callable[[], bool]) -> None:
        assert account_id == ACCOUNT
        assert in_time()
        self.cancelled.append(broker_order_id)
        if self.fails:
            raise self.fails


class Scene:
    def __init__(self, ledger: Ledger, clock: ManualClock) -> None:
        self.ledger, self.clock, self.broker = ledger, clock, FakeBroker()
        self.alarms: list[str] = []
        self.foreign: Decimal | None = Decimal(1000)
        conversation = Conversation(ledger.locks, ACCOUNT, clock)
        self.following = Following(
            ledger.book, self.broker, self.broker, self, conversation, clock,
            lambda order, why: self.alarms.append(order.intent.coid),
        )  # fmt: skip

    def expected(self, symbol: str, conid: int) -> Decimal | None:
        """As if the account had held so many foreign shares from the beginning."""
        owned = self.ledger.book.owned_by_all(symbol)
        return None if self.foreign is None else self.foreign + owned

    def lists(self, order: OrderRecord, status: str, filled: int = 0, **changes: Any) -> None:
        data: dict[str, Any] = {
            "broker_order_id": order.broker_order_id or "777", "coid": order.intent.coid,
            "conid": order.intent.conid, "symbol": order.intent.symbol, "side": order.intent.side,
            "status": status, "filled_quantity": Decimal(filled),
        }  # fmt: skip
        self.broker.listed = [BrokerOrder(**(data | changes))]

    def trades(self, order: OrderRecord, *quantities: int) -> None:
        self.broker.trades = [
            fill_of(order, quantity, "444.00", number)
            for number, quantity in enumerate(quantities, 1)
        ]

    def settle(self, *orders: OrderRecord) -> int:
        return self.following.settle(orders)

    def now(self, order: OrderRecord) -> OrderRecord:
        return self.ledger.book.get(order.intent.coid)

    def cancel_overdue(self, *orders: OrderRecord) -> None:
        self.following.cancel_overdue([self.now(order) for order in orders])

    def history(self, order: OrderRecord) -> Sequence[str]:
        return [str(each["state"]) for each in self.ledger.book.events(order.intent.coid)]


@pytest.fixture
def scene(ledger: Ledger, clock: ManualClock) -> Scene:
    return Scene(ledger, clock)
