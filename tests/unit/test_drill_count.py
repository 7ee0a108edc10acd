"""The count of a drill finds each kind of broken promise in a book that was made up to have it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from scripts.demonstration.book import Book, BookFill, BookOrder
from scripts.drilling.count import Count, Event, JournalOrder, Told, Unknowns, count
from worker.orders.settling import EXPIRED

BASELINE = {"AAPL": Decimal(100)}
T0 = datetime(2012, 4, 2, 14, tzinfo=UTC)


class Drilled:
    """A drill in which nothing went wrong, until a test says otherwise."""

    def __init__(self) -> None:
        self.orders: list[BookOrder] = []
        self.fills: list[BookFill] = []
        self.journal: list[JournalOrder] = []
        self.requests: list[dict[str, Any]] = []
        self.runs_not_ended: tuple[str, ...] = ()

    def send(self, coid: str | None, side: str = "BUY", quantity: int = 5, **other: Any) -> None:
        """At the broker: an order that fills."""
        filled = other.pop("filled", quantity)
        order = BookOrder(
            order_id=len(self.orders) + 1, coid=coid, symbol="AAPL", side=side,
            quantity=Decimal(quantity), filled=Decimal(filled),
            status=other.pop("status", "Filled"),
        )  # fmt: skip
        self.orders.append(order)
        self.arrive(coid)
        if filled:
            self.fills.append(
                BookFill(
                    execution_id=f"e{len(self.fills)}",
                    coid=coid,
                    symbol="AAPL",
                    side=side,
                    quantity=Decimal(filled),
                    price=Decimal(600),
                )
            )

    def arrive(self, coid: str | None) -> None:
        body = f'{{"orders": [{{"cOID": "{coid}"}}]}}'
        path = "/iserver/account/DU9000001/orders"
        self.requests.append({"method": "POST", "path": path, "body": body, "cOIDs": [coid]})

    def write(self, coid: str, side: str = "BUY", quantity: int = 5, **other: Any) -> None:
        """In the journal: the same order."""
        values: dict[str, Any] = {
            "run_id": f"run-{coid}", "strategy_id": 1, "symbol": "AAPL", "filled": quantity,
            "state": "FILLED",
        }  # fmt: skip
        self.journal.append(
            JournalOrder(coid=coid, side=side, quantity=quantity, **{**values, **other})
        )

    def both(self, coid: str, side: str = "BUY", quantity: int = 5, **other: Any) -> None:
        self.send(coid, side, quantity)
        self.write(coid, side, quantity, **other)

    def count(self) -> Count:
        book = Book(
            orders=tuple(self.orders), fills=tuple(self.fills), positions=(), cash=Decimal(0)
        )
        told = Told(orders=tuple(self.journal), decisions=3, runs_not_ended=self.runs_not_ended)
        return count(book, self.requests, told, BASELINE)


@pytest.fixture
def drilled() -> Drilled:
    return Drilled()


def said(found: Count) -> list[tuple[str, str]]:
    return [(each.about, each.sentence) for each in found.findings]


def test_all_went_well(drilled: Drilled) -> None:
    drilled.both("ob-1")
    drilled.both("ob-2", "SELL")
    drilled.write("ob-3", state="DENIED", filled=0)
    drilled.write("ob-4", state="EXPIRED", filled=0)  # lost on its way: the broker never had it
    found = drilled.count()
    assert (said(found), found.decisions, found.orders) == ([], 3, 2)


def test_two_orders_with_one_id_are_a_duplicate(drilled: Drilled) -> None:
    drilled.both("ob-1")
    drilled.send("ob-1")
    assert [each.sentence for each in drilled.count().duplicates] == [
        "2 orders at the broker with this id", "it was sent 2 times",
    ]  # fmt: skip


def test_two_orders_for_one_decision_are_a_duplicate(drilled: Drilled) -> None:
    drilled.both("ob-1", run_id="run")
    drilled.both("ob-2", run_id="run")
    drilled.both("ob-3", run_id="another")
    (found,) = drilled.count().duplicates
    assert (found.about, found.sentence) == ("run", "several orders in AAPL: ob-1, ob-2")


def test_an_order_that_was_sent_again_and_refused_is_a_duplicate(drilled: Drilled) -> None:
    drilled.both("ob-1")
    drilled.arrive("ob-1")
    (found,) = drilled.count().duplicates
    assert (found.about, found.sentence) == ("ob-1", "it was sent 2 times")


def test_a_reply_is_no_second_sending(drilled: Drilled) -> None:
    drilled.both("ob-1")
    reply = {"method": "POST", "path": "/iserver/reply/x", "body": "{}", "cOIDs": ["ob-1"]}
    drilled.requests.append(reply)
    assert said(drilled.count()) == []


def test_an_order_that_the_journal_does_not_know_is_lost(drilled: Drilled) -> None:
    drilled.send("ob-1")
    drilled.send(None)
    assert said(drilled.count()) == [
        ("ob-1", "it is at the broker and not in the journal"),
        ("order 2", "it is at the broker and not in the journal"),
    ]


@pytest.mark.parametrize(
    ("at_broker", "in_journal", "sentence"),
    [
        ({}, {"state": "EXPIRED", "filled": 0}, "5 filled at the broker, 0 in the journal"),
        ({}, {"state": "CANCELLED"}, "Filled at the broker, CANCELLED in the journal"),
        ({}, {"state": "DENIED"}, "Filled at the broker, DENIED in the journal"),
        (
            {"filled": 0, "status": "Submitted"},
            {"state": "EXPIRED", "filled": 0},
            "Submitted at the broker, EXPIRED in the journal",
        ),
        (
            {"filled": 0, "status": "Cancelled"},
            {"state": "REJECTED", "filled": 0},
            "Cancelled at the broker, REJECTED in the journal",
        ),
        ({}, {"symbol": "MSFT"}, "another symbol, side or quantity than the journal has"),
    ],
)
def test_an_order_of_which_the_journal_believes_something_else_is_lost(
    drilled: Drilled, at_broker: dict[str, Any], in_journal: dict[str, Any], sentence: str
) -> None:
    drilled.send("ob-1", **at_broker)
    drilled.write("ob-1", **in_journal)
    assert [each.sentence for each in drilled.count().lost] == [sentence]


def test_a_fill_that_only_the_journal_has_is_lost(drilled: Drilled) -> None:
    drilled.write("ob-1")
    assert [each.sentence for each in drilled.count().lost] == [
        "the journal has it as FILLED, the broker not"
    ]


def test_more_sold_than_the_strategy_had_bought_is_found(drilled: Drilled) -> None:
    drilled.both("ob-1", strategy_id=1)
    drilled.both("ob-2", "SELL", strategy_id=2)
    (found,) = drilled.count().sold_not_owned
    assert (found.about, found.sentence) == ("ob-2", "strategy 2 sold 5 AAPL that it did not own")


def test_shares_that_were_there_before_are_not_to_be_sold_by_anybody(drilled: Drilled) -> None:
    drilled.send("ob-1", "SELL", 3)
    (found,) = drilled.count().sold_not_owned
    assert (found.about, found.sentence) == (
        "ob-1", "the account fell below its 100 foreign shares of AAPL",
    )  # fmt: skip


def test_what_has_not_ended_is_named(drilled: Drilled) -> None:
    drilled.send("ob-1", filled=0, status="Submitted")
    drilled.write("ob-1", state="WORKING", filled=0)
    drilled.runs_not_ended = ("run-1",)
    assert said(drilled.count()) == [
        ("run-1", "this run has not ended"),
        ("ob-1", "nobody has settled it"),
    ]


def events(*told: tuple[float, str, str]) -> tuple[Event, ...]:
    return tuple(
        Event(at=T0 + timedelta(seconds=seconds), state=state, cause=cause)
        for seconds, state, cause in told
    )


def test_how_unknown_orders_were_settled_and_how_long_it_took(drilled: Drilled) -> None:
    drilled.both(
        "ob-1", events=events((0, "UNKNOWN", ""), (4, "UNKNOWN", "a fill"), (10, "FILLED", ""))
    )
    drilled.write("ob-2", state="EXPIRED", filled=0,
                  events=events((0, "UNKNOWN", ""), (30, "EXPIRED", EXPIRED)))  # fmt: skip
    drilled.write("ob-3", state="UNKNOWN", filled=0, events=events((0, "UNKNOWN", "")))
    assert drilled.count().unknown == Unknowns(
        by_evidence=1, by_sessions_end=1, by_nobody=1, median_seconds=20, max_seconds=30
    )
