"""A desk with everything real but the broker: decisions, journal, locks, calendar, store."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, CLOSES_AT, CONIDS, NOT_AFTER, Ledger, fill_of
from tests.support.store import MemoryStore
from tests.support.values import OPEN, run, strategy
from worker.errors import BrokerError, ConfigurationError, OpenbellError
from worker.fencing import Fence
from worker.joined.accounting import Accounting
from worker.joined.decisions import Decisions, Sources
from worker.joined.desks import OrderDesk, PreviewDesk, Tools
from worker.journal.foreign import ForeignBook
from worker.market.calendar import ExchangeCalendar
from worker.models.market import Contract, Position, Quote
from worker.models.order import (
    BrokerOrder,
    Fill,
    LiveOrders,
    OrderIntent,
    OrderRecord,
    Preview,
    SendResult,
    Trades,
)  # fmt: skip
from worker.models.run import Run, Session
from worker.models.signal import Signal
from worker.models.strategy import Mode, Strategy
from worker.orders.conversation import Conversation
from worker.orders.following import Following
from worker.orders.sending import Sending
from worker.risk.figures import Limits

SESSION = Session(opens_at=OPEN, closes_at=CLOSES_AT, release_at=OPEN)
PRICE, CENT = Decimal("130.00"), Decimal("0.01")
WEEK = ("mon", "tue", "wed", "thu", "fri")
LIMITS = Limits(
    max_order_value_usd=Decimal(10_000),
    max_position_value_usd=Decimal(25_000),
    allowed_symbols=("AAPL", "MSFT"),
    max_collar_bps=Decimal(100),
    max_spread_bps=Decimal(50),
    max_quote_age=timedelta(seconds=15),
    max_signal_age=timedelta(minutes=10),
    max_drift_bps=Decimal(150),
    min_confidence=Decimal("0.55"),
)


class FakeBroker:
    """A broker in one hand: it says what a test tells it, and notes what it is sent."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.quote: dict[str, Any] = {}
        self.held: dict[str, int] = {"AAPL": 100, "MSFT": 0}
        self.listed: list[BrokerOrder] = []
        self.snapshot = True
        self.trades: list[Fill] = []
        self.reads: list[str] = []
        self.sent: list[OrderIntent] = []
        self.answers: list[SendResult] = []
        self.cancelled: list[str] = []
        self.previews: list[OrderIntent] = []
        self.preview_answer: Preview | OpenbellError = Preview(amount_usd=Decimal(4952))
        self.meanwhile: Callable[[], None] = lambda: None

    # What is read

    def contract(self, symbol: str) -> Contract:
        if symbol not in CONIDS:
            raise BrokerError(f"{symbol} is not known to the broker")
        return Contract(
            symbol=symbol, conid=CONIDS[symbol], exchange="NASDAQ", currency="USD",
            security_type="STK",
        )  # fmt: skip

    def quotes(self, contracts: Sequence[Contract]) -> tuple[Quote, ...]:
        self.reads.append("quotes")
        data: dict[str, Any] = {
            "as_of": self._clock.now, "bid": PRICE - CENT, "ask": PRICE + CENT, "last": PRICE,
            "previous_close": Decimal("128.50"), "tradable": True,
            "availability": "RpB",
        }  # fmt: skip
        return tuple(
            Quote(symbol=each.symbol, conid=each.conid, **(data | self.quote)) for each in contracts
        )

    def positions(self) -> tuple[Position, ...]:
        self.reads.append("positions")
        return tuple(
            Position(conid=CONIDS[symbol], symbol=symbol, quantity=Decimal(quantity))
            for symbol, quantity in self.held.items()
            if quantity
        )

    def live_orders(self) -> LiveOrders:
        self.reads.append("orders")
        return LiveOrders(orders=tuple(self.listed), snapshot=self.snapshot)

    def fills(self) -> Trades:
        self.reads.append("trades")
        return Trades(fills=tuple(self.trades))

    def position(self, conid: int) -> Decimal:
        return sum((p.quantity for p in self.positions() if p.conid == conid), Decimal(0))

    def preview(self, intent: OrderIntent, in_time: Callable[[], bool]) -> Preview:
        assert in_time()
        self.previews.append(intent)
        if isinstance(self.preview_answer, OpenbellError):
            raise self.preview_answer
        return self.preview_answer

    # What is sent

    def open(self) -> "FakeBroker":
        return self

    def send(
        self, intent: OrderIntent, in_time: Callable[[], bool], may_reply: Callable[[], bool]
    ) -> SendResult:
        self.sent.append(intent)
        self.meanwhile()
        if self.answers:
            return self.answers.pop(0)
        return SendResult(kind="accepted", broker_order_id=str(len(self.sent)))

    def close(self) -> None:
        pass

    def cancel(self, account_id: str, broker_order_id: str, in_time: Callable[[], bool]) -> None:
        assert in_time()
        self.cancelled.append(broker_order_id)

    # What comes of it

    def lists(self, order: OrderRecord, status: str, filled: int = 0, **changes: Any) -> None:
        intent = order.intent
        data: dict[str, Any] = {
            "broker_order_id": order.broker_order_id or "777", "coid": intent.coid,
            "conid": intent.conid, "symbol": intent.symbol, "side": intent.side, "status": status,
            "quantity": Decimal(intent.quantity), "filled_quantity": Decimal(filled),
            "remaining_quantity": Decimal(intent.quantity - filled),
        }  # fmt: skip
        self.listed.append(BrokerOrder(**(data | changes)))

    def fills_all(self, order: OrderRecord) -> None:
        quantity = order.intent.quantity
        self.trades.append(fill_of(order, quantity, "130.01", 9000 + len(self.trades)))
        self.lists(order, "Filled", quantity)


def foreign_sell(quantity: Any, **changes: Any) -> BrokerOrder:
    """A person's own sale at the broker."""
    number = None if quantity is None else Decimal(quantity)
    data: dict[str, Any] = {
        "broker_order_id": "4711", "conid": CONIDS["AAPL"], "symbol": "AAPL", "side": "SELL",
        "status": "Submitted", "quantity": number, "remaining_quantity": number,
    }  # fmt: skip
    return BrokerOrder(**(data | changes))


def signal(symbol: str, side: Any = "BUY", **changes: Any) -> Signal:
    data: dict[str, Any] = {
        "symbol": symbol, "side": side, "confidence": Decimal("0.8"), "rationale": "It rises.",
        "analyst": "rules", "as_of": OPEN, "price_usd": PRICE,
    }  # fmt: skip
    return Signal(**(data | changes))


class Trading:
    def __init__(
        self,
        ledger: Ledger,
        clock: ManualClock,
        folder: Path,
        broker: FakeBroker | None = None,
        reach: Callable[[str], None] | None = None,
    ) -> None:
        clock.now = max(clock.now, OPEN + timedelta(minutes=2))
        self.ledger, self.clock, self.store = ledger, clock, MemoryStore()
        self.broker = broker or FakeBroker(clock)
        self.alarms: list[str] = []
        (folder / "overrides.yaml").write_text("{}\n")
        self.calendar = ExchangeCalendar("XNYS", WEEK, folder / "overrides.yaml")
        self.strategy = strategy(symbols=["AAPL"])
        self.current: Strategy | ConfigurationError | None = None
        self.configured_mode: Mode = "paper"
        self.hours_disagreement: str | None = None
        self.conversation = Conversation(ledger.locks, ACCOUNT, clock)
        self.foreign = ForeignBook(ledger.journal, clock, ACCOUNT)
        self.told: dict[str, str] = {}
        self.accounting = Accounting(
            self.foreign, ledger.book, self.broker, self.broker.positions, clock,
            lambda key, title, text: self.told.update({key: text}),
            self._forget,
        )  # fmt: skip
        self.account_is_known = True
        self.reached: list[str] = []
        self.reach = reach or self.reached.append
        self.following = Following(
            ledger.book,
            self.broker,
            self.broker,
            self.foreign,
            self.conversation,
            clock,
            self._alarm,
        )
        self.sending = Sending(ledger.book, self.broker, clock, self._alarm, self.reach)

    def begin(self, *signals: Signal, **changes: Any) -> Run:
        """A paper run that has come to step 7 with these signals."""
        symbols = tuple(each.symbol for each in signals)
        self.strategy = self.strategy.evolve(symbols=symbols)
        data: dict[str, Any] = {
            "mode": "paper", "signals": signals, "strategy": self.strategy, "not_after": NOT_AFTER,
            "session": SESSION,
        }  # fmt: skip
        data |= changes
        fence = self.ledger.begin_run(data["strategy"].id, strategy=data["strategy"])
        self.fence = fence
        return run(run_id=fence.run_id, slot=f"manual:{fence.run_id}", **data)

    @property
    def decisions(self) -> Decisions:
        sources = Sources(
            self.broker, self.broker.live_orders, self.ledger.book, self.ledger.states,
            self.calendar, self._strategy_now, self.configured_mode,
            lambda symbols, session, now: self.hours_disagreement, self.foreign.expected,
        )  # fmt: skip
        return Decisions(sources, LIMITS, self.clock)

    def tools(self, fence: Fence | None = None) -> Tools:
        return Tools(
            fence or self.fence, self.decisions, self.ledger.book, self.store, self.conversation,
            self.clock,
        )  # fmt: skip

    def order_desk(self, fence: Fence | None = None) -> OrderDesk:
        return OrderDesk(
            self.tools(fence),
            self.sending,
            self.following,
            lambda: self.account_is_known,
            self.reach,
        )

    def preview_desk(self) -> PreviewDesk:
        return PreviewDesk(self.tools(), self.broker.preview)

    def _strategy_now(self, strategy_id: int) -> Strategy:
        if isinstance(self.current, ConfigurationError):
            raise self.current
        return self.current or self.strategy

    def _forget(self, key: str) -> None:
        self.told.pop(key, None)

    def _alarm(self, order: OrderRecord, why: str) -> None:
        self.alarms.append(order.intent.symbol)


@pytest.fixture
def trading(ledger: Ledger, clock: ManualClock, tmp_path: Path) -> Trading:
    return Trading(ledger, clock, tmp_path)
