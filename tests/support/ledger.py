"""A journal with runs whose step 7 is running, and orders in whatever state a test needs."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from tests.support.clock import ManualClock
from tests.support.values import OPEN, run, strategy
from worker.fencing import Fence, Held, conversation_of
from worker.journal.engine import Journal
from worker.journal.locks import LockBook
from worker.journal.orders import OrderBook
from worker.journal.runs import RunBook
from worker.journal.states import StateBook
from worker.journal.steps import StepBook
from worker.journal.tables import locks, steps, trading_states
from worker.models.decision import OrderLine
from worker.models.order import Fill, OrderIntent, OrderRecord, OrderState

ACCOUNT = "DU1234567"
CONIDS = {"AAPL": 265598, "MSFT": 272093}
NOT_AFTER = OPEN + timedelta(minutes=30)
CLOSES_AT = OPEN + timedelta(hours=6, minutes=30)
LEASE = timedelta(seconds=30)


class Ledger:
    def __init__(self, journal: Journal, clock: ManualClock) -> None:
        self.journal, self.clock = journal, clock
        self.runs = RunBook(journal, clock)
        self.steps = StepBook(journal, clock, LEASE)
        self.book = OrderBook(journal, clock, ACCOUNT)
        self.locks = LockBook(journal, clock)
        self.states = StateBook(journal)
        self._numbers = count(1)

    def begin_run(self, strategy_id: int = 1, **changes: Any) -> Fence:
        """A run that was published and whose step 7 has begun."""
        name = f"run-{next(self._numbers)}"
        chosen = strategy(id=strategy_id, name=f"strategy-{strategy_id}")
        data: dict[str, Any] = {
            "run_id": name, "slot": f"manual:{name}", "strategy": chosen, "mode": "paper",
            "not_after": NOT_AFTER,
        }  # fmt: skip
        self.runs.create(run(**(data | changes)))
        self.runs.mark_published(name, {})
        with self.journal.write() as connection:
            connection.execute(
                insert(steps).values(
                    run_id=name, number=7, step="place_orders", state="running", token=1,
                    lease_until=self.clock.now + LEASE, attempts=0, hops=0, takeovers=0,
                    started_at=self.clock.now,
                )
            )  # fmt: skip
        return Fence(name, 7, 1)

    def take_over(self, fence: Fence) -> Fence:
        """The step's worker is lost, and another copy runs it."""
        self.clock.advance(LEASE.total_seconds())
        claim = self.steps.claim(fence.run_id, 7, "place_orders")
        assert claim.kind == "run"
        return Fence(fence.run_id, 7, claim.token)

    def intent(self, fence: Fence, **changes: Any) -> OrderIntent:
        symbol = changes.get("symbol", "AAPL")
        data: dict[str, Any] = {
            "run_id": fence.run_id, "strategy_id": self.runs.get(fence.run_id).strategy_id,
            "account_id": ACCOUNT, "symbol": symbol, "conid": CONIDS[symbol], "leg": "entry",
            "side": "BUY", "quantity": 10, "limit_price": Decimal("445.00"),
        }  # fmt: skip
        return OrderIntent(**(data | changes))

    def intend(
        self, fence: Fence, position: int = 1000, held: Held | None = None, **changes: Any
    ) -> OrderRecord:
        """Written down under `held`, or in a conversation of its own."""
        intent = self.intent(fence, **changes)
        lock = held or self.hold()
        try:
            return self.book.intend(fence, lock, intent, line(intent), Decimal(position), CLOSES_AT)
        finally:
            if held is None:
                self.locks.release(lock)

    def hold(self, holder: str = "someone", priority: int = 2) -> Held:
        held = self.locks.acquire(conversation_of(ACCOUNT), holder, priority, LEASE)
        assert held is not None
        return held

    def held_now(self) -> Held:
        """The conversation as whoever has it holds it."""
        with self.journal.read() as connection:
            row = connection.execute(select(locks)).mappings().one()
        return Held(**row)

    def order(self, state: OrderState, fence: Fence | None = None, **changes: Any) -> OrderRecord:
        """An order that has come to `state` as it really would."""
        fence = fence or self.begin_run(changes.pop("strategy_id", 1))
        order = self.intend(fence, **changes)
        coid = order.intent.coid
        if state == "INTENDED":
            return order
        if state == "DENIED":
            assert self.book.settle(coid, "INTENDED", "DENIED", "a test", reasons=["a test"])
            return self.book.get(coid)
        held = self.hold()
        within = timedelta(seconds=5)
        assert self.book.begin_send(fence, held, coid, within, self.clock.now).kind == "go"
        self.locks.release(held)
        if state in ("SENDING", "UNKNOWN", "REJECTED"):
            if state != "SENDING":
                assert self.book.settle(coid, "SENDING", state, "a test", reasons=["a test"])
            return self.book.get(coid)
        number = str(next(self._numbers))
        known = {"broker_order_id": number, "acknowledged_at": self.clock.now}
        assert self.book.settle(coid, "SENDING", "WORKING", "accepted", **known)
        if state != "WORKING":
            quantity = order.intent.quantity // (1 if state == "FILLED" else 2)
            if state in ("FILLED", "PARTIAL"):
                self.fill(coid, quantity)
            assert self.book.settle(coid, "WORKING", state, "a test")
        return self.book.get(coid)

    def own(self, quantity: int, strategy_id: int = 1, symbol: str = "AAPL") -> OrderRecord:
        """The strategy bought this much, some run ago."""
        return self.order("FILLED", strategy_id=strategy_id, symbol=symbol, quantity=quantity)

    def fill(
        self, order: str, quantity: int, price: str = "444.00", /, **changes: Any
    ) -> list[Fill]:
        found = fill_of(self.book.get(order), quantity, price, next(self._numbers), **changes)
        return list(self.book.add_fills([found]))

    def set_state(self, scope: str, state: str) -> None:
        with self.journal.write() as connection:
            connection.execute(delete(trading_states).where(trading_states.c.scope == scope))
            connection.execute(
                insert(trading_states).values(
                    scope=scope, state=state, who="a test", why="a drill", since=self.clock.now
                )
            )


def line(intent: OrderIntent) -> OrderLine:
    return OrderLine(symbol=intent.symbol, outcome="placed", reason="-", coid=intent.coid)


def fill_of(order: OrderRecord, quantity: int, price: str, number: int, /, **changes: Any) -> Fill:
    intent = order.intent
    data: dict[str, Any] = {
        "execution_id": f"e-{number}", "coid": intent.coid,
        "broker_order_id": order.broker_order_id, "conid": intent.conid, "symbol": intent.symbol,
        "side": intent.side, "quantity": Decimal(quantity), "price": Decimal(price),
        "commission_usd": Decimal("1.00"), "executed_at": order.created_at,
    }  # fmt: skip
    return Fill(**(data | changes))


def at_once(count: int, call: Callable[[int], Any]) -> list[Any]:
    """What each of so many threads gets that call at the same time."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(OPEN)


@pytest.fixture
def ledger(journal: Journal, clock: ManualClock) -> Ledger:
    return Ledger(journal, clock)
