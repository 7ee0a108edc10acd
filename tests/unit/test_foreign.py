"""What of the account is nobody's here, and what blocks a symbol."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, CONIDS, Ledger, at_once, fill_of
from tests.support.values import OPEN
from worker.journal.foreign import ForeignBook
from worker.models.account import Look, Shares
from worker.models.market import Position
from worker.models.order import BrokerOrder, Fill, LiveOrders, OrderRecord, Trades

IBM = 8314


class Account:
    """What the broker shows of it."""

    def __init__(self, ledger: Ledger, clock: ManualClock) -> None:
        self.ledger, self.clock = ledger, clock
        self.book = ForeignBook(ledger.journal, clock, ACCOUNT)
        self.held: dict[str, int] = {"AAPL": 100, "IBM": 40}
        self.listed: list[BrokerOrder] = []
        self.trades: list[Fill] = []
        self.snapshot = self.complete = True

    def look(self, later_seconds: float = 10) -> Look:
        self.clock.advance(later_seconds)
        positions = [
            Position(conid=_conid(symbol), symbol=symbol, quantity=Decimal(quantity))
            for symbol, quantity in self.held.items()
            if quantity
        ]
        listed = LiveOrders(orders=tuple(self.listed), snapshot=self.snapshot)
        trades = Trades(fills=tuple(self.trades), complete=self.complete)
        return self.book.look(positions, listed, trades)

    def begin(self) -> Look:
        """The first look, complete."""
        self.look()
        return self.look()

    def trade(self, symbol: str, side: Any, quantity: int, **changes: Any) -> Fill:
        data: dict[str, Any] = {
            "execution_id": f"f-{len(self.trades)}", "conid": _conid(symbol), "symbol": symbol,
            "side": side, "quantity": Decimal(quantity), "price": Decimal(100),
            "coid": "a person's", "broker_order_id": f"9{len(self.trades)}", "executed_at": OPEN,
        }  # fmt: skip
        fill = Fill(**(data | changes))
        self.trades.append(fill)
        return fill

    def order(self, coid: str | None, symbol: str = "AAPL", **changes: Any) -> BrokerOrder:
        data: dict[str, Any] = {
            "broker_order_id": f"7{len(self.listed)}", "coid": coid, "conid": _conid(symbol),
            "symbol": symbol, "side": "BUY", "status": "Submitted",
            "remaining_quantity": Decimal(5),
        }  # fmt: skip
        row = BrokerOrder(**(data | changes))
        self.listed.append(row)
        return row

    def fills(self, order: OrderRecord, quantity: int, number: int = 1, **changes: Any) -> Fill:
        fill = fill_of(order, quantity, "444.00", number, **changes)
        self.trades.append(fill)
        return fill


def _conid(symbol: str) -> int:
    return CONIDS.get(symbol, IBM)


def of(look: Look, symbol: str) -> Shares:
    return next(each for each in look.shares if each.symbol == symbol)


def blocked(account: Account, symbol: str) -> str | None:
    return account.ledger.book.blocked_by(symbol)


@pytest.fixture
def account(ledger: Ledger, clock: ManualClock) -> Account:
    return Account(ledger, clock)


# The first look


def test_what_is_there_at_the_first_look_is_the_baseline(account: Account) -> None:
    account.trade("IBM", "BUY", 40)
    account.order("a person's")
    assert (account.look(), account.book.is_ready()) == (Look(ready=False), False)
    assert account.book.expected("AAPL", CONIDS["AAPL"]) is None
    found = account.look()
    assert (found.ready, account.book.is_ready()) == (True, True)
    assert [(each.symbol, each.foreign, each.unexplained) for each in found.shares] == [
        ("AAPL", 100, None), ("IBM", 40, None),
    ]  # fmt: skip
    assert account.book.expected("AAPL", CONIDS["AAPL"]) == 100
    assert account.book.expected("MSFT", CONIDS["MSFT"]) == 0
    [order] = account.book.orders()
    assert (order.coid, order.in_baseline) == ("a person's", True)


def test_two_looks_too_close_to_each_other_are_one(account: Account) -> None:
    account.look()
    assert not account.look(5.9).ready
    assert account.look(0.1).ready


@pytest.mark.parametrize("moves", ["a position", "an execution", "a trade that cannot be read"])
def test_an_account_that_moves_between_two_looks_is_looked_at_again(
    account: Account, moves: str
) -> None:
    account.look()
    if moves == "a position":
        account.held["AAPL"] = 101
    elif moves == "an execution":
        account.trade("AAPL", "BUY", 1)
    else:
        account.complete = False
    assert not account.look().ready
    account.complete = True
    account.look()
    assert account.look().ready


def test_orders_underway_put_the_first_look_off(account: Account) -> None:
    """Of an earlier version: their fills would be taken for foreign shares."""
    order = account.ledger.order("WORKING", quantity=10)
    account.look()
    assert not account.look().ready
    account.ledger.fill(order.intent.coid, 10)
    account.ledger.book.settle(order.intent.coid, "WORKING", "FILLED", "a test")
    account.held["AAPL"] = 110
    account.look()
    found = of(account.look(), "AAPL")
    assert (found.owned, found.foreign, found.unexplained) == (10, 100, None)


def test_of_twenty_that_look_at_once_nobody_breaks_and_one_row_is_made(account: Account) -> None:
    found = at_once(20, lambda _: account.look(0).ready)
    assert found == [False] * 20
    assert account.look().ready


# What moves shares


def test_own_fills_and_foreign_executions_explain_every_share(account: Account) -> None:
    account.begin()
    order = account.ledger.order("WORKING", quantity=10)
    account.ledger.book.add_fills([account.fills(order, 10)])
    account.trade("AAPL", "SELL", 30)
    account.trade("MSFT", "BUY", 5)
    account.held |= {"AAPL": 80, "MSFT": 5}
    look = account.look()
    assert [each.unexplained for each in look.shares] == [None] * 3
    found = of(look, "AAPL")
    assert (found.held, found.owned, found.foreign) == (80, 10, 70)
    assert of(account.look(), "MSFT").foreign == 5  # counted once
    assert blocked(account, "AAPL") is None


@pytest.mark.parametrize("holds", [110, 90, 0, 400])
def test_a_position_that_moved_without_an_execution_blocks_its_symbol_at_the_second_look(
    account: Account, holds: int
) -> None:
    account.begin()
    account.held["AAPL"] = holds
    first = of(account.look(), "AAPL")
    assert (first.unexplained, first.confirmed) == (holds - 100, False)
    assert blocked(account, "AAPL") is None
    assert not of(account.look(5.9), "AAPL").confirmed
    assert of(account.look(0.1), "AAPL").confirmed
    more = "more" if holds > 100 else "fewer"
    assert blocked(account, "AAPL") == (
        f"the account holds {abs(holds - 100)} {more} shares than is explained"
    )
    assert blocked(account, "IBM") is None


def test_a_new_symbol_that_came_without_an_execution_blocks_too(account: Account) -> None:
    account.begin()
    account.held["MSFT"] = 7
    account.look()
    account.look()
    assert blocked(account, "MSFT") is not None


def test_a_list_of_trades_that_lags_blocks_nothing_once_it_caught_up(account: Account) -> None:
    account.begin()
    account.held["AAPL"] = 130
    account.look()
    account.trade("AAPL", "BUY", 30)
    assert of(account.look(), "AAPL").unexplained is None
    assert blocked(account, "AAPL") is None


def test_what_blocks_goes_on_blocking_while_the_number_changes_and_ends_when_it_is_explained(
    account: Account,
) -> None:
    account.begin()
    account.held["AAPL"] = 130
    account.look()
    account.look()
    account.held["AAPL"] = 131
    assert of(account.look(), "AAPL").confirmed
    assert blocked(account, "AAPL") is not None
    account.held["AAPL"] = 100
    account.look()
    assert blocked(account, "AAPL") is None


# Executions that might be ours


def test_an_execution_without_ids_is_nobodys_yet_while_an_order_may_be_it(
    account: Account,
) -> None:
    account.begin()
    order = account.ledger.order("UNKNOWN", quantity=10)
    account.fills(order, 10, coid=None, broker_order_id="4711")
    account.held["AAPL"] = 110
    found = of(account.look(), "AAPL")
    assert (found.foreign, found.unexplained) == (100, 10)


def test_an_execution_taken_for_foreign_is_given_back_when_its_order_is_known(
    account: Account,
) -> None:
    account.begin()
    fill = account.trade("AAPL", "BUY", 10, coid=None, broker_order_id="4711")
    account.held["AAPL"] = 110
    assert of(account.look(), "AAPL").foreign == 110
    order = account.ledger.order("WORKING", quantity=10)
    account.ledger.book.settle(
        order.intent.coid, "WORKING", "WORKING", "a test", broker_order_id="4711"
    )
    assert list(account.ledger.book.add_fills([fill])) == [fill]
    found = of(account.look(), "AAPL")
    assert (found.owned, found.foreign, found.unexplained) == (10, 100, None)


# Foreign orders


def test_foreign_orders_are_seen_tagged_and_gone_when_a_whole_list_shows_them_no_more(
    account: Account,
) -> None:
    account.begin()
    account.order("a person's")
    mine = account.ledger.order("WORKING")
    account.order(mine.intent.coid, broker_order_id=mine.broker_order_id)
    account.order(None, broker_order_id=mine.broker_order_id)
    account.look()
    [order] = account.book.orders()
    assert (order.coid, order.status, order.in_baseline) == ("a person's", "Submitted", False)
    account.listed.clear()
    account.snapshot = False
    account.look()
    assert account.book.orders()[0].status == "Submitted"
    account.snapshot = True
    account.look()
    assert account.book.orders()[0].status == "no longer listed"


def test_a_working_order_with_an_id_like_ours_that_the_journal_does_not_know_blocks(
    account: Account,
) -> None:
    account.begin()
    account.order("ob-of-a-lost-journal")
    assert [each.coid for each in account.look().strays] == ["ob-of-a-lost-journal"]
    assert blocked(account, "AAPL") == (
        "order ob-of-a-lost-journal works at the broker and is not in the journal"
    )
    assert blocked(account, "MSFT") is None
    account.listed.clear()
    assert account.look().strays == ()
    assert blocked(account, "AAPL") is None


def test_another_accounts_rows_say_nothing(account: Account) -> None:
    account.begin()
    other = ForeignBook(account.ledger.journal, account.clock, "DU7654321")
    assert (other.is_ready(), list(other.orders())) == (False, [])
    assert other.expected("AAPL", CONIDS["AAPL"]) is None


def test_the_second_look_is_at_another_read_of_the_lists() -> None:
    from worker.ibkr.reads import SHARED_SECONDS
    from worker.journal.foreign import SECOND_LOOK_AFTER

    assert timedelta(seconds=SHARED_SECONDS) < SECOND_LOOK_AFTER
