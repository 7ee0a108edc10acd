"""The exchange and its book: what is taken, what is refused, and what stays on disk."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scripts.sandbox.book import Book
from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.exchange import FIRST_CASH, Exchange
from scripts.sandbox.instruments import BY_SYMBOL
from scripts.sandbox.market import Market
from scripts.sandbox.prices import daily_prices
from scripts.sandbox.records import ZERO, Order, Status, Ticket
from scripts.sandbox.sessions import nyse
from scripts.sandbox.valuation import value

NOW = datetime(2013, 2, 27, 10, 0, tzinfo=NEW_YORK)
MARKET = Market(nyse(), daily_prices())


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    book = Book(tmp_path / "book.db")
    yield book
    book.close()


@pytest.fixture
def exchange(book: Book) -> Exchange:
    return Exchange(book, MARKET, NOW)


def ticket(symbol: str = "GOOGL", **changes: Any) -> Ticket:
    values: dict[str, Any] = dict(
        conid=BY_SYMBOL[symbol].conid, symbol=symbol, side="BUY", order_type="MKT",
        quantity=Decimal(10), limit_price=None, tif="DAY", coid=None,
    )  # fmt: skip
    return Ticket(**(values | changes))


def limit(price: str, **changes: Any) -> Ticket:
    return ticket(order_type="LMT", limit_price=Decimal(price), **changes)


def refusal(exchange: Exchange, wanted: Ticket) -> str:
    refused = exchange.refusal(wanted, NOW)
    return refused.text if refused else ""


def after(exchange: Exchange, order: Order, seconds: float) -> Order:
    exchange.advance(NOW + timedelta(seconds=seconds))
    found = exchange.book.order(order.order_id)
    assert found is not None
    return found


def test_account_begins_with_cash_and_shares_that_no_strategy_bought(exchange: Exchange) -> None:
    held = {p.symbol: p.quantity for p in exchange.book.positions()}
    assert exchange.book.cash() == FIRST_CASH
    assert held == {"AAPL": Decimal(100), "IBM": Decimal(50)}


def test_a_fill_moves_cash_and_position_by_exactly_its_price_and_commission(
    exchange: Exchange,
) -> None:
    done = after(exchange, exchange.accept(ticket(), NOW), 1)
    (fill,) = exchange.book.fills()
    paid = fill.price * 10 + Decimal("1.00")
    held = exchange.book.position("GOOGL")
    assert done.status is Status.FILLED
    assert exchange.book.cash() == FIRST_CASH - paid
    assert (held.quantity, held.cost) == (Decimal(10), paid / 10)


def test_a_sale_of_everything_leaves_its_gain_and_no_cost(exchange: Exchange) -> None:
    after(exchange, exchange.accept(ticket(), NOW), 1)
    later = NOW + timedelta(seconds=1)
    exchange.accept(ticket(side="SELL"), later)
    exchange.advance(later + timedelta(seconds=1))
    held = exchange.book.position("GOOGL")
    assert (held.quantity, held.cost) == (ZERO, ZERO)
    assert held.realized == exchange.book.cash() - FIRST_CASH


def test_worth_of_the_account_is_cash_and_shares_at_the_market(exchange: Exchange) -> None:
    worth = value(exchange.book, MARKET, NOW)
    apple, ibm = MARKET.price("AAPL", NOW), MARKET.price("IBM", NOW)
    assert apple is not None
    assert ibm is not None
    assert worth.net == FIRST_CASH + 100 * apple + 50 * ibm
    assert worth.unrealized == 0
    # Since yesterday's closes of 448.97 and 199.14, and nothing was traded.
    assert worth.daily == 100 * (apple - Decimal("448.97")) + 50 * (ibm - Decimal("199.14"))


def test_a_limit_far_from_the_market_is_refused(exchange: Exchange) -> None:
    assert "closer to the current market price" in refusal(exchange, limit("500.00"))
    assert refusal(exchange, limit("790.00")) == ""


def test_more_shares_than_are_free_cannot_be_sold(exchange: Exchange) -> None:
    selling = ticket("AAPL", side="SELL", quantity=Decimal(60))
    assert refusal(exchange, selling) == ""
    exchange.accept(limit("460.00", symbol="AAPL", side="SELL", quantity=Decimal(60)), NOW)
    assert "no short selling" in refusal(exchange, selling)
    assert "no short selling" in refusal(exchange, ticket("MSFT", side="SELL"))


def test_more_than_the_free_cash_cannot_be_bought(exchange: Exchange) -> None:
    buying = limit("795.00", quantity=Decimal(700))
    assert refusal(exchange, buying) == ""
    exchange.accept(buying, NOW)
    assert "AVAILABLE FUNDS" in refusal(exchange, buying)


def test_a_stock_without_prices_yet_is_refused(book: Book) -> None:
    early = datetime(2003, 1, 6, 12, tzinfo=NEW_YORK)
    refused = Exchange(book, MARKET, early).refusal(ticket(), early)
    assert refused is not None
    assert "no prices of GOOGL yet" in refused.text


def test_a_clients_own_id_is_taken_for_a_day(exchange: Exchange) -> None:
    exchange.accept(ticket(coid="once"), NOW)
    asked = [
        exchange.duplicate("once", NOW + timedelta(hours=23, minutes=59)),
        exchange.duplicate("once", NOW + timedelta(hours=24)),
        exchange.duplicate("twice", NOW),
        exchange.duplicate(None, NOW),
    ]
    assert asked == [True, False, False, False]


def test_order_ids_go_on_after_the_book_is_opened_again(tmp_path: Path) -> None:
    ids: list[int] = []
    for _ in range(2):
        book = Book(tmp_path / "again.db")
        exchange = Exchange(book, MARKET, NOW)
        ids += [exchange.accept(ticket(coid=f"c{len(ids)}"), NOW).order_id for _ in range(2)]
        book.close()
    assert [number - ids[0] for number in ids] == [0, 1, 2, 3]


def test_an_opened_book_gives_back_the_orders_as_they_were(tmp_path: Path) -> None:
    book = Book(tmp_path / "again.db")
    exchange = Exchange(book, MARKET, NOW)
    exchange.accept(ticket(quantity=Decimal(300), coid="a"), NOW)
    exchange.accept(limit("780.00", coid="b"), NOW)
    exchange.advance(NOW + timedelta(seconds=1))
    before = book.orders(), book.fills(), book.positions(), book.cash()
    book.close()
    again = Book(tmp_path / "again.db")
    Exchange(again, MARKET, NOW + timedelta(seconds=1))
    assert (again.orders(), again.fills(), again.positions(), again.cash()) == before
    again.close()


def test_only_working_orders_can_be_cancelled(exchange: Exchange) -> None:
    resting = exchange.accept(limit("780.00"), NOW)
    exchange.cancel(resting, NOW)
    cancelled = after(exchange, resting, 1)
    assert (cancelled.status, cancelled.reason) == (Status.CANCELLED, None)
    exchange.cancel(cancelled, NOW + timedelta(seconds=2))
    assert after(exchange, resting, 3) == cancelled


def test_an_order_set_aside_rests_until_it_is_cancelled(exchange: Exchange) -> None:
    aside = exchange.accept(ticket(), NOW)
    exchange.set_aside(aside, Status.INACTIVE, "on hold", NOW)
    resting = after(exchange, aside, 5)
    assert (resting.status, resting.filled, resting.reason) == (Status.INACTIVE, ZERO, "on hold")
    exchange.cancel(resting, NOW + timedelta(seconds=5))
    assert after(exchange, aside, 5).status is Status.CANCELLED


def test_requests_are_counted_by_path_with_their_violations(book: Book) -> None:
    for second, violation in ((1.0, False), (1.5, True), (2.0, True)):
        book.count_request("GET /tickle", second, violation)
    book.count_request("POST /logout", 2.0, False)
    assert (book.requests(), book.violations()) == ({"GET /tickle": 3, "POST /logout": 1}, 2)


@pytest.mark.parametrize(("fails", "kept"), [(True, []), (False, ["a", "b"])])
def test_what_is_written_together_is_there_whole_or_not_at_all(
    exchange: Exchange, fails: bool, kept: list[str]
) -> None:
    def write() -> None:
        with exchange.book.transaction():
            for coid in ("a", "b"):
                exchange.accept(ticket(coid=coid), NOW)
            if fails:
                raise KeyError

    with suppress(KeyError):
        write()
    assert [order.coid for order in exchange.book.orders()] == kept
