"""Following open orders to their end, and cancelling what has not filled in time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.following import FakeBroker, Scene, scene
from tests.support.ledger import ACCOUNT, CLOSES_AT
from tests.support.values import OPEN
from worker.errors import NotProved, OpenbellError, Refused, TemporaryError, UnreadableAnswer
from worker.models.order import Trades

__all__ = ["scene"]

# Settling


def test_an_order_is_followed_from_acceptance_over_parts_to_its_last_share(scene: Scene) -> None:
    order = scene.ledger.order("WORKING", quantity=10)
    scene.lists(order, "Submitted")
    assert scene.settle(order) == 0
    scene.trades(order, 4)
    scene.lists(order, "Submitted", 4)
    assert scene.settle(order) == 1
    scene.trades(order, 4, 6)
    scene.lists(order, "Filled", 10)
    assert scene.settle(order) == 1
    assert scene.settle(order) == 0
    found = scene.now(order)
    assert (found.state, found.filled_quantity, found.average_price) == ("FILLED", 10, 444)
    assert scene.history(order) == [
        "INTENDED", "SENDING", "WORKING", "WORKING", "PARTIAL", "PARTIAL", "FILLED",
    ]  # fmt: skip


def test_a_list_that_says_filled_ends_nothing_before_the_trades_do(scene: Scene) -> None:
    order = scene.ledger.order("WORKING", quantity=10)
    scene.lists(order, "Filled", 10)
    assert scene.settle(order) == 0
    assert scene.now(order).state == "WORKING"


def test_one_read_of_the_lists_serves_every_order(scene: Scene) -> None:
    orders = [scene.ledger.order("WORKING"), scene.ledger.order("UNKNOWN")]
    scene.settle(*orders)
    assert scene.broker.reads == 1


def test_what_was_never_sent_needs_no_read(scene: Scene) -> None:
    assert scene.settle(scene.ledger.order("INTENDED"), scene.ledger.order("DENIED")) == 0
    assert scene.settle() == 0
    assert scene.broker.reads == 0


def test_a_list_that_cannot_be_read_moves_nothing(scene: Scene) -> None:
    order = scene.ledger.order("WORKING", quantity=10)

    class Unreadable(FakeBroker):
        def fills(self) -> Trades:
            raise UnreadableAnswer("the list is no list")

    scene.lists(order, "Cancelled")
    broker = Unreadable(listed=scene.broker.listed)
    scene.following._reads = broker
    with pytest.raises(UnreadableAnswer):
        scene.settle(order)
    assert scene.now(order) == order


def test_an_empty_list_is_no_proof_that_the_order_is_not_there(scene: Scene) -> None:
    for state in ("WORKING", "PARTIAL", "UNKNOWN"):
        order = scene.ledger.order(state)
        scene.clock.now = CLOSES_AT
        assert scene.settle(order) == 0
        assert scene.now(order) == order
        scene.clock.now = OPEN


def test_an_unknown_order_that_is_listed_works_and_blocks_no_longer(scene: Scene) -> None:
    order = scene.ledger.order("UNKNOWN")
    assert scene.ledger.book.blocked_by("AAPL")
    scene.lists(order, "Submitted")
    assert scene.settle(order) == 1
    found = scene.now(order)
    assert (found.state, found.broker_order_id, found.reasons, found.acknowledged_at) == (
        "WORKING", "777", (), OPEN,
    )  # fmt: skip
    assert scene.ledger.book.blocked_by("AAPL") is None


def test_an_unknown_order_whose_trades_are_there_is_filled(scene: Scene) -> None:
    """Listed no more: its session is over, and the trades outlive it."""
    order = scene.ledger.order("UNKNOWN", quantity=10)
    scene.trades(order, 10)
    assert scene.settle(order) == 1
    assert (scene.now(order).state, scene.now(order).reasons) == ("FILLED", ())


def test_an_order_that_was_cancelled_after_some_shares_keeps_them(scene: Scene) -> None:
    order = scene.ledger.order("WORKING", quantity=10)
    scene.trades(order, 4)
    scene.lists(order, "Cancelled", 4, cancel_reason="by the exchange")
    assert scene.settle(order) == 1
    found = scene.now(order)
    assert (found.state, found.filled_quantity, found.reasons) == (
        "CANCELLED", 4, ("by the exchange",),
    )  # fmt: skip
    assert scene.ledger.book.owned(1, "AAPL") == 4


def test_another_orders_row_settles_nothing(scene: Scene) -> None:
    order = scene.ledger.order("WORKING")
    scene.lists(order, "Cancelled", coid="ob-other")
    assert scene.settle(order) == 0


# SENDING whose sender is dead


def test_an_order_whose_sender_was_lost_is_unknown_once_nobody_can_send_it(
    scene: Scene, clock: ManualClock
) -> None:
    order = scene.ledger.order("SENDING")
    assert order.send_by == OPEN + timedelta(seconds=5)
    clock.now = OPEN + timedelta(seconds=35)
    scene.settle(order)
    assert (scene.now(order).state, scene.alarms) == ("SENDING", [])
    clock.advance(0.001)
    scene.settle(order)
    found = scene.now(order)
    assert (found.state, scene.alarms) == ("UNKNOWN", [order.intent.coid])
    assert "lost" in found.reasons[0]
    scene.settle(order)
    assert scene.alarms == [order.intent.coid]


def test_an_order_whose_sender_was_lost_and_that_is_listed_works_at_once(
    scene: Scene, clock: ManualClock
) -> None:
    order = scene.ledger.order("SENDING")
    scene.lists(order, "Submitted")
    assert scene.settle(order) == 1
    assert scene.now(order).state == "WORKING"


def test_a_lost_order_is_given_up_and_found_in_one_look(scene: Scene, clock: ManualClock) -> None:
    order = scene.ledger.order("SENDING")
    clock.advance(60)
    scene.lists(order, "Submitted")
    assert scene.settle(order) == 1
    assert scene.now(order).state == "WORKING"
    assert scene.history(order)[-2:] == ["UNKNOWN", "WORKING"]


def test_an_order_of_unknown_fate_is_told_at_every_look(scene: Scene) -> None:
    """Whoever made it so may have died before; whom it is told says it once."""
    order = scene.ledger.order("UNKNOWN")
    scene.settle(order)
    assert scene.alarms == [order.intent.coid]


# Cancelling what is overdue


def test_an_entry_that_did_not_fill_in_time_is_cancelled_once(
    scene: Scene, clock: ManualClock
) -> None:
    order = scene.ledger.order("WORKING")
    clock.advance(299.999)
    scene.cancel_overdue(order)
    assert scene.broker.cancelled == []
    clock.advance(0.001)
    scene.cancel_overdue(order)
    scene.cancel_overdue(order)
    assert scene.broker.cancelled == [order.broker_order_id]
    found = scene.now(order)
    assert (found.state, found.cancel_requested_at) == ("WORKING", clock.now)
    clock.advance(30)
    scene.cancel_overdue(order)
    assert len(scene.broker.cancelled) == 1
    clock.advance(0.001)
    scene.cancel_overdue(order)
    assert len(scene.broker.cancelled) == 2


def test_the_wish_to_cancel_is_written_down_before_it_is_sent(
    scene: Scene, clock: ManualClock
) -> None:
    order = scene.ledger.order("WORKING")
    clock.advance(300)
    written: list[bool] = []

    class Looking(FakeBroker):
        def cancel(
            self, account_id: str, broker_order_id: str, in_time: Callable[[], bool]
        ) -> None:
            written.append(scene.now(order).cancel_requested_at is not None)

    scene.following._trader = Looking()
    scene.cancel_overdue(order)
    assert written == [True]


@pytest.mark.parametrize(
    "error", [TemporaryError("the answer was lost"), Refused("no such order"), NotProved("no")]
)
def test_a_cancel_that_fails_is_asked_for_again_later_and_settles_nothing(
    scene: Scene, clock: ManualClock, error: OpenbellError
) -> None:
    order = scene.ledger.order("WORKING")
    clock.advance(300)
    scene.broker.fails = error
    scene.cancel_overdue(order)
    scene.cancel_overdue(order)
    assert len(scene.broker.cancelled) == 1
    assert scene.now(order).state == "WORKING"
    assert scene.ledger.hold("the conversation is free again")


def test_a_cancel_that_raced_the_last_share_is_a_fill(scene: Scene, clock: ManualClock) -> None:
    order = scene.ledger.order("WORKING", quantity=10)
    clock.advance(300)
    scene.cancel_overdue(order)
    scene.trades(order, 10)
    scene.lists(order, "Filled", 10)
    assert scene.settle(order) == 1
    assert scene.now(order).state == "FILLED"
    clock.advance(60)
    scene.cancel_overdue(order)
    assert len(scene.broker.cancelled) == 1


def test_a_cancel_that_raced_some_shares_keeps_them(scene: Scene, clock: ManualClock) -> None:
    order = scene.ledger.order("WORKING", quantity=10)
    clock.advance(300)
    scene.cancel_overdue(order)
    scene.lists(order, "Cancelled", 4)
    assert scene.settle(order) == 0  # the list is ahead of the trades
    scene.trades(order, 4)
    assert scene.settle(order) == 1
    found = scene.now(order)
    assert (found.state, found.filled_quantity, found.reasons) == (
        "CANCELLED", 4, ("not filled within 300 s",),
    )  # fmt: skip


def test_a_part_that_is_overdue_is_cancelled_too(scene: Scene, clock: ManualClock) -> None:
    order = scene.ledger.order("PARTIAL")
    clock.advance(300)
    scene.cancel_overdue(order)
    assert scene.broker.cancelled == [order.broker_order_id]


@pytest.mark.parametrize(
    "state", ["INTENDED", "DENIED", "SENDING", "UNKNOWN", "FILLED", "CANCELLED", "REJECTED"]
)
def test_what_does_not_work_is_not_cancelled(scene: Scene, clock: ManualClock, state: Any) -> None:
    order = scene.ledger.order(state)
    clock.advance(9999)
    scene.cancel_overdue(order)
    assert scene.broker.cancelled == []


def test_an_order_that_may_rest_rests(scene: Scene, clock: ManualClock) -> None:
    order = scene.ledger.order("WORKING", rest=True)
    clock.advance(9999)
    scene.cancel_overdue(order)
    assert scene.broker.cancelled == []


def test_a_patience_of_its_own_is_kept(scene: Scene, clock: ManualClock) -> None:
    order = scene.ledger.order("WORKING", good_for_seconds=10)
    clock.advance(10)
    scene.cancel_overdue(order)
    assert len(scene.broker.cancelled) == 1


def test_a_busy_conversation_leaves_the_cancel_to_the_next_look(
    scene: Scene, clock: ManualClock
) -> None:
    order = scene.ledger.order("WORKING")
    clock.advance(300)
    held = scene.ledger.hold("another order")
    scene.cancel_overdue(order)
    assert (scene.broker.cancelled, scene.now(order).cancel_requested_at) == ([], None)
    scene.ledger.locks.release(held)
    scene.cancel_overdue(order)
    assert len(scene.broker.cancelled) == 1


def test_a_waiting_cancel_goes_before_the_next_order(scene: Scene, clock: ManualClock) -> None:
    order = scene.ledger.order("WORKING")
    clock.advance(300)
    held = scene.ledger.hold("an order")
    scene.cancel_overdue(order)
    scene.ledger.locks.release(held)
    name = f"orders:{ACCOUNT}"
    assert scene.ledger.locks.acquire(name, "next", 2, timedelta(seconds=30)) is None
    scene.cancel_overdue(order)
    assert len(scene.broker.cancelled) == 1
