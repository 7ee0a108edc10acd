"""What settles an order, what was filled, and what follows for who owns what."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.clock import ManualClock
from tests.support.ledger import (
    ACCOUNT,
    LEASE,
    Ledger,
    at_once,
    fill_of,
    line,
)
from worker.journal.orders import OrderBook
from worker.models.order import OrderRecord


def test_an_order_moves_from_the_state_it_was_expected_in(
    ledger: Ledger, clock: ManualClock
) -> None:
    order = ledger.order("SENDING")
    clock.advance(1)
    coid = order.intent.coid
    assert not ledger.book.settle(coid, "WORKING", "FILLED", "wrong")
    assert ledger.book.get(coid) == order
    assert ledger.book.settle(coid, "SENDING", "WORKING", "accepted", broker_order_id="5")
    found = ledger.book.get(coid)
    assert (found.state, found.broker_order_id, found.updated_at) == ("WORKING", "5", clock.now)
    last = ledger.book.events(coid)[-1]
    assert (last["state"], last["cause"], last["at"]) == ("WORKING", "accepted", clock.now)
    assert last["version"]


def test_of_twenty_that_settle_at_once_one_does(ledger: Ledger) -> None:
    coid = ledger.order("SENDING").intent.coid
    found = at_once(20, lambda n: ledger.book.settle(coid, "SENDING", "WORKING", f"by {n}"))
    assert found.count(True) == 1
    assert len(ledger.book.events(coid)) == 3


def test_a_cancel_that_was_asked_for_is_remembered(ledger: Ledger, clock: ManualClock) -> None:
    coid = ledger.order("WORKING").intent.coid
    clock.advance(300)
    ledger.book.request_cancel(coid, "cancel asked for: not filled within 300 s")
    found = ledger.book.get(coid)
    assert (found.state, found.cancel_requested_at) == ("WORKING", clock.now)
    assert ledger.book.events(coid)[-1]["cause"].startswith("cancel asked for")


# Fills


def test_a_fill_counts_once(ledger: Ledger) -> None:
    order = ledger.order("WORKING", quantity=10)
    found = fill_of(order, 4, "444.00", 1)
    assert list(ledger.book.add_fills([found, found])) == [found]
    assert list(ledger.book.add_fills([found])) == []
    assert ledger.book.get(order.intent.coid).filled_quantity == 4
    assert (ledger.book.owned(1, "AAPL"), ledger.book.working(1, "AAPL")) == (4, 6)


def test_a_fill_counts_once_whoever_brings_it(ledger: Ledger) -> None:
    order = ledger.order("WORKING", quantity=10)
    found = fill_of(order, 4, "444.00", 1)
    new = at_once(20, lambda _: len(ledger.book.add_fills([found])))
    assert sum(new) == 1
    assert ledger.book.get(order.intent.coid).filled_quantity == 4


def test_the_average_price_is_weighed_by_shares(ledger: Ledger) -> None:
    order = ledger.order("WORKING", quantity=10)
    ledger.fill(order.intent.coid, 1, "440.00")
    ledger.fill(order.intent.coid, 3, "444.00")
    found = ledger.book.get(order.intent.coid)
    assert (found.filled_quantity, found.average_price) == (4, 443)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(st.lists(st.tuples(st.integers(1, 50), st.decimals("0.01", 9999, places=4)), min_size=1))
def test_no_share_and_no_cent_is_lost_in_the_sums(
    ledger: Ledger, parts: list[tuple[int, Decimal]]
) -> None:
    order = ledger.order("WORKING", quantity=sum(quantity for quantity, _ in parts))
    for quantity, price in parts:
        ledger.fill(order.intent.coid, quantity, str(price))
    found = ledger.book.get(order.intent.coid)
    assert found.filled_quantity == order.intent.quantity
    assert found.average_price is not None
    worth = sum(quantity * price for quantity, price in parts)
    assert abs(found.average_price * found.filled_quantity - worth) < Decimal("1e-15")


@pytest.mark.parametrize("broker_order_id", ["777", None])
def test_a_fill_is_found_by_our_id_before_the_brokers_is_known(
    ledger: Ledger, broker_order_id: str | None
) -> None:
    order = ledger.order("UNKNOWN")
    assert ledger.fill(order.intent.coid, 4, broker_order_id=broker_order_id)
    assert ledger.book.owned(1, "AAPL") == 4


def test_a_fill_without_our_id_is_found_by_the_brokers(ledger: Ledger) -> None:
    order = ledger.order("WORKING")
    assert ledger.fill(order.intent.coid, 4, coid=None)
    assert ledger.book.owned(1, "AAPL") == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"coid": None, "broker_order_id": None},
        {"coid": None, "broker_order_id": "999999"},
        {"coid": "somebody-elses"},
        {"conid": 272093},
        {"side": "SELL"},
    ],
    ids=["no id", "another order", "another's id", "another contract", "another side"],
)
def test_a_fill_of_somebody_else_is_not_ours(ledger: Ledger, changes: dict[str, Any]) -> None:
    order = ledger.order("WORKING")
    assert ledger.fill(order.intent.coid, 4, **changes) == []
    assert ledger.book.get(order.intent.coid) == order


def test_a_fill_of_another_account_is_not_ours(ledger: Ledger, clock: ManualClock) -> None:
    order = ledger.order("WORKING")
    another = OrderBook(ledger.journal, clock, "DU7654321")
    assert list(another.add_fills([fill_of(order, 4, "444.00", 1, coid=None)])) == []


def test_a_fill_of_no_share_changes_nothing_and_breaks_nothing(ledger: Ledger) -> None:
    order = ledger.order("WORKING")
    ledger.fill(order.intent.coid, 0)
    found = ledger.book.get(order.intent.coid)
    assert (found.filled_quantity, found.average_price) == (0, None)


@pytest.mark.parametrize("state", ["CANCELLED", "EXPIRED", "REJECTED", "DENIED"])
def test_a_fill_that_comes_after_the_end_counts_and_opens_the_order_again(
    ledger: Ledger, state: Any
) -> None:
    order = ledger.order(state)
    ledger.fill(order.intent.coid, 4)
    found = ledger.book.get(order.intent.coid)
    assert (found.state, found.filled_quantity) == ("UNKNOWN", 4)
    assert found.reasons == (f"an execution came after it was {state}",)
    assert ledger.book.owned(1, "AAPL") == 4


def test_a_runs_fills_are_given_back_whole(ledger: Ledger) -> None:
    order = ledger.order("WORKING")
    (kept,) = ledger.fill(order.intent.coid, 4, "444.1234")
    assert ledger.book.fills_of_run(order.intent.run_id) == [kept]
    assert ledger.book.fills_of_run("another") == []


# What is owned and open


def test_what_is_owned_is_what_was_filled(ledger: Ledger) -> None:
    ledger.own(30)
    ledger.own(5, strategy_id=2)
    ledger.order("FILLED", side="SELL", quantity=10)
    assert (ledger.book.owned(1, "AAPL"), ledger.book.owned(2, "AAPL")) == (20, 5)
    assert (ledger.book.owned_by_all("AAPL"), ledger.book.owned(1, "MSFT")) == (25, 0)


def test_what_works_is_what_is_not_filled_yet(ledger: Ledger) -> None:
    ledger.own(30)
    ledger.order("PARTIAL", quantity=10)
    ledger.order("UNKNOWN", quantity=7)
    ledger.order("INTENDED", side="SELL", quantity=20)
    assert (ledger.book.working(1, "AAPL"), ledger.book.selling("AAPL")) == (5 + 7 - 20, 20)
    assert ledger.book.working(2, "AAPL") == 0


@pytest.mark.parametrize("state", ["UNKNOWN", "SENDING"])
def test_an_order_of_unknown_fate_blocks_its_symbol_for_everyone(
    ledger: Ledger, state: Any
) -> None:
    order = ledger.order(state, strategy_id=2)
    assert ledger.book.blocked_by("AAPL") == (
        f"what became of order {order.intent.coid} is not known"
    )
    assert ledger.book.blocked_by("MSFT") is None


@pytest.mark.parametrize("state", ["INTENDED", "DENIED", "WORKING", "PARTIAL", "FILLED"])
def test_an_order_of_known_fate_blocks_nothing(ledger: Ledger, state: Any) -> None:
    ledger.order(state)
    assert ledger.book.blocked_by("AAPL") is None


def test_open_orders_are_this_accounts_and_the_oldest_come_first(
    ledger: Ledger, clock: ManualClock
) -> None:
    orders: list[OrderRecord] = []
    for state in ("INTENDED", "SENDING", "WORKING", "PARTIAL", "UNKNOWN", "FILLED", "DENIED"):
        orders.append(ledger.order(state))
        clock.advance(1)
    assert list(ledger.book.open_orders()) == orders[:5]
    assert list(ledger.book.recent(3)) == orders[:-4:-1]
    another: Sequence[OrderRecord] = OrderBook(ledger.journal, clock, "DU7654321").open_orders()
    assert another == []


def test_the_account_is_in_no_repr(ledger: Ledger) -> None:
    order = ledger.order("WORKING")
    assert ACCOUNT not in repr(order)


def test_a_decision_line_survives_the_journal(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    intent = ledger.intent(fence)
    full = line(intent).evolve(
        limit_price=Decimal("445.10"), quantity=10, checks_failed=("QUOTE",), preview={"a": "1.0"}
    )
    ledger.book.decide(fence, "AAPL", "entry", full)
    assert ledger.book.lines(fence.run_id) == {"AAPL": full}


def test_the_lease_of_a_conversation_is_longer_than_a_sending() -> None:
    from worker.orders.conversation import LEASE as CONVERSATION
    from worker.orders.sending import SEND_WITHIN

    assert SEND_WITHIN < CONVERSATION == LEASE
