"""One order conversation at a time per account, the more urgent first."""

from datetime import timedelta

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, Ledger
from tests.support.values import OPEN
from worker.orders.conversation import PRIORITY, Busy, Conversation
from worker.waiting import Wait

PATIENCE = timedelta(seconds=60)


@pytest.fixture
def conversation(ledger: Ledger, clock: ManualClock) -> Conversation:
    return Conversation(ledger.locks, ACCOUNT, clock)


def test_a_conversation_keeps_every_other_out_until_it_ends(conversation: Conversation) -> None:
    with conversation.hold("run-1", "order") as held:
        assert held.lease_until == OPEN + timedelta(seconds=30)
        for purpose in PRIORITY:
            with pytest.raises(Busy), conversation.hold("run-2", purpose):
                pass
    with pytest.raises(Busy), conversation.hold("run-3", "order"):
        pass  # halt waits and is more urgent
    with conversation.hold("run-2", "halt"):
        pass


def test_another_accounts_conversation_is_free(
    conversation: Conversation, ledger: Ledger, clock: ManualClock
) -> None:
    other = Conversation(ledger.locks, "DU7654321", clock)
    with conversation.hold("run-1", "order"), other.hold("run-1", "order"):
        pass


def test_a_conversation_that_breaks_ends(conversation: Conversation) -> None:
    def fail() -> None:
        with conversation.hold("run-1", "order"):
            raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError):
        fail()
    with conversation.hold("run-2", "order"):
        pass


def test_a_step_comes_back_for_a_busy_conversation(
    conversation: Conversation, clock: ManualClock
) -> None:
    clock.rate = 20.0
    with conversation.hold("run-1", "order"):
        with pytest.raises(Wait) as raised, conversation.hold_or_wait("run-2", "order"):
            pass
        assert raised.value.until == OPEN + timedelta(seconds=20)


def test_a_conversation_that_was_left_open_can_be_taken_over(
    conversation: Conversation, ledger: Ledger, clock: ManualClock
) -> None:
    ledger.hold("a lost worker")
    with pytest.raises(Busy), conversation.hold("run-1", "order"):
        pass
    clock.advance(30)
    with conversation.hold("run-1", "order") as held:
        assert held.token == 2


def test_patience_is_counted_from_the_first_asking(
    conversation: Conversation, ledger: Ledger, clock: ManualClock
) -> None:
    assert not conversation.patience_is_over("run-1", "preview", PATIENCE)
    for _ in range(4):
        ledger.hold(f"holder at {clock.now}", priority=0)
        with pytest.raises(Busy), conversation.hold("run-1", "preview"):
            pass
        assert not conversation.patience_is_over("run-1", "preview", PATIENCE)
        clock.advance(15)
        with pytest.raises(Busy), conversation.hold("run-1", "preview"):
            pass
        clock.advance(15)
        if clock.now > OPEN + PATIENCE:
            break
    assert conversation.patience_is_over("run-1", "preview", PATIENCE)
    assert not conversation.patience_is_over("run-1", "preview", PATIENCE)  # it has left the queue


def test_one_that_was_away_for_long_has_its_whole_patience_again(
    conversation: Conversation, ledger: Ledger, clock: ManualClock
) -> None:
    ledger.hold()
    with pytest.raises(Busy), conversation.hold("run-1", "preview"):
        pass
    clock.advance(3600)
    ledger.hold("much later")
    with pytest.raises(Busy), conversation.hold("run-1", "preview"):
        pass
    assert not conversation.patience_is_over("run-1", "preview", PATIENCE)


def test_who_gave_up_holds_nobody_up(
    conversation: Conversation, ledger: Ledger, clock: ManualClock
) -> None:
    held = ledger.hold()
    with pytest.raises(Busy), conversation.hold("impatient", "preview"):
        pass
    clock.advance(1)
    assert conversation.patience_is_over("impatient", "preview", timedelta(0))
    ledger.locks.release(held)
    with conversation.hold("run-2", "preview"):
        pass
