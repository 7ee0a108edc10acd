"""Orders at the edges of a session and of the broker's words; ends that nobody may lose."""

from datetime import timedelta

import pytest

from tests.support.following import Scene, scene
from tests.support.ledger import CLOSES_AT, Ledger
from worker.alerts import AppriseAlerts
from worker.journal.beacons import BeaconBook
from worker.recovery import next_step
from worker.runtime import Services

__all__ = ["scene"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def test_an_order_that_lives_past_its_session_is_asked_to_be_cancelled(scene: Scene) -> None:
    """before_close: 0s; SENDING one second before the bell, the yes to a question two after it:
    the broker keeps the DAY order for the next session."""
    scene.clock.now = CLOSES_AT + timedelta(seconds=2)
    fence = scene.ledger.begin_run(not_after=CLOSES_AT + timedelta(seconds=3))
    order = scene.ledger.order("WORKING", fence)
    for minutes in (4, 6, 10, 60, 17 * 60):
        scene.clock.now = CLOSES_AT + timedelta(minutes=minutes)
        scene.lists(order, "PreSubmitted" if minutes < 1000 else "Submitted")
        scene.following.look([scene.now(order)])
    assert scene.now(order).state == "WORKING"
    assert scene.broker.cancelled, "17 hours stale, and works"


def test_an_order_the_broker_set_aside_ends(scene: Scene) -> None:
    order = scene.ledger.order("WORKING")
    scene.lists(order, "Inactive")
    for _ in range(120):
        scene.clock.advance(30)
        scene.following.look([scene.now(order)])
    assert scene.now(order).state != "WORKING", f"{len(scene.broker.cancelled)} cancels asked"


def test_a_run_whose_cleanup_failed_is_closed_some_day(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    run = ledger.steps.last_run(fence.run_id)
    ledger.steps.finish(fence.run_id, 7, 1, run)
    assert ledger.steps.claim(fence.run_id, 8, "end_tracking").kind == "run"
    ledger.steps.finish(fence.run_id, 8, 1, run)
    for _ in range(3):  # its worker is lost (deploy, OOM), or the journal goes away in mid-body
        ledger.steps.claim(fence.run_id, 9, "cleanup")
        ledger.clock.advance(31)
    ledger.steps.claim(fence.run_id, 9, "cleanup")
    kinds = []
    for _ in range(20):
        ledger.clock.advance(3600)
        row = ledger.runs.get(fence.run_id)
        first = next_step(row, ledger.steps.of(fence.run_id), ledger.clock.now, ledger.steps.lease)
        assert first == 9
        kinds.append(ledger.steps.claim(fence.run_id, 9, "cleanup").kind)
        ledger.runs.mark_published(fence.run_id, {})
    assert "run" in kinds, kinds


def test_an_alert_that_reached_nobody_is_not_told(ledger: Ledger) -> None:
    """The network is down: the order's answer is lost, and so is the alert."""
    s = object.__new__(Services)
    vars(s)["beacons"] = BeaconBook(ledger.journal, ledger.clock)
    vars(s)["alerts"] = AppriseAlerts({"critical": ["json://127.0.0.1:1/"]})
    s.tell_once("critical", "unknown:ob-1", "What became of an order is not known", "-")
    assert not s.beacons.is_lit("told:unknown:ob-1"), "never told again"


def test_one_execution_too_many_opens_the_order_again_and_blocks_its_symbol(
    scene: Scene, ledger: Ledger
) -> None:
    """A broker corrects an execution under another id: whichever it is, a person must look."""
    order = ledger.order("FILLED", quantity=10)
    ledger.fill(order.intent.coid, 10, "444.01")
    for _ in range(3):
        scene.clock.advance(30)
        scene.settle(scene.now(order))
    found = scene.now(order)
    assert (found.state, scene.alarms[:1]) == ("UNKNOWN", [order.intent.coid])
    assert "20 shares of 10 were executed" in found.reasons[0]
    assert ledger.book.blocked_by("AAPL") is not None


def test_an_order_that_is_done_by_now_is_not_asked_to_be_cancelled(
    scene: Scene, ledger: Ledger
) -> None:
    order = ledger.order("WORKING", quantity=10)
    ledger.fill(order.intent.coid, 10)
    ledger.book.settle(order.intent.coid, "WORKING", "FILLED", "a test", reasons=["all of it"])
    scene.following.cancel(order, "not filled within 300 s")
    assert (scene.broker.cancelled, scene.now(order).reasons) == ([], ("all of it",))
