"""A named person settles an order of unknown fate; the broker's own word is the better one."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.following import Scene, scene
from tests.support.ledger import ACCOUNT, Ledger, fill_of
from worker.errors import Refused
from worker.joined.accounting import Accounting
from worker.joined.reconciling import Reconciling
from worker.journal.foreign import ForeignBook
from worker.journal.ownership import holdings
from worker.journal.resolving import Statement
from worker.models.order import OrderRecord

__all__ = ["scene"]

WHO = {"by": "Ada", "reason": "seen in TWS"}
NOT_SENT = Statement(found="not-sent", **WHO)
GONE = Statement(found="cancelled", **WHO)


def filled(quantity: int, price: str = "444.00") -> Statement:
    return Statement(found="filled", quantity=Decimal(quantity), price=Decimal(price), **WHO)


@pytest.fixture
def reconciling(scene: Scene, ledger: Ledger) -> Reconciling:
    foreign = ForeignBook(ledger.journal, ledger.clock, ACCOUNT)
    accounting = Accounting(
        foreign,
        ledger.book,
        scene.broker,
        lambda: (),
        ledger.clock,
        lambda *_: None,
        lambda _: None,
    )
    return Reconciling(
        ledger.book, ledger.runs, ledger.steps, scene.following, accounting, ledger.clock
    )


def lost(ledger: Ledger, **changes: Any) -> OrderRecord:
    """An order of unknown fate whose run is over, so that upkeep follows it."""
    order = ledger.order("UNKNOWN", quantity=10, **changes)
    assert ledger.runs.close(order.intent.run_id, "done", None)
    return order


def as_it_is(ledger: Ledger, order: OrderRecord) -> tuple[str, int]:
    """Its state, and the shares that its strategy owns by it."""
    owned = ledger.book.owned(1, "AAPL")
    found = ledger.book.get(order.intent.coid)
    assert found.filled_quantity == owned
    return found.state, int(owned)


@pytest.mark.parametrize(
    ("statement", "state", "shares", "words"),
    [
        (filled(10), "FILLED", 10, "filled, 10 at 444.00"),
        (filled(4), "CANCELLED", 4, "filled, 4 at 444.00"),
        (GONE, "CANCELLED", 0, "cancelled"),
        (NOT_SENT, "DENIED", 0, "not-sent"),
    ],
)
def test_the_word_of_a_person_settles_it_with_name_and_reason(
    ledger: Ledger, statement: Statement, state: str, shares: int, words: str
) -> None:
    order = lost(ledger)
    assert ledger.book.blocked_by("AAPL") is not None
    settled = ledger.book.resolve(order.intent.coid, statement)
    assert as_it_is(ledger, order) == (state, shares)
    cause = f"resolved by Ada: seen in TWS as {words}"
    assert settled.reasons == (cause,)
    event = ledger.book.events(order.intent.coid)[-1]
    assert (event["state"], event["cause"]) == (state, cause)
    assert ledger.book.blocked_by("AAPL") is None
    executions = [fill.execution_id for fill in ledger.book.fills_of_run(order.intent.run_id)]
    assert executions == ([f"manual:{order.intent.coid}:1"] if shares else [])


def test_a_statement_adds_to_the_executions_that_are_known(ledger: Ledger) -> None:
    order = lost(ledger)
    ledger.fill(order.intent.coid, 4, "440.00")
    settled = ledger.book.resolve(order.intent.coid, filled(6, "445.00"))
    assert as_it_is(ledger, order) == ("FILLED", 10)
    assert settled.average_price == Decimal(443)


@pytest.mark.parametrize(
    "state",
    ["INTENDED", "DENIED", "SENDING", "WORKING", "PARTIAL", "FILLED", "CANCELLED", "REJECTED"],
)
def test_only_an_order_of_unknown_fate_is_settled_by_hand(ledger: Ledger, state: Any) -> None:
    order = ledger.order(state)
    with pytest.raises(Refused, match=f"is {state}; only an order whose fate is UNKNOWN"):
        ledger.book.resolve(order.intent.coid, GONE)
    assert ledger.book.get(order.intent.coid) == order


@pytest.mark.parametrize(
    ("side", "statement", "words"),
    [
        ("BUY", filled(7), "at most 6 shares more can have filled"),
        ("BUY", filled(6, "445.01"), "is a BUY with the limit 445.00: it cannot have filled at"),
        ("SELL", filled(6, "444.99"), "is a SELL with the limit 445.00: it cannot have filled"),
        ("BUY", NOT_SENT, "was sent: the journal has executions of 4 shares"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_booked(
    ledger: Ledger, side: Any, statement: Statement, words: str
) -> None:
    ledger.own(20)
    order = lost(ledger, side=side)
    ledger.fill(order.intent.coid, 4)
    before = ledger.book.get(order.intent.coid)
    with pytest.raises(Refused, match=words):
        ledger.book.resolve(order.intent.coid, statement)
    assert ledger.book.get(order.intent.coid) == before
    assert len(ledger.book.fills_of_run(order.intent.run_id)) == 1


def test_the_brokers_executions_replace_what_was_stated_and_no_share_counts_twice(
    ledger: Ledger, scene: Scene, reconciling: Reconciling, clock: ManualClock
) -> None:
    order = lost(ledger)
    ledger.book.resolve(order.intent.coid, filled(10, "445.00"))
    reconciling.once()
    assert as_it_is(ledger, order) == ("FILLED", 10)
    clock.advance(60)
    scene.trades(order, 4)
    reconciling.once()
    assert as_it_is(ledger, order) == ("UNKNOWN", 4)
    assert ledger.book.blocked_by("AAPL") is not None
    scene.trades(order, 4, 6)
    reconciling.once()
    assert as_it_is(ledger, order) == ("FILLED", 10)
    assert scene.alarms == [order.intent.coid]
    assert ledger.book.get(order.intent.coid).average_price == Decimal(444)
    [holding] = holdings(ledger.journal)
    assert (holding.quantity, holding.average_cost_usd) == (10, 444)
    booked = [
        (fill.execution_id, int(fill.quantity))
        for fill in ledger.book.fills_of_run(order.intent.run_id)
    ]
    by_hand = f"manual:{order.intent.coid}"
    assert sorted(booked) == [
        ("e-1", 4), ("e-2", 6), (f"{by_hand}:1", 10), (f"{by_hand}:2", -10),
    ]  # fmt: skip


@pytest.mark.parametrize("statement", [filled(4), GONE, NOT_SENT])
def test_an_execution_of_an_order_that_was_said_to_be_over_opens_it_again(
    ledger: Ledger, scene: Scene, reconciling: Reconciling, statement: Statement
) -> None:
    order = lost(ledger)
    ledger.book.resolve(order.intent.coid, statement)
    scene.trades(order, 10)
    reconciling.once()
    assert as_it_is(ledger, order) == ("UNKNOWN", 10)
    assert "the broker shows an execution of it (e-1)" in "; ".join(scene.now(order).reasons)
    reconciling.once()
    assert as_it_is(ledger, order) == ("FILLED", 10)
    assert scene.alarms == [order.intent.coid]


@pytest.mark.parametrize("statement", [filled(10), filled(4), GONE, NOT_SENT])
def test_an_order_that_lives_at_the_broker_is_not_over(
    ledger: Ledger, scene: Scene, reconciling: Reconciling, statement: Statement
) -> None:
    order = lost(ledger)
    ledger.book.resolve(order.intent.coid, statement)
    scene.lists(order, "Submitted")
    reconciling.once()
    assert as_it_is(ledger, order) == ("UNKNOWN", 0)
    reconciling.once()
    assert as_it_is(ledger, order) == ("WORKING", 0)
    assert scene.alarms == [order.intent.coid]


@pytest.mark.parametrize(
    ("statement", "status", "shown"),
    [(GONE, "Cancelled", 0), (filled(4), "Cancelled", 4), (filled(10), "Filled", 10)],
)
def test_a_list_that_agrees_changes_nothing(
    ledger: Ledger, scene: Scene, reconciling: Reconciling, statement: Statement,
    status: str, shown: int,
) -> None:  # fmt: skip
    order = lost(ledger)
    settled = ledger.book.resolve(order.intent.coid, statement)
    scene.lists(order, status, shown)
    reconciling.once()
    assert scene.now(order) == settled


@pytest.mark.parametrize(
    ("statement", "status", "shown"),
    [(GONE, "Cancelled", 4), (filled(10), "Cancelled", 4), (filled(4), "Filled", 10)],
)
def test_a_list_that_says_otherwise_opens_it_again(
    ledger: Ledger, scene: Scene, reconciling: Reconciling, statement: Statement,
    status: str, shown: int,
) -> None:  # fmt: skip
    order = lost(ledger)
    ledger.book.resolve(order.intent.coid, statement)
    scene.lists(order, status, shown)
    reconciling.once()
    assert as_it_is(ledger, order) == ("UNKNOWN", 0)


def test_the_broker_is_watched_for_a_day(
    ledger: Ledger, scene: Scene, reconciling: Reconciling, clock: ManualClock
) -> None:
    order = lost(ledger)
    ledger.book.resolve(order.intent.coid, GONE)
    clock.advance(timedelta(days=1).total_seconds())
    reconciling.once()
    assert scene.broker.reads == 2  # for the order, and for the account
    clock.advance(1)
    reconciling.once()
    assert scene.broker.reads == 3
    # Whenever an execution comes all the same, it counts once, and opens the order.
    late = fill_of(order, 10, "444.00", 7)
    assert [ledger.book.add_fills([late]), ledger.book.add_fills([late])] == [[late], []]
    assert as_it_is(ledger, order) == ("UNKNOWN", 10)


def test_an_order_can_be_settled_again_after_it_was_opened_again(
    ledger: Ledger, scene: Scene, reconciling: Reconciling
) -> None:
    order = lost(ledger)
    ledger.book.resolve(order.intent.coid, filled(10))
    scene.lists(order, "Cancelled", 6)
    reconciling.once()
    ledger.book.resolve(order.intent.coid, filled(6))
    assert as_it_is(ledger, order) == ("CANCELLED", 6)
    reconciling.once()
    assert as_it_is(ledger, order) == ("CANCELLED", 6)
