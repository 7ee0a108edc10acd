"""Orders whose runs follow them no longer are followed all the same."""

from datetime import timedelta

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import Ledger
from tests.support.trading import Trading
from worker.joined.reconciling import Reconciling
from worker.models.order import OrderRecord

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")


@pytest.fixture
def reconciling(trading: Trading, ledger: Ledger) -> Reconciling:
    return Reconciling(
        ledger.book, ledger.runs, ledger.steps, trading.following, trading.accounting, ledger.clock
    )


def moved(reconciling: Reconciling) -> tuple[int, int]:
    """How many open orders it looked at, and how many moved."""
    found = reconciling.once()
    return found["open"], found["moved"]


def close_run(ledger: Ledger, order: OrderRecord) -> None:
    assert ledger.runs.close(order.intent.run_id, "done", None)


def test_orders_of_runs_that_go_on_are_left_to_them(
    trading: Trading, ledger: Ledger, reconciling: Reconciling
) -> None:
    for state in ("INTENDED", "SENDING", "WORKING", "UNKNOWN"):
        ledger.order(state)
    assert moved(reconciling) == (0, 0)
    assert trading.broker.cancelled == []


@pytest.mark.parametrize("fate", ["closed", "cancelled", "ending"])
def test_an_order_whose_run_is_over_is_followed_and_cancelled(
    trading: Trading, ledger: Ledger, reconciling: Reconciling, clock: ManualClock, fate: str
) -> None:
    order = ledger.order("WORKING")
    run_id = order.intent.run_id
    if fate == "closed":
        close_run(ledger, order)
    elif fate == "cancelled":
        ledger.runs.cancel(run_id)
    else:
        ledger.steps.fail(run_id, 7, 1, "broken")
        ledger.runs.mark_ending(run_id)
    trading.broker.lists(order, "Submitted")
    assert moved(reconciling) == (1, 0)
    clock.advance(300)
    reconciling.once()
    assert trading.broker.cancelled == [order.broker_order_id]
    trading.broker.listed.clear()
    trading.broker.lists(order, "Cancelled")
    assert moved(reconciling) == (1, 1)
    assert moved(reconciling) == (0, 0)


def test_an_order_that_was_never_sent_when_its_run_ended_never_is(
    trading: Trading, ledger: Ledger, reconciling: Reconciling
) -> None:
    order = ledger.order("INTENDED")
    close_run(ledger, order)
    reconciling.once()
    found = ledger.book.get(order.intent.coid)
    assert (found.state, found.reasons) == ("DENIED", ("its run ended before it was sent",))
    assert trading.broker.cancelled == []
    assert trading.broker.sent == []


def test_an_unknown_order_that_was_left_is_settled_by_evidence(
    trading: Trading, ledger: Ledger, reconciling: Reconciling
) -> None:
    order = ledger.order("UNKNOWN")
    close_run(ledger, order)
    assert moved(reconciling) == (1, 0)
    trading.broker.fills_all(order)
    assert moved(reconciling) == (1, 1)
    assert ledger.book.get(order.intent.coid).state == "FILLED"


def test_a_resting_order_is_read_but_never_cancelled(
    trading: Trading, ledger: Ledger, reconciling: Reconciling, clock: ManualClock
) -> None:
    order = ledger.order("WORKING", rest=True)
    close_run(ledger, order)
    clock.advance(3600)
    reconciling.once()
    assert trading.broker.cancelled == []
    trading.broker.fills_all(order)
    assert reconciling.once()["moved"] == 1


def test_an_order_that_its_run_did_not_cancel_in_time_is_cancelled_here(
    trading: Trading, ledger: Ledger, reconciling: Reconciling, clock: ManualClock
) -> None:
    """The run's step is alive, and does not do it: it hangs, or cannot reach the broker."""
    order = ledger.order("WORKING")
    clock.advance(359.9)
    ledger.steps.renew(order.intent.run_id, 7, 1)
    assert moved(reconciling) == (0, 0)
    clock.advance(0.1)
    assert moved(reconciling) == (1, 0)
    assert trading.broker.cancelled == [order.broker_order_id]


@pytest.mark.parametrize("stands", ["its lease died", "it overslept"])
def test_an_order_of_a_run_at_which_nobody_works_is_followed(
    trading: Trading, ledger: Ledger, reconciling: Reconciling, clock: ManualClock, stands: str
) -> None:
    order = ledger.order("WORKING")
    run_id = order.intent.run_id
    if stands == "it overslept":
        ledger.steps.wait(run_id, 7, 1, clock.now + timedelta(seconds=2), "following")
        clock.advance(62)
    else:
        clock.advance(30)
    trading.broker.fills_all(order)
    assert moved(reconciling) == (0, 0)
    clock.advance(0.1)
    assert moved(reconciling) == (1, 1)


def test_an_order_without_a_run_is_followed(
    trading: Trading, ledger: Ledger, reconciling: Reconciling
) -> None:
    order = ledger.order("WORKING")
    ledger.runs.find = lambda run_id: None  # type: ignore[method-assign]
    trading.broker.fills_all(order)
    assert moved(reconciling) == (1, 1)
