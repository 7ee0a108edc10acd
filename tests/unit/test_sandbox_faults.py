"""Arming faults, what they fit, and what an order's fate makes of it, second by second."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scripts.sandbox.book import Book
from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.exchange import Exchange
from scripts.sandbox.faults.armed import Faults
from scripts.sandbox.faults.fate import Decided
from scripts.sandbox.faults.kinds import KINDS, Fault, read_fated
from scripts.sandbox.faults.subject import Subject, coids_in, symbols_in
from scripts.sandbox.instruments import BY_SYMBOL
from scripts.sandbox.market import Market
from scripts.sandbox.prices import daily_prices
from scripts.sandbox.records import ZERO, Order, Status, Ticket
from scripts.sandbox.sessions import nyse
from scripts.sandbox.wishes import WishError

OPEN = datetime(2013, 2, 27, 10, 0, tzinfo=NEW_YORK)
EVENING = datetime(2013, 2, 27, 20, 0, tzinfo=NEW_YORK)
MARKET = Market(nyse(), daily_prices())
SENT = Subject("DU9000001", ("one",), ("AAPL",), "POST", "/iserver/account/DU9000001/orders")
READ = Subject("DU9000001", (), (), "GET", "/iserver/account/orders")


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    book = Book(tmp_path / "book.db")
    yield Exchange(book, MARKET, OPEN)
    book.close()


def fated(exchange: Exchange, *wishes: dict[str, Any], at: datetime = OPEN, **told: Any) -> Order:
    values: dict[str, Any] = dict(
        conid=BY_SYMBOL["GOOGL"].conid, symbol="GOOGL", side="BUY", order_type="MKT",
        quantity=Decimal(10), limit_price=None, tif="DAY", coid=None,
    )  # fmt: skip
    decided = [Decided(f"f{n}", read_fated(wish)) for n, wish in enumerate(wishes)]
    return exchange.accept(Ticket(**(values | told)), at, decided)


def after(exchange: Exchange, order: Order, seconds: float) -> Order:
    """Looked at once only, as after a stop."""
    exchange.advance(order.accepted_at + timedelta(seconds=seconds))
    found = exchange.book.order(order.order_id)
    assert found is not None
    return found


def fired(exchange: Exchange) -> dict[str, int]:
    return {row["id"]: row["count"] for row in exchange.book.notes.fired()}


# What they fit


@pytest.mark.parametrize(
    ("aimed", "fits"),
    [
        ({}, [True, True]),
        ({"method": "POST", "path": "/iserver/account/*/orders"}, [True, False]),
        ({"path": "/iserver/account/orders"}, [False, True]),
        ({"cOID": "o*"}, [True, False]),
        ({"cOID": "two"}, [False, False]),
        ({"symbol": "AAPL"}, [True, False]),
        ({"symbol": "IBM"}, [False, False]),
        ({"account": "DU9000001"}, [True, True]),
        ({"account": "DU1"}, [False, False]),
    ],
)
def test_a_fault_is_aimed_by_request_order_and_account(
    aimed: dict[str, Any], fits: list[bool]
) -> None:
    faults = Faults()
    (fault,) = faults.arm([{"kind": "cut_after"} | aimed])
    assert [fault.wish.fits(subject) for subject in (SENT, READ)] == fits


@pytest.mark.parametrize(
    ("counted", "acts"),
    [
        ({}, [True, False, False, False]),
        ({"nth": 2}, [False, True, False, False]),
        ({"nth": 2, "count": 2}, [False, True, True, False]),
        ({"count": None}, [True, True, True, True]),
    ],
)
def test_a_fault_acts_from_the_nth_on_and_so_often(
    counted: dict[str, Any], acts: list[bool]
) -> None:
    (fault,) = Faults().arm([{"kind": "cut_after", "method": "POST"} | counted])
    assert [fault.meets(s) and fault.use() for s in (READ, SENT, SENT, SENT, SENT)] == [
        False,
        *acts,
    ]


def test_ids_in_a_body_are_found_however_malformed_it_is() -> None:
    good = {"orders": [{"cOID": "a", "conid": 8314}, {"cOID": 7, "conid": "x"}, None]}
    bodies: tuple[Any, ...] = (good, {"orders": 1}, [good], None, {})
    assert [coids_in(body) for body in bodies] == [("a",), (), (), (), ()]
    assert [symbols_in(body) for body in bodies] == [("IBM",), (), (), (), ()]


# How nonsense is refused

STEPS = [{"after_seconds": 5, "shares": 1}, {"after_seconds": 1, "shares": 1}]


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ("cut_after", "write each fault as an object"),
        ({}, "kind: there are refuse, cut_before, "),
        ({"kind": []}, "kind: there are refuse, cut_before, "),
        ({"kind": "explode"}, "kind: there are refuse, cut_before, "),
        ({"kind": "cut_after", "seconds": 1}, "seconds: Extra inputs are not permitted"),
        ({"kind": "cut_after", "nth": 0}, "nth: Input should be greater"),
        ({"kind": "cut_after", "count": 0}, "count: Input should be greater"),
        ({"kind": "cut_after", "id": "a b"}, "id: String should match"),
        ({"kind": "refuse"}, "seconds: Field required"),
        ({"kind": "refuse", "seconds": 0}, "seconds: Input should be greater than 0"),
        ({"kind": "late"}, "delay_seconds: Field required"),
        ({"kind": "late", "delay_seconds": -1}, "delay_seconds: Input should be greater"),
        ({"kind": "status", "status": 99}, "status: Input should be greater"),
        ({"kind": "empty_orders", "path": "*"}, "path: Extra inputs"),
        ({"kind": "ask"}, "rounds: Field required"),
        ({"kind": "ask", "rounds": []}, "rounds: List should have at least 1 item"),
        ({"kind": "ask", "rounds": [["yes?"]]}, "rounds.0.0: String should match"),
        ({"kind": "inactive"}, "reason: Field required"),
        ({"kind": "inactive", "reason": "x", "method": "POST"}, "method: Extra inputs"),
        ({"kind": "partial", "steps": STEPS}, "steps: write them in the order"),
        ({"kind": "cancel_races_fill", "shares": 0}, "shares: Input should be greater"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_in_a_sentence(wish: Any, says: str) -> None:
    faults = Faults()
    with pytest.raises(WishError, match=says):
        faults.arm([{"kind": "cut_before"}, wish])
    assert faults.armed == []


def test_a_name_stands_for_one_armed_fault() -> None:
    faults = Faults()
    faults.arm([{"kind": "cut_after", "id": "mine"}])
    with pytest.raises(WishError, match="id: a fault named mine is armed already"):
        faults.arm([{"kind": "cut_before", "id": "mine"}])
    assert [faults.disarm("mine"), faults.disarm("mine")] == [True, False]
    faults.arm([{"kind": "cut_before", "id": "mine"}])


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_in_the_table_under_its_own_name(name: str) -> None:
    assert KINDS[name].model_fields["kind"].annotation.__args__ == (name,)  # type: ignore[union-attr]
    assert issubclass(KINDS[name], Fault)


# An order's fate

DOOMED = {"kind": "inactive", "reason": "on hold", "after_seconds": 30}


def test_an_order_rests_until_the_broker_ends_it(exchange: Exchange) -> None:
    order = fated(exchange, DOOMED)
    resting = after(exchange, order, 29)
    assert (resting.status, resting.filled, fired(exchange)) == (Status.SUBMITTED, ZERO, {})
    assert after(exchange, order, 30).status is Status.INACTIVE


@pytest.mark.parametrize("began", [OPEN, EVENING])
def test_an_order_has_been_ended_in_time_whenever_it_is_looked_at(
    exchange: Exchange, began: datetime
) -> None:
    order = fated(exchange, DOOMED | {"kind": "system_cancel"}, at=began)
    done = after(exchange, order, 90)
    assert (done.status, done.reason, done.filled) == (Status.CANCELLED, "on hold", ZERO)
    assert done.changed_at == began + timedelta(seconds=30)
    assert fired(exchange) == {"f0": 1}


def test_an_inactive_order_stays_so_and_fires_once(exchange: Exchange) -> None:
    order = fated(exchange, DOOMED)
    for seconds in (40, 50, 60):
        resting = after(exchange, order, seconds)
    assert (resting.status, resting.changed_at) == (Status.INACTIVE, OPEN + timedelta(seconds=30))
    assert fired(exchange) == {"f0": 1}


@pytest.mark.parametrize("stops", [[100], [1, 2, 3, 50, 100], [7, 100]])
def test_an_order_fills_in_its_steps_whenever_it_is_looked_at(
    exchange: Exchange, stops: list[float]
) -> None:
    steps = [{"after_seconds": 2, "shares": 3}, {"after_seconds": 60, "shares": 4}]
    order = fated(exchange, {"kind": "partial", "steps": steps})
    for seconds in stops:
        partly = after(exchange, order, seconds)
    fills = [((f.time - OPEN).total_seconds(), f.quantity) for f in exchange.book.fills()]
    assert fills == [(2, 3), (60, 4)]
    assert (partly.status, partly.remaining) == (Status.SUBMITTED, Decimal(3))
    assert fired(exchange) == {"f0": 1}


def test_a_partly_filled_order_can_be_ended(exchange: Exchange) -> None:
    partial = {"kind": "partial", "steps": [{"after_seconds": 0, "shares": 3}]}
    order = fated(exchange, partial, DOOMED | {"kind": "system_cancel"})
    done = after(exchange, order, 60)
    assert (done.status, done.filled) == (Status.CANCELLED, Decimal(3))
    assert fired(exchange) == {"f0": 1, "f1": 1}


@pytest.mark.parametrize(
    ("shares", "status", "filled"), [(None, "Filled", 10), (4, "Cancelled", 4), (40, "Filled", 10)]
)
def test_a_cancel_can_lose_against_a_fill(
    exchange: Exchange, shares: int | None, status: str, filled: int
) -> None:
    limit = Decimal("780.00")  # below the market: it would not fill by itself
    race = {"kind": "cancel_races_fill", "shares": shares}
    order = fated(exchange, race, order_type="LMT", limit_price=limit)
    resting = after(exchange, order, 5)
    assert (resting.status, fired(exchange)) == (Status.SUBMITTED, {})
    exchange.cancel(resting, OPEN + timedelta(seconds=5))
    done = after(exchange, order, 10)
    assert (done.status, done.filled, done.average) == (status, filled, limit)
    assert fired(exchange) == {"f0": 1}


def test_fates_are_kept_with_the_order(tmp_path: Path) -> None:
    book = Book(tmp_path / "again.db")
    order = fated(Exchange(book, MARKET, OPEN), DOOMED)
    book.close()
    again = Book(tmp_path / "again.db")
    assert after(Exchange(again, MARKET, OPEN), order, 40).status is Status.INACTIVE
    again.close()
