"""An order whose session is over: what proves that nothing more can become of it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.following import FakeBroker, Scene, scene
from tests.support.ledger import CLOSES_AT, fill_of
from worker.errors import UnreadableAnswer
from worker.models.order import LiveOrders, OrderRecord

__all__ = ["scene"]


AFTER = CLOSES_AT + timedelta(minutes=5)


def look_twice(scene: Scene, order: OrderRecord) -> int:
    first = scene.settle(order)
    scene.clock.advance(15)
    return first + scene.settle(order)


@pytest.mark.parametrize("state", ["WORKING", "PARTIAL", "UNKNOWN"])
def test_what_the_broker_shows_nothing_of_after_its_session_is_expired(
    scene: Scene, state: Any
) -> None:
    order = scene.ledger.order(state, quantity=10)
    scene.broker.held = 1000 + int(order.filled_quantity)
    scene.clock.now = AFTER
    assert scene.settle(order) == 0
    assert (scene.now(order).state, scene.now(order).absent_since) == (state, AFTER)
    scene.clock.advance(14.9)
    assert scene.settle(order) == 0
    scene.clock.advance(0.1)
    assert scene.settle(order) == 1
    found = scene.now(order)
    assert (found.state, found.filled_quantity) == ("EXPIRED", order.filled_quantity)
    assert "its session is over" in found.reasons[0]
    assert scene.ledger.book.blocked_by("AAPL") is None


def test_nothing_expires_before_the_lists_had_time_after_the_bell(scene: Scene) -> None:
    order = scene.ledger.order("UNKNOWN")
    scene.clock.now = AFTER - timedelta(seconds=20)
    assert look_twice(scene, order) == 0
    assert scene.now(order) == order


@pytest.mark.parametrize(
    "doubt", [{"snapshot": False}, {"complete": False}, {"held": 1010}, {"held": 990}]
)
def test_an_order_of_which_a_list_or_the_position_may_know_more_does_not_expire(
    scene: Scene, doubt: dict[str, Any]
) -> None:
    order = scene.ledger.order("UNKNOWN", quantity=10)
    scene.clock.now = AFTER
    for name, value in doubt.items():
        setattr(scene.broker, name, value)
    assert look_twice(scene, order) == 0
    assert scene.now(order).state == "UNKNOWN"
    assert scene.ledger.book.blocked_by("AAPL")


def test_an_order_that_is_shown_again_is_looked_for_twice_again(scene: Scene) -> None:
    order = scene.ledger.order("WORKING")
    scene.clock.now = AFTER
    scene.settle(order)
    scene.clock.advance(15)
    scene.lists(order, "Submitted")
    assert scene.settle(order) == 0
    assert scene.now(order).absent_since is None
    scene.broker.listed = []
    scene.clock.advance(15)
    assert look_twice(scene, order) == 1
    assert scene.now(order).state == "EXPIRED"


def test_an_order_of_an_account_whose_first_look_is_not_complete_does_not_expire(
    scene: Scene,
) -> None:
    order = scene.ledger.order("UNKNOWN")
    scene.foreign = None
    scene.clock.now = AFTER
    assert look_twice(scene, order) == 0


def test_trades_that_are_found_after_the_bell_are_counted_before_the_rest_expires(
    scene: Scene,
) -> None:
    order = scene.ledger.order("UNKNOWN", quantity=10)
    scene.trades(order, 4)
    scene.broker.held = 1004
    scene.clock.now = AFTER
    assert look_twice(scene, order) == 2  # PARTIAL, then EXPIRED
    found = scene.now(order)
    assert (found.state, found.filled_quantity) == ("EXPIRED", 4)
    assert scene.ledger.book.owned(1, "AAPL") == 4


def test_nobody_asks_to_cancel_what_is_missed_after_its_session(scene: Scene) -> None:
    order = scene.ledger.order("WORKING")
    scene.clock.now = AFTER
    scene.settle(order)
    scene.cancel_overdue(order)
    assert scene.broker.cancelled == []


def test_an_execution_tells_the_brokers_id_of_an_order_whose_answer_was_lost(
    scene: Scene, clock: ManualClock
) -> None:
    order = scene.ledger.order("UNKNOWN", quantity=10)
    scene.broker.trades = [fill_of(order, 4, "444.00", 1, broker_order_id="4711")]
    scene.settle(order)
    found = scene.now(order)
    assert (found.state, found.broker_order_id) == ("PARTIAL", "4711")
    clock.advance(300)
    scene.cancel_overdue(order)
    assert scene.broker.cancelled == ["4711"]


def test_what_is_overdue_is_cancelled_though_no_list_can_be_read(
    scene: Scene, clock: ManualClock
) -> None:
    class Unreadable(FakeBroker):
        def live_orders(self) -> LiveOrders:
            raise UnreadableAnswer("the list is no list")

    order = scene.ledger.order("WORKING")
    clock.advance(300)
    scene.following._reads = Unreadable()
    with pytest.raises(UnreadableAnswer):
        scene.following.look([order])
    assert scene.broker.cancelled == [order.broker_order_id]
