"""Positions that jump, executions that come late, words said twice: no foreign share is sold."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, CLOSES_AT, CONIDS, NOT_AFTER, Ledger, fill_of
from tests.support.trading import Trading, signal
from tests.unit.test_adjustments import ADA, Books, books, owns
from worker.errors import Refused
from worker.joined.accounting import Accounting
from worker.joined.desks import OrderDesk
from worker.joined.reconciling import Reconciling
from worker.journal.adjustments import AdjustmentBook
from worker.journal.foreign import ForeignBook
from worker.models.market import Position
from worker.models.order import LiveOrders, Trades
from worker.waiting import Wait

__all__ = ["books"]
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")


def look(trading: Trading, seconds: float = 10) -> Any:
    trading.clock.advance(seconds)
    return trading.accounting.look()


def reconciling(t: Trading) -> Reconciling:
    return Reconciling(
        t.ledger.book, t.ledger.runs, t.ledger.steps, t.following, t.accounting, t.clock
    )


def test_sale_right_after_a_restart_sells_no_foreign_share_after_a_reverse_split(
    trading: Trading,
) -> None:
    """1:10 overnight while the workers were down; they come back with the session."""
    trading.broker.held["AAPL"] = 110
    trading.ledger.own(10)
    look(trading)  # yesterday: 10 owned, 100 foreign
    look(trading)
    trading.broker.held["AAPL"] = 11  # overnight: 1 of them is the strategy's
    trading.accounting = Accounting(
        trading.foreign,
        trading.ledger.book,
        trading.broker,
        trading.broker.positions,
        trading.clock,
        lambda key, title, text: trading.told.update({key: text}),
        lambda key: None,
    )
    trading.broker.quote = {"previous_close": Decimal("128.50")}

    def known() -> bool:  # Services._account_is_known
        if not trading.accounting.is_current():
            reconciling(trading).once()
        return trading.accounting.is_current()

    run = trading.begin(signal("AAPL", "SELL"))
    desk = OrderDesk(trading.tools(), trading.sending, trading.following, known, trading.reach)
    with suppress(Wait):
        desk.decide(run, "AAPL")
    sold = sum(i.quantity for i in trading.broker.sent)
    assert sold <= 1, f"sold {sold}, of which {sold - 1} are foreign; told: {trading.told}"


def test_a_split_is_not_applied_twice(books: Books) -> None:
    owns(books, 10)
    books.look()
    books.held["AAPL"] = 440  # 4:1 of 10 + 100
    books.look()
    books.look()
    books.said.split("AAPL", 4, 1, ADA)
    with pytest.raises(Refused):
        books.said.split("AAPL", 4, 1, ADA)  # the first answer was not seen; said again
    assert books.ledger.book.owned(1, "AAPL") == 40


def test_after_a_split_said_twice_a_sale_takes_no_foreign_shares(trading: Trading) -> None:
    trading.broker.held["AAPL"] = 110
    trading.ledger.own(10)
    look(trading)
    look(trading)
    trading.broker.held["AAPL"] = 440
    look(trading)
    look(trading)
    said = AdjustmentBook(trading.ledger.journal, trading.clock, ACCOUNT)
    for _ in range(2):
        with suppress(Refused):
            said.split("AAPL", 4, 1, ADA)
    run = trading.begin(signal("AAPL", "SELL"))
    trading.order_desk().decide(run, "AAPL")
    assert [i.quantity for i in trading.broker.sent] in ([], [40])


@pytest.mark.parametrize("state", ["EXPIRED", "CANCELLED", "REJECTED"])
def test_an_execution_that_arrives_after_the_end_is_booked_and_told(
    trading: Trading, state: Any
) -> None:
    look(trading)
    look(trading)
    order = trading.ledger.order(state)
    trading.ledger.runs.close(order.intent.run_id, "done", None)
    trading.broker.held["AAPL"] = 110
    trading.broker.trades = [fill_of(order, 10, "444.00", 1)]
    for _ in range(3):
        trading.clock.advance(30)
        reconciling(trading).once()
    assert trading.ledger.book.owned(1, "AAPL") == 10, trading.told
    assert trading.alarms or trading.told, "nobody was told"


def test_a_late_execution_is_not_bought_again(trading: Trading) -> None:
    """CANCELLED, then its fill: the next run, 20 s later, sees no share of its own."""
    look(trading)
    look(trading)
    order = trading.ledger.order("CANCELLED", quantity=38)
    trading.ledger.runs.close(order.intent.run_id, "done", None)
    trading.broker.held["AAPL"] = 138
    trading.broker.trades = [fill_of(order, 38, "130.00", 1)]
    trading.clock.advance(20)
    reconciling(trading).once()
    run = trading.begin(signal("AAPL"))
    trading.order_desk().decide(run, "AAPL")
    assert trading.broker.sent == [], "bought a second time: the target is 38, it holds 38"


def test_options_of_the_same_name_block_nothing(ledger: Ledger, clock: ManualClock) -> None:
    """The account holds 2 AAPL calls (own conid, the broker's ticker is AAPL as well)."""
    book = ForeignBook(ledger.journal, clock, ACCOUNT)

    def see(stock: int) -> Any:
        clock.advance(10)
        positions = [
            Position(conid=999001, symbol="AAPL", quantity=Decimal(2), security_type="OPT")
        ]
        if stock:
            positions.append(
                Position(
                    conid=CONIDS["AAPL"],
                    symbol="AAPL",
                    quantity=Decimal(stock),
                    security_type="STK",
                )
            )
        return book.look(positions, LiveOrders(orders=(), snapshot=True), Trades(fills=()))

    see(0)

    see(0)
    ledger.own(10)  # the strategy buys
    see(10)
    see(10)
    assert ledger.book.blocked_by("AAPL") is None


def test_shares_of_a_stock_whose_options_are_held_can_be_adopted(
    ledger: Ledger, clock: ManualClock
) -> None:
    book = ForeignBook(ledger.journal, clock, ACCOUNT)
    positions = [
        Position(conid=999001, symbol="AAPL", quantity=Decimal(2), security_type="OPT"),
        Position(conid=CONIDS["AAPL"], symbol="AAPL", quantity=Decimal(50), security_type="STK"),
    ]
    for _ in range(2):
        clock.advance(10)
        book.look(positions, LiveOrders(orders=(), snapshot=True), Trades(fills=()))
    ledger.order("DENIED")  # the journal knows AAPL's conid
    AdjustmentBook(ledger.journal, clock, ACCOUNT).adopt("AAPL", Decimal(10), 1, ADA)


def test_a_contract_that_was_first_seen_under_the_brokers_name_is_blocked_under_ours(
    ledger: Ledger, clock: ManualClock
) -> None:
    book = ForeignBook(ledger.journal, clock, ACCOUNT)

    def see(quantity: int) -> Any:
        clock.advance(10)
        held = [Position(conid=CONIDS["AAPL"], symbol="AAPL.OLD", quantity=Decimal(quantity))]
        return book.look(held, LiveOrders(orders=(), snapshot=True), Trades(fills=()))

    see(50)  # baseline, before the first order

    see(50)
    ledger.order("DENIED")  # from now on the journal has its own name: AAPL
    see(75)
    shares = see(75).shares
    assert [(s.symbol, s.unexplained, s.confirmed) for s in shares] == [("AAPL", 25, True)]
    assert ledger.book.blocked_by("AAPL") is not None


def test_strategies_that_own_more_than_the_account_holds_is_told(trading: Trading) -> None:
    """A person sells the strategy's shares in TWS: an execution 'explains' it with -10 foreign."""
    trading.broker.held["AAPL"] = 10
    look(trading)
    look(trading)
    trading.ledger.own(10)
    trading.broker.held["AAPL"] = 20
    look(trading)
    sale = fill_of(trading.ledger.order("DENIED"), 15, "130", 77).evolve(
        coid="tws", broker_order_id="4711", side="SELL"
    )
    trading.broker.trades = [sale]
    trading.broker.held["AAPL"] = 5
    look(trading)
    found = look(trading)
    [aapl] = [each for each in found.shares if each.symbol == "AAPL"]
    assert (aapl.unexplained is not None) or trading.told, f"{aapl!r}: nobody is told"


def test_own_fills_not_yet_booked_are_no_alert(trading: Trading) -> None:
    """Run C's order filled; C wakes in up to 15 s. Two other processes look, 7 s apart."""
    look(trading)
    look(trading)
    order = trading.ledger.order("WORKING")
    trading.broker.held["AAPL"] = 110
    trading.broker.fills_all(order)
    look(trading, 1)
    look(trading, 7)
    assert trading.told == {}
    assert trading.ledger.book.blocked_by("AAPL") is None


def test_accepting_shares_while_an_order_is_unknown_does_not_expire_it(
    trading: Trading,
) -> None:
    """The alert says: nothing is sent until `openbell reconcile` says whose they are."""
    look(trading)
    look(trading)
    order = trading.ledger.order("UNKNOWN")
    trading.ledger.runs.close(order.intent.run_id, "done", None)
    trading.broker.held["AAPL"] = 110  # it filled; the broker's trades do not show it
    look(trading)
    look(trading)
    assert trading.told
    try:
        AdjustmentBook(trading.ledger.journal, trading.clock, ACCOUNT).accept("AAPL", ADA)
    except Refused:
        return
    trading.clock.now = CLOSES_AT + timedelta(minutes=6)
    for _ in range(3):
        reconciling(trading).once()
        trading.clock.advance(30)
    assert trading.ledger.book.get(order.intent.coid).state == "UNKNOWN"


def test_a_run_whose_window_is_over_does_not_wait_for_the_first_look_for_ever(
    trading: Trading,
) -> None:
    run = trading.begin(signal("AAPL"))
    trading.account_is_known = False  # trades that cannot be read; an account that trades all day
    trading.clock.now = NOT_AFTER + timedelta(days=3)
    trading.order_desk().decide(run, "AAPL")
    assert "AAPL" in trading.ledger.book.lines(run.run_id)


def test_a_position_with_a_long_description_is_looked_at(
    ledger: Ledger, clock: ManualClock
) -> None:
    """/portfolio/positions without `ticker`: contractDesc of an option is 40+ characters."""
    text = "SPY    MAR2026 500 C [SPY   260320C00500000 100]"
    book = ForeignBook(ledger.journal, clock, ACCOUNT)
    positions = [Position(conid=999001, symbol=text, quantity=Decimal(2), security_type="OPT")]
    for _ in range(2):
        clock.advance(10)
        found = book.look(positions, LiveOrders(orders=(), snapshot=True), Trades(fills=()))
    assert found.ready


def test_a_late_execution_of_a_sale_is_not_sold_again_from_foreign_shares(
    trading: Trading,
) -> None:
    trading.broker.held["AAPL"] = 110
    trading.ledger.own(10)
    look(trading)
    look(trading)
    order = trading.ledger.order("CANCELLED", side="SELL", quantity=10, limit_price=Decimal(130))
    trading.ledger.runs.close(order.intent.run_id, "done", None)
    trading.broker.held["AAPL"] = 100  # only the person's are left
    trading.broker.trades = [fill_of(order, 10, "130.00", 1)]
    trading.clock.advance(20)
    reconciling(trading).once()
    run = trading.begin(signal("AAPL", "SELL"))
    trading.order_desk().decide(run, "AAPL")
    assert trading.broker.sent == [], "10 foreign shares are sold"
