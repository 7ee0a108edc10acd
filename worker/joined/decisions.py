"""From a signal to a proposal: figures read anew, sized to a target, every check run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from worker.clock import Clock
from worker.errors import ConfigurationError, OpenbellError, StepError
from worker.journal.orders import OrderBook
from worker.journal.states import StateBook
from worker.market.calendar import ExchangeCalendar
from worker.models.base import Value
from worker.models.decision import Check, Decision
from worker.models.market import Contract, Position, Quote
from worker.models.order import BrokerOrder, LiveOrders, OrderIntent, OrderRecord
from worker.models.run import Run, Session
from worker.models.signal import Signal
from worker.models.strategy import Mode, Strategy
from worker.modes import still_allowed
from worker.risk.checks import check
from worker.risk.codes import Code
from worker.risk.figures import Figures, Limits, SizedOrder, TradingState
from worker.risk.limits import strictest
from worker.risk.sizing import CannotSize, size

LEG = "entry"
LIST_LIFE = timedelta(seconds=10)
OVER = frozenset({"Filled", "Cancelled", "Inactive"})
# What may have changed between the decision and the first byte.
LAST_LOOK = frozenset(
    {Code.QUOTE, Code.DATA_RIGHTS, Code.TRADABLE, Code.SPREAD, Code.COLLAR, Code.SESSION,
     Code.SIGNAL_AGE, Code.DRIFT, Code.STRATEGY, Code.MODE, Code.TRADING_STATE}
)  # fmt: skip


AtBroker = list[tuple[BrokerOrder, OrderRecord | None]]


class MarketReads(Protocol):
    def contract(self, symbol: str) -> Contract: ...
    def quotes(self, contracts: Sequence[Contract]) -> tuple[Quote, ...]: ...
    def positions(self) -> tuple[Position, ...]: ...


class Proposal(Value):
    """What a desk may do for one symbol. `order` None: nothing, for the reason in `held`."""

    signal: Signal
    held: str | None = None
    order: SizedOrder | None = None
    decision: Decision | None = None
    figures: Figures | None = None
    limits: Limits | None = None
    # The account holds other shares than is explained, and nobody has looked a second time yet.
    unsettled: str | None = None

    def approved(self) -> tuple[SizedOrder, Figures]:
        """What may be acted on; StepError where it was not sized."""
        if self.order is None or self.figures is None:
            raise StepError("a proposal without an order cannot be placed")
        return self.order, self.figures

    @property
    def passed(self) -> bool:
        return self.order is not None and self.decision is not None and self.decision.allowed

    @property
    def denial(self) -> str | None:
        """The checks that deny, in one line; None when all pass."""
        if self.decision is None or self.decision.allowed:
            return None
        return "; ".join(f"{denied.code}: {denied.sentence}" for denied in self.decision.denials)


@dataclass(frozen=True)
class Sources:
    """Where the figures come from."""

    market: MarketReads
    live_orders: Callable[[], LiveOrders]
    orders: OrderBook
    states: StateBook
    calendar: ExchangeCalendar
    strategy_now: Callable[[int], Strategy]
    configured_mode: Mode
    # Why the broker's own schedule does not bear out a session at a moment; None if it does.
    hours_disagreement: Callable[[tuple[str, ...], Session, datetime], str | None]
    # How many shares of a symbol and contract the account must hold; None before the first look.
    expected: Callable[[str, int], Decimal | None]


class Decisions:
    def __init__(self, sources: Sources, limits: Limits, clock: Clock) -> None:
        self._market, self._live_orders = sources.market, sources.live_orders
        self._orders, self._states = sources.orders, sources.states
        self._calendar, self._strategy_now = sources.calendar, sources.strategy_now
        self._configured_mode = sources.configured_mode
        self._hours_disagreement = sources.hours_disagreement
        self._expected = sources.expected
        self._limits, self._clock = limits, clock
        self._live: tuple[datetime, LiveOrders] | None = None

    def propose(self, run: Run, symbol: str) -> Proposal:
        """Everything is read anew; nothing is written. Raises where the broker does not answer."""
        signal = signal_of(run, symbol)
        if signal.side == "HOLD":
            return Proposal(signal=signal, held=signal.abstained or "the signal is to hold")
        figures, unsettled = self._figures(run, signal)
        strategy = run.strategy
        try:
            order = size(
                signal,
                figures.quote,
                figures.owned,
                figures.working,
                strategy.sizing,
                strategy.order,
            )
        except CannotSize as reason:
            return Proposal(signal=signal, figures=figures, held=str(reason))
        limits = strictest(self._limits, strategy.risk)
        return Proposal(
            signal=signal,
            order=order,
            decision=check(order, figures, limits),
            figures=figures,
            limits=limits,
            unsettled=unsettled,
        )

    def last_look(self, run: Run, intent: OrderIntent, quote: Quote) -> str | None:
        """Why a written-down order must not go out any more, by the quote it was decided on; None
        when it may."""
        signal = signal_of(run, intent.symbol)
        contract = self._market.contract(intent.symbol)
        order = SizedOrder(
            side=intent.side, quantity=Decimal(intent.quantity), limit_price=intent.limit_price
        )
        figures = self._now(run, signal, contract, quote)
        decision = check(order, figures, strictest(self._limits, run.strategy.risk))
        denied = [each for each in decision.denials if each.code in LAST_LOOK]
        if denied:
            return "; ".join(f"{each.code}: {each.sentence}" for each in denied)
        return self._broker_disagrees(run, intent.symbol)

    def _broker_disagrees(self, run: Run, symbol: str) -> str | None:
        if run.session is None:
            return f"{Code.SESSION}: the run knows no session"
        now = self._clock.market_now()
        disagreement = self._hours_disagreement((symbol,), run.session, now)
        return f"{Code.SESSION}: {disagreement}" if disagreement else None

    def _figures(self, run: Run, signal: Signal) -> tuple[Figures, str | None]:
        """And why the account's shares of it are not settled, where only a second look can tell."""
        contract = self._market.contract(signal.symbol)
        live = self._listed()
        at_broker = self._at_broker(live, contract)
        foreign = _foreign_sells(at_broker) if live.snapshot else None
        held = sum(
            (p.quantity for p in self._market.positions() if p.conid == contract.conid), Decimal(0)
        )
        quote = self._market.quotes([contract])[0]  # last: it ages fastest
        strategy_id, symbol = run.strategy.id, signal.symbol
        # What works is read before what is owned: a fill in between counts twice, never not at all.
        working = self._orders.working(strategy_id, symbol)
        blocked_by = self._orders.blocked_by(symbol) or _contradiction(at_broker)
        unsettled = None if blocked_by else self._unsettled(symbol, contract, held)
        figures = self._now(run, signal, contract, quote).evolve(
            working=working,
            owned=self._orders.owned(strategy_id, symbol),
            owned_by_all=self._orders.owned_by_all(symbol),
            position=held,
            selling=None if foreign is None else self._orders.selling(symbol) + foreign,
            selling_foreign=foreign,
            blocked_by=blocked_by or unsettled,
        )
        return figures, unsettled

    def _unsettled(self, symbol: str, contract: Contract, held: Decimal) -> str | None:
        expected = self._expected(symbol, contract.conid)
        if expected is None or expected == held:
            return None
        return f"the account holds {held} shares, {expected} are explained"

    def _now(self, run: Run, signal: Signal, contract: Contract, quote: Quote) -> Figures:
        now = self._clock.market_now()
        hours = self._calendar.hours_at(now)
        return Figures(
            now=now,
            contract=contract,
            quote=quote,
            signal=signal,
            session_opens_at=hours.opens_at if hours else None,
            session_closes_at=hours.closes_at if hours else None,
            strategy_is_current=self._is_current(run.strategy),
            mode_agrees=still_allowed(run.mode, self._configured_mode),
            trading_state=self._state(run.strategy.id),
        )

    def _at_broker(self, live: LiveOrders, contract: Contract) -> AtBroker:
        """What is listed as working, each with its row in the journal."""
        return [
            (row, self._orders.find(row.coid) if row.coid else None)
            for row in live.orders
            if row.conid == contract.conid and row.status not in OVER
        ]

    def _listed(self) -> LiveOrders:
        """The broker's list, read once for all symbols that are decided within some seconds."""
        now = self._clock.wall_now()
        if self._live is not None and now - self._live[0] < LIST_LIFE:
            return self._live[1]
        live = self._live_orders()
        self._live = (now, live)
        return live

    def _is_current(self, strategy: Strategy) -> bool | None:
        try:
            now = self._strategy_now(strategy.id)
        except ConfigurationError:
            return None
        return now.enabled and now.digest == strategy.digest

    def _state(self, strategy_id: int) -> TradingState | None:
        try:
            return self._states.effective(self._orders.account_id, strategy_id)
        except OpenbellError:
            return None


def signal_of(run: Run, symbol: str) -> Signal:
    for signal in run.signals:
        if signal.symbol == symbol:
            return signal
    raise StepError(f"the run has no signal for {symbol}")


def failed_checks(decision: Decision) -> tuple[str, ...]:
    return tuple(denied.code for denied in decision.denials)


def checks_json(proposal: Proposal) -> dict[str, object]:
    """What the record keeps of a decision: the order, every check, the figures, the limits."""
    checks: tuple[Check, ...] = proposal.decision.checks if proposal.decision else ()
    return {
        "order": proposal.order.to_json() if proposal.order else None,
        "checks": [each.to_json() for each in checks],
        "figures": proposal.figures.to_json() if proposal.figures else None,
        "limits": proposal.limits.to_json() if proposal.limits else None,
    }


def _foreign_sells(at_broker: AtBroker) -> Decimal | None:
    """Shares in working sells that the journal does not count; None where one does not say."""
    shares = [
        _selling(row)
        for row, known in at_broker
        if row.side == "SELL" and (known is None or known.done)
    ]
    known_shares = [each for each in shares if each is not None]
    return sum(known_shares, Decimal(0)) if len(known_shares) == len(shares) else None


def _contradiction(at_broker: AtBroker) -> str | None:
    """An order that works at the broker though the journal has seen its end."""
    for row, known in at_broker:
        if known is not None and known.done:
            return f"order {row.coid} is {known.state} in the journal and works at the broker"
    return None


def _selling(row: BrokerOrder) -> Decimal | None:
    return row.quantity if row.remaining_quantity is None else row.remaining_quantity
