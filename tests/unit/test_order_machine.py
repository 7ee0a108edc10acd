"""Any sequence of answers, losses, restarts and evidence: one order a decision, no guess, no sale
of what is not owned."""

import shutil
import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, CLOSES_AT, LEASE, Ledger
from tests.support.trading import SESSION, Trading, signal
from tests.support.values import OPEN, run, strategy
from tests.support.world import BEHAVIOURS, SESSION_END_MARGIN, Crash, MortalLocks, World
from worker.checkpoints import POINTS
from worker.errors import OpenbellError, RunIsOver
from worker.fencing import Fence
from worker.joined.desks import OrderDesk
from worker.joined.reconciling import Reconciling
from worker.journal.adjustments import AdjustmentBook, Said
from worker.journal.engine import Journal
from worker.models.run import Run
from worker.models.strategy import Strategy
from worker.orders.conversation import Conversation
from worker.waiting import Wait

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
STRATEGIES = {
    number: strategy(
        id=number, name=f"strategy-{number}", symbols=["AAPL"],
        sizing={"method": "fixed_quantity", "quantity": 6 + number},
    )
    for number in (1, 2)
}  # fmt: skip
OF_AN_ORDER = [point for point in POINTS if point.split(":")[0] not in ("reply", "publish", "ack")]
CRASHES = st.sampled_from([None, None, *OF_AN_ORDER])
GIVEN = 5
OVER = {"DENIED", "REJECTED", "FILLED", "CANCELLED", "EXPIRED"}


class Orders(RuleBasedStateMachine):
    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "journal.db")
        self.journal = Journal(f"sqlite:///{self.folder / 'journal.db'}")
        self.clock = ManualClock(OPEN + timedelta(minutes=2))
        ledger = self.ledger = Ledger(self.journal, self.clock)
        self.locks = MortalLocks(self.journal, self.clock)
        ledger.locks = self.locks
        self.world = World(self.clock, self.locks)
        trading = Trading(ledger, self.clock, self.folder, self.world, self.world.reach)
        trading.conversation = Conversation(self.locks, ACCOUNT, self.clock)
        trading._strategy_now = self._strategy  # type: ignore[method-assign]
        self.trading = trading
        self.reconciling = Reconciling(
            ledger.book, ledger.runs, ledger.steps, trading.following, trading.accounting,
            self.clock,
        )  # fmt: skip
        self.runs: list[tuple[Run, Fence]] = []

    def teardown(self) -> None:
        try:
            self._come_to_an_end()
        finally:
            self.journal.close()
            shutil.rmtree(self.folder)

    def _strategy(self, strategy_id: int) -> Strategy:
        return STRATEGIES[strategy_id]

    @initialize()
    def the_first_look(self) -> None:
        for _ in range(2):
            self.clock.advance(10)
            self.trading.accounting.look()
        said = AdjustmentBook(self.journal, self.clock, ACCOUNT)
        for number in STRATEGIES:
            said.adopt("AAPL", Decimal(GIVEN), number, Said(who="a test", why="shares to sell"))

    # What Openbell does

    @precondition(lambda self: not self.world.session_is_over)
    @rule(
        number=st.sampled_from(sorted(STRATEGIES)),
        side=st.sampled_from(["BUY", "SELL"]),
        behaviour=st.sampled_from(BEHAVIOURS),
        crash=CRASHES,
    )
    def a_run_decides(self, number: int, side: Any, behaviour: str, crash: str | None) -> None:
        not_after = self.clock.now + timedelta(minutes=30)
        chosen = STRATEGIES[number]
        fence = self.ledger.begin_run(number, strategy=chosen, not_after=not_after)
        its = run(
            run_id=fence.run_id, slot=f"manual:{fence.run_id}", mode="paper", strategy=chosen,
            signals=[signal("AAPL", side, as_of=self.clock.now)], session=SESSION,
            not_after=not_after,
        )  # fmt: skip
        self.runs.append((its, fence))
        self.world.behaviour, self.world.crash_at = behaviour, crash
        self._work(len(self.runs) - 1)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), behaviour=st.sampled_from(BEHAVIOURS), crash=CRASHES)
    def a_copy_of_its_step_comes(self, data: Any, behaviour: str, crash: str | None) -> None:
        """Delivered again, after its lease died or as an older copy that was paused."""
        index = data.draw(st.integers(0, len(self.runs) - 1))
        its, fence = self.runs[index]
        if data.draw(st.booleans()):
            self.clock.advance(LEASE.total_seconds() + 1)
            claim = self.ledger.steps.claim(fence.run_id, 7, "place_orders")
            if claim.kind != "run":
                return
            self.runs[index] = (its, Fence(fence.run_id, 7, claim.token))
        self.world.behaviour, self.world.crash_at = behaviour, crash
        self._work(index)

    def _work(self, index: int) -> None:
        its, fence = self.runs[index]
        desk: OrderDesk = self.trading.order_desk(fence)
        self.locks.dead = False
        try:
            for symbol in desk.undecided(its):
                desk.decide(its, symbol)
            desk.follow(its)
        except (Wait, Crash, RunIsOver, OpenbellError):
            pass  # whatever it was, the invariants hold
        finally:
            self.world.crash_at, self.locks.dead = None, False

    @rule()
    def the_account_is_reconciled(self) -> None:
        self.reconciling.once()

    @precondition(lambda self: len(self.runs) > 3)
    @rule(data=st.data())
    def a_run_is_cancelled(self, data: Any) -> None:
        self.ledger.runs.cancel(data.draw(st.sampled_from(self.runs))[0].run_id)

    # What the broker does

    @precondition(lambda self: self.world.placed)
    @rule(data=st.data(), quantity=st.sampled_from([2, 8]))
    def shares_are_filled(self, data: Any, quantity: int) -> None:
        self.world.fill(data.draw(st.sampled_from(sorted(self.world.placed))), quantity)

    @precondition(lambda self: self.world.placed)
    @rule(data=st.data())
    def the_broker_cancels_one(self, data: Any) -> None:
        coid = data.draw(st.sampled_from(sorted(self.world.placed)))
        self.world.placed[coid] = self.world.placed[coid].evolve(over=True)

    @rule(hidden=st.sampled_from([(False, False), (True, False), (False, True)]))
    def its_lists_show_less(self, hidden: tuple[bool, bool]) -> None:
        self.world.hides_orders, self.world.hides_trades = hidden

    @rule(seconds=st.sampled_from([1, 6, 16, 40, 301]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: len(self.runs) > 8)
    @rule()
    def the_bell_rings(self) -> None:
        self.clock.now = max(self.clock.now, CLOSES_AT + SESSION_END_MARGIN)
        self.world.end_all()

    # What must be true, always

    @invariant()
    def one_decision_is_at_most_one_order(self) -> None:
        assert all(count == 1 for count in self.world.submitted.values()), self.world.submitted
        keys = [(order.intent.run_id, order.intent.symbol) for order in self.world.placed.values()]
        assert len(keys) == len(set(keys))

    @invariant()
    def every_order_at_the_broker_is_in_the_journal(self) -> None:
        for coid in self.world.placed:
            assert self.ledger.book.find(coid) is not None

    @invariant()
    def no_state_is_a_guess(self) -> None:
        for its, _ in self.runs:
            for order in self.ledger.book.of_run(its.run_id):
                self._is_true(order)

    def _is_true(self, order: Any) -> None:
        there = self.world.placed.get(order.intent.coid)
        filled = there.filled if there else 0
        assert order.filled_quantity <= filled
        if order.state in ("DENIED", "REJECTED"):
            assert there is None, order
        elif order.state == "FILLED":
            assert filled == order.intent.quantity
        elif order.state == "CANCELLED":
            assert there is not None, order
            assert there.over, order
            assert order.filled_quantity == filled, order
        elif order.state == "EXPIRED":
            assert there is None or there.over, order
            assert order.filled_quantity == filled, order

    @invariant()
    def nothing_is_sold_that_a_strategy_did_not_buy(self) -> None:
        for number in STRATEGIES:
            assert GIVEN + self.world.owned(number) >= 0

    def _come_to_an_end(self) -> None:
        """Fills that nobody sees yet, the bell, and evidence in the end: every order is settled as
        it was, and none before it is known how."""
        self.its_lists_show_less((False, True))
        for number, coid in enumerate(sorted(self.world.placed)):
            self.world.fill(coid, 2)
            if number % 2:
                self.world.placed[coid] = self.world.placed[coid].evolve(over=True)
        self._look_at_all(times=2)
        self.clock.now = max(self.clock.now, CLOSES_AT + SESSION_END_MARGIN)
        self.world.end_all()
        for hidden in ((False, True), (True, True), (True, False), (False, False)):
            self.its_lists_show_less(hidden)
            self._look_at_all(times=3)
        for its, _ in self.runs:
            for order in self.ledger.book.of_run(its.run_id):
                assert order.state in OVER, order
        for number in STRATEGIES:
            assert self.ledger.book.owned(number, "AAPL") == GIVEN + self.world.owned(number)

    def _look_at_all(self, times: int) -> None:
        for _ in range(times):
            self.clock.advance(40)
            for index in range(len(self.runs)):
                self._work(index)
            self.reconciling.once()
            self.no_state_is_a_guess()


def test_orders_of_any_history(new_journal: Path) -> None:
    Orders.template = new_journal
    run_state_machine_as_test(
        Orders,
        settings=settings(
            max_examples=60, stateful_step_count=50, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck), print_blob=True,
        ),
    )  # fmt: skip
