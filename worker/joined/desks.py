"""The two desks of step 7: one sends orders, one asks for previews. A run has the one or the other.

Either decides each symbol once and writes the decision down; a later wake finds it and only
follows. Neither ever sleeps on an order: `follow` raises Wait.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from worker.checkpoints import Reach
from worker.clock import Clock
from worker.errors import LeaseLost, OpenbellError, Refused, StepError
from worker.fencing import Fence, Held
from worker.joined.decisions import LEG, Decisions, Proposal, checks_json, failed_checks
from worker.journal.orders import OrderBook
from worker.models.decision import OrderLine
from worker.models.order import OrderIntent, OrderRecord, Preview
from worker.models.run import Run
from worker.orders.conversation import Busy, Conversation
from worker.orders.following import Following
from worker.orders.sending import Sending
from worker.risk.figures import Figures
from worker.store import Store
from worker.waiting import Wait

SHORTEST_PAUSE, LONGEST_PAUSE = 2.0, 15.0
SHOWN = Decimal("0.0001")  # the journal has the average exactly
LOOK_PAUSE_SECONDS = 3.0
PREVIEW_PATIENCE = timedelta(seconds=60)


# An order as it would be, and whether there is still time to ask.
PreviewCall = Callable[[OrderIntent, Callable[[], bool]], Preview]


class Desk(Protocol):
    """What place_orders does with its orders."""

    def undecided(self, run: Run) -> Sequence[str]:
        """The symbols that have no decision yet, in the run's order."""

    def decide(self, run: Run, symbol: str) -> None:
        """Size, check and act on one symbol. Raises Wait while another conversation goes on."""

    def follow(self, run: Run) -> None:
        """Raises Wait until every order of the run is done."""

    def report(self, run: Run) -> tuple[OrderLine, ...]:
        """What became of each symbol."""


@dataclass(frozen=True)
class Tools:
    """What either desk works with; `fence` is the running step's."""

    fence: Fence
    decisions: Decisions
    orders: OrderBook
    store: Store
    conversation: Conversation
    clock: Clock


class _Deciding:
    def __init__(self, tools: Tools) -> None:
        self._fence, self._decisions, self._orders = tools.fence, tools.decisions, tools.orders
        self._store, self._conversation, self._clock = (
            tools.store, tools.conversation, tools.clock,
        )  # fmt: skip

    def undecided(self, run: Run) -> Sequence[str]:
        decided = self._orders.lines(run.run_id)
        return [symbol for symbol in run.symbols if symbol not in decided]

    def _proposed(self, run: Run, symbol: str) -> tuple[Proposal, OrderLine]:
        """What may be done; where that is nothing, it is written down already."""
        proposal = self._decisions.propose(run, symbol)
        self._settle_first(run, proposal)
        line = self._line(symbol, proposal)
        if not proposal.passed:
            self._write(symbol, line)
        return proposal, line

    def _settle_first(self, run: Run, proposal: Proposal) -> None:
        """Raises Wait where the shares are not settled yet: a list may lag behind a fill."""

    def _is_late(self, run: Run) -> bool:
        return run.not_after is None or self._clock.market_now() > run.not_after

    def _write(self, symbol: str, line: OrderLine) -> None:
        self._orders.decide(self._fence, symbol, LEG, line)

    def _line(self, symbol: str, proposal: Proposal) -> OrderLine:
        """The row of a decision: held or denied as it stands; a desk that acts says more."""
        order, figures, decision = proposal.order, proposal.figures, proposal.decision
        held = order is None or decision is None
        return OrderLine(
            symbol=symbol,
            outcome="held" if held else "denied",
            reason=proposal.held or proposal.denial or "",
            side=order.side if order else None,
            quantity=int(order.quantity) if order else None,
            limit_price=order.limit_price if order else None,
            owned_before=figures.owned if figures else None,
            checks_ref=None if held else self._store.put_json(checks_json(proposal)),
            checks_failed=() if decision is None else failed_checks(decision),
            checks_run=0 if decision is None else len(decision.checks),
        )

    def _intent(self, run: Run, symbol: str, proposal: Proposal) -> OrderIntent:
        order, figures = proposal.approved()
        rules = run.strategy.order
        return OrderIntent(
            run_id=run.run_id,
            strategy_id=run.strategy.id,
            account_id=self._orders.account_id,
            symbol=symbol,
            conid=figures.contract.conid,
            leg=LEG,
            side=order.side,
            quantity=int(order.quantity),
            limit_price=order.limit_price,
            time_in_force=rules.time_in_force,
            rest=rules.rest,
            good_for_seconds=int(rules.good_for.total_seconds()),
        )


class OrderDesk(_Deciding):
    """Writes down, sends once, follows to the end."""

    def __init__(
        self,
        tools: Tools,
        sending: Sending,
        following: Following,
        account_is_known: Callable[[], bool],
        reach: Reach,
    ) -> None:
        super().__init__(tools)
        self._sending, self._following = sending, following
        self._account_is_known, self._reach = account_is_known, reach

    def decide(self, run: Run, symbol: str) -> None:
        if not self._account_is_known():
            why = "the first look at the account is not complete"
            if self._is_late(run):
                line = OrderLine(symbol=symbol, outcome="denied", reason=why)
                self._write(symbol, line)
                return
            raise self._conversation.come_back(why, LOOK_PAUSE_SECONDS)
        with self._conversation.hold_or_wait(run.run_id, "order") as lock:
            proposal, line = self._proposed(run, symbol)
            if proposal.passed:
                self._place(run, symbol, proposal, line, lock)

    def _settle_first(self, run: Run, proposal: Proposal) -> None:
        if proposal.unsettled and not self._is_late(run):
            raise self._conversation.come_back(proposal.unsettled, LOOK_PAUSE_SECONDS)

    def _place(
        self, run: Run, symbol: str, proposal: Proposal, line: OrderLine, lock: Held
    ) -> None:
        _, figures = proposal.approved()
        intent = self._intent(run, symbol, proposal)
        placed = line.evolve(outcome="placed", reason=proposal.signal.rationale, coid=intent.coid)
        self._reach("intent:before")
        try:
            order = self._orders.intend(
                self._fence, lock, intent, placed, *_position_and_close(figures)
            )
        except LeaseLost as lost:
            raise self._conversation.come_back(lost.sentence) from None
        except Refused as refusal:
            self._write(symbol, line.evolve(reason=refusal.sentence))
            return
        self._reach("intent:after")
        self._send(lock, order, lambda: self._decisions.last_look(run, intent, figures.quote))

    def _send(self, lock: Held, order: OrderRecord, last_look: Callable[[], str | None]) -> None:
        try:
            self._sending.send(self._fence, lock, order, last_look)
        except LeaseLost as lost:
            raise self._conversation.come_back(lost.sentence) from None

    def follow(self, run: Run) -> None:
        self._deny_left_behind(run)
        open_orders = self._open(run)
        if not open_orders:
            return
        if any(order.intent.account_id != self._orders.account_id for order in open_orders):
            raise StepError(
                "the configured account was changed while the run has an order with the former "
                "one; set ibkr.account_id back, and the order is followed again"
            )
        self._following.look(open_orders)
        still_open = self._open(run)
        if still_open and not self._may_leave(run, still_open):
            raise Wait(self._next_look(still_open), _waits_for(still_open))

    def report(self, run: Run) -> tuple[OrderLine, ...]:
        orders = {order.intent.symbol: order for order in self._orders.of_run(run.run_id)}
        lines = self._orders.lines(run.run_id)
        return tuple(
            self._final(run, lines[symbol], orders.get(symbol))
            for symbol in run.symbols
            if symbol in lines
        )

    def _deny_left_behind(self, run: Run) -> None:
        """An order that was written down and not sent when its worker was lost is not sent late:
        what it was decided on is gone."""
        why = "its worker was lost before it was sent; nothing was sent"
        for order in self._orders.of_run(run.run_id):
            if order.state == "INTENDED":
                self._orders.deny(order.intent.coid, why)

    def _open(self, run: Run) -> list[OrderRecord]:
        """What must be followed: a resting order is not, once the broker has it."""
        return [
            order
            for order in self._orders.of_run(run.run_id)
            if not order.done and not (order.intent.rest and order.state == "WORKING")
        ]

    def _may_leave(self, run: Run, still_open: Sequence[OrderRecord]) -> bool:
        """Only orders of unknown fate are left and the run's window is over: reconcile_orders
        goes on with them."""
        return self._is_late(run) and all(order.state == "UNKNOWN" for order in still_open)

    def _next_look(self, still_open: Sequence[OrderRecord]) -> datetime:
        oldest = min(order.created_at for order in still_open)
        waited = (self._clock.wall_now() - oldest).total_seconds()
        pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, waited / 4))
        return self._clock.market_now() + timedelta(seconds=pause * self._clock.rate)

    def _final(self, run: Run, line: OrderLine, order: OrderRecord | None) -> OrderLine:
        owned = self._orders.owned(run.strategy.id, line.symbol)
        if order is None:
            return line.evolve(owned_after=owned)
        denied = order.state == "DENIED"
        return line.evolve(
            outcome="denied" if denied else line.outcome,
            reason="; ".join(order.reasons) or line.reason,
            state=order.state,
            filled_quantity=order.filled_quantity,
            average_price=order.average_price and order.average_price.quantize(SHOWN),
            owned_after=owned,
        )


class PreviewDesk(_Deciding):
    """Has the broker's what-if instead of an order. It reserves nothing and counts in no limit."""

    def __init__(self, tools: Tools, preview: PreviewCall) -> None:
        super().__init__(tools)
        self._preview = preview

    def decide(self, run: Run, symbol: str) -> None:
        proposal, line = self._proposed(run, symbol)
        if not proposal.passed:
            return
        try:
            self._write(symbol, self._previewed(self._intent(run, symbol, proposal), line))
        except Busy as busy:
            if not self._conversation.patience_is_over(run.run_id, "preview", PREVIEW_PATIENCE):
                raise self._conversation.come_back(str(busy)) from None
            self._write(symbol, line.evolve(outcome="not previewed", reason=str(busy)))

    def follow(self, run: Run) -> None:
        """A preview has nothing to follow."""

    def report(self, run: Run) -> tuple[OrderLine, ...]:
        lines = self._orders.lines(run.run_id)
        return tuple(lines[symbol] for symbol in run.symbols if symbol in lines)

    def _previewed(self, intent: OrderIntent, line: OrderLine) -> OrderLine:
        """Behind every order and cancel. Raises Busy while another conversation goes on."""
        try:
            with self._conversation.hold(intent.run_id, "preview") as lock:
                preview = self._preview(intent, lambda: self._clock.wall_now() < lock.lease_until)
        except OpenbellError as error:
            return line.evolve(outcome="not previewed", reason=error.sentence)
        shown = preview.to_json()
        shown["warnings"] = [warning[:100] for warning in preview.warnings[:1]]
        if preview.error:
            return line.evolve(
                outcome="denied", reason=f"the broker would refuse: {preview.error}", preview=shown
            )
        return line.evolve(outcome="previewed", reason="passed every check", preview=shown)


def _waits_for(still_open: Sequence[OrderRecord]) -> str:
    return "following " + ", ".join(
        f"{order.intent.symbol} {order.state} ({order.filled_quantity}/{order.intent.quantity})"
        for order in still_open
    )


def _position_and_close(figures: Figures) -> tuple[Decimal, datetime]:
    if figures.position is None or figures.session_closes_at is None:
        raise StepError("an order passed its checks without a known position and session")
    return figures.position, figures.session_closes_at
