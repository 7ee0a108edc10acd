"""`openbell orders resolve` and `cancel` where no broker needs to be asked."""

import json
from datetime import timedelta

import pytest

from tests.support.cli import openbell, sentence
from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, Ledger
from tests.support.values import OPEN
from worker.models.order import OrderRecord
from worker.runtime import Services, services

BY = ("--by", "Ada Byron", "--reason", "seen in  TWS")


@pytest.fixture
def s(monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setenv("OPENBELL_IBKR__ACCOUNT_ID", ACCOUNT)
    services().journal.upgrade()
    return services()


@pytest.fixture
def book(s: Services) -> Ledger:
    """Orders of the configured account, of some years ago."""
    return Ledger(s.journal, ManualClock(OPEN))


def test_an_order_is_settled_by_its_id_and_the_alert_may_come_anew(
    s: Services, book: Ledger
) -> None:
    order = book.order("UNKNOWN", quantity=10)
    s.beacons.light(f"told:unknown:{order.intent.coid}")
    said = openbell(
        "orders", "resolve", order.intent.coid[:14], "--as", "filled", "--quantity", "10",
        "--price", "444.50", *BY,
    )  # fmt: skip
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        f"BUY AAPL, {order.intent.coid}, is FILLED, 10 of 10 filled; "
        "AAPL is not blocked by it any more\n"
    )
    found = book.book.get(order.intent.coid)
    assert found.reasons == ("resolved by Ada Byron: seen in TWS as filled, 10 at 444.50",)
    assert not s.beacons.is_lit(f"told:unknown:{order.intent.coid}")


def test_what_was_not_sent_is_denied_and_a_script_can_read_it(s: Services, book: Ledger) -> None:
    order = book.order("UNKNOWN")
    said = openbell("orders", "resolve", order.intent.coid, "--as", "not-sent", *BY, "--json")
    told = json.loads(said.out)
    assert (said.code, told["coid"], told["state"]) == (0, order.intent.coid, "DENIED")
    again = openbell("orders", "resolve", order.intent.coid, "--as", "cancelled", *BY)
    assert "is DENIED; only an order whose fate is UNKNOWN" in sentence(again, 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--as", "gone", *BY), "--as 'gone' is none of filled, cancelled, not-sent"),
        (("--as", "filled", *BY), "--as filled needs --quantity, the shares that filled"),
        (("--as", "filled", "--quantity", "1", *BY), "--as filled needs --quantity"),
        (("--as", "filled", "--quantity", "1", "--price", "nan", *BY), "--price 'nan' is no price"),
        (("--as", "filled", "--quantity", "1", "--price", "-1", *BY), "--price '-1' is no price"),
        (("--as", "cancelled", "--price", "1", *BY), "--quantity and --price are for --as filled"),
        (("--as", "cancelled", "--by", " ", "--reason", "x"), "--by is to have 1 to 80"),
        (("--as", "cancelled", "--by", "Ada", "--reason", ""), "--reason is to have 1 to 500"),
    ],
)
def test_what_is_not_said_in_full_is_refused(
    s: Services, book: Ledger, words: tuple[str, ...], told: str
) -> None:
    order = book.order("UNKNOWN")
    said = openbell("orders", "resolve", order.intent.coid, *words)
    assert sentence(said, 2).startswith(told)
    assert book.book.get(order.intent.coid) == order


def test_while_the_answer_may_still_come_nobody_settles_it(s: Services, book: Ledger) -> None:
    book.clock.now = s.clock.wall_now() + timedelta(seconds=1)
    fence = book.begin_run(not_after=book.clock.now + timedelta(hours=1))
    order = book.order("UNKNOWN", fence)
    said = openbell("orders", "resolve", order.intent.coid, "--as", "not-sent", *BY)
    assert "may still come; ask again in 3" in sentence(said, 1)
    assert book.book.get(order.intent.coid).state == "UNKNOWN"


def test_a_beginning_that_two_orders_have_is_not_enough(s: Services, book: Ledger) -> None:
    for _ in range(2):
        book.order("UNKNOWN")
    told = sentence(openbell("orders", "resolve", "ob-", "--as", "not-sent", *BY), 2)
    assert told.startswith("several orders begin with 'ob-'; write more of the id")


# What cannot be cancelled, and what needs no broker


def cancel(order: OrderRecord, code: int) -> str:
    return sentence(openbell("orders", "cancel", order.intent.coid), code)


def test_an_order_that_was_not_sent_never_is(book: Ledger) -> None:
    order = book.order("INTENDED")
    said = openbell("orders", "cancel", order.intent.coid)
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith(f"{order.intent.coid}, was not sent, and will not be\n")
    found = book.book.get(order.intent.coid)
    assert (found.state, found.reasons) == (
        "DENIED", ("a person cancelled it before it was sent",),
    )  # fmt: skip


def test_an_order_that_cannot_be_cancelled_says_what_to_do(book: Ledger) -> None:
    assert "is FILLED already; there is nothing to cancel" in cancel(book.order("FILLED"), 1)
    assert "is being sent right now; ask again in a minute" in cancel(book.order("SENDING"), 1)
    told = cancel(book.order("UNKNOWN"), 1)
    assert "look for the client order id at the broker and cancel it there, then say" in told
    assert "orders resolve ob-" in told


def test_an_order_of_another_account_is_left_alone(book: Ledger) -> None:
    order = book.order("INTENDED", account_id="DU7654321")
    assert "is of another account than the configured one" in cancel(order, 2)
    assert book.book.get(order.intent.coid) == order
