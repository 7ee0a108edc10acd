"""Locks with a lease, a fencing token, and a queue in which the more urgent goes first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import LEASE
from tests.support.values import OPEN
from worker.clock import SystemClock
from worker.fencing import Held
from worker.journal.engine import Journal
from worker.journal.locks import LockBook, is_held

NAME = "orders:DU1234567"
HALT, CANCEL, ORDER, PREVIEW = range(4)


@pytest.fixture
def locks(journal: Journal, clock: ManualClock) -> LockBook:
    return LockBook(journal, clock)


@pytest.fixture
def take(locks: LockBook) -> Callable[..., Held | None]:
    def take(holder: str, priority: int = ORDER, name: str = NAME) -> Held | None:
        return locks.acquire(name, holder, priority, LEASE)

    return take


Take = Callable[..., Held | None]


def taken(held: Held | None) -> Held:
    assert held is not None
    return held


def test_a_free_lock_is_taken_until_its_lease_ends(take: Take) -> None:
    assert take("a") == Held(name=NAME, holder="a", token=1, lease_until=OPEN + LEASE)
    assert take("b") is None
    assert take("a") is None


def test_locks_of_other_names_are_free(take: Take) -> None:
    assert take("a")
    assert take("b", name="orders:another")


def test_a_released_lock_goes_on_under_a_higher_token(take: Take, locks: LockBook) -> None:
    locks.release(taken(take("a")))
    assert taken(take("b")).token == 2


def test_an_expired_lease_is_taken_over_under_a_higher_token(
    take: Take, clock: ManualClock
) -> None:
    take("a")
    clock.advance(29.999)
    assert take("b") is None
    clock.advance(0.001)
    assert taken(take("b")).token == 2


def test_the_former_holder_releases_nothing_of_the_next_one(
    take: Take, locks: LockBook, clock: ManualClock
) -> None:
    former = taken(take("a"))
    clock.advance(30)
    assert take("b")
    locks.release(former)
    assert take("c") is None


def test_a_release_twice_is_a_release_once(take: Take, locks: LockBook) -> None:
    held = taken(take("a"))
    locks.release(held)
    assert take("b")
    locks.release(held)
    assert take("c") is None


def test_the_most_urgent_waiter_goes_next(take: Take, locks: LockBook) -> None:
    held = taken(take("first"))
    waiters = {"preview": PREVIEW, "order": ORDER, "cancel": CANCEL, "halt": HALT}
    for name, priority in waiters.items():
        assert take(name, priority) is None
    locks.release(held)
    order = []
    while waiters:
        asked = {name: take(name, priority) for name, priority in waiters.items()}
        ((name, got),) = [(name, each) for name, each in asked.items() if each]
        order.append(name)
        del waiters[name]
        locks.release(got)
    assert order == ["halt", "cancel", "order", "preview"]


def test_of_equal_waiters_the_first_goes_first(
    take: Take, locks: LockBook, clock: ManualClock
) -> None:
    held = taken(take("x"))
    take("second-by-name")
    clock.advance(1)
    take("first-by-name")
    locks.release(held)
    assert take("first-by-name") is None
    assert take("second-by-name")


def test_a_newcomer_does_not_overtake_a_more_urgent_waiter(take: Take, locks: LockBook) -> None:
    held = taken(take("x"))
    take("halt", HALT)
    locks.release(held)
    assert take("order", ORDER) is None
    assert take("halt", HALT)


def test_a_waiter_that_has_gone_holds_nobody_up(
    take: Take, locks: LockBook, clock: ManualClock
) -> None:
    held = taken(take("x"))
    take("halt", HALT)
    clock.advance(19.999)
    locks.release(held)
    assert take("order") is None
    clock.advance(0.001)
    assert take("order")


def test_a_waiter_that_asks_again_in_time_keeps_its_place(
    take: Take, locks: LockBook, clock: ManualClock
) -> None:
    for second in range(0, 60, 15):
        if second % 30 == 0:
            take(f"holder-{second}", HALT)
        assert take("order") is None
        clock.advance(15)
    assert locks.waits_since(NAME, "order") == OPEN
    take("later")
    assert take("order")


def test_a_waiter_that_comes_back_late_queues_anew(
    take: Take, locks: LockBook, clock: ManualClock
) -> None:
    take("x")
    take("order")
    clock.advance(24)
    take("patient")
    clock.advance(1)
    take("order")
    assert locks.waits_since(NAME, "order") == OPEN + timedelta(seconds=25)
    clock.advance(5)
    assert take("order") is None
    assert take("patient")


def test_who_has_the_lock_waits_no_longer(take: Take, locks: LockBook) -> None:
    held = taken(take("a"))
    take("b")
    assert (locks.waits_since(NAME, "a"), locks.waits_since(NAME, "b")) == (None, OPEN)
    locks.release(held)
    take("b")
    assert locks.waits_since(NAME, "b") is None


def test_who_gives_up_holds_nobody_up(take: Take, locks: LockBook) -> None:
    held = taken(take("x"))
    take("halt", HALT)
    locks.give_up(NAME, "halt")
    locks.release(held)
    assert take("order")


def test_a_lock_is_held_by_its_newest_token_for_as_long_as_its_lease(
    take: Take, locks: LockBook, journal: Journal, clock: ManualClock
) -> None:
    held = taken(take("a"))
    with journal.read() as connection:
        assert is_held(connection, held, OPEN + LEASE)
        assert not is_held(connection, held, OPEN + LEASE + timedelta(microseconds=1))
        assert not is_held(connection, Held("other", "a", 1, OPEN + LEASE), OPEN)
    clock.advance(30)
    newer = taken(take("b"))
    with journal.read() as connection:
        assert not is_held(connection, held, OPEN)
        assert is_held(connection, newer, clock.now)
    locks.release(newer)
    with journal.read() as connection:
        assert not is_held(connection, newer, OPEN)


def test_of_twenty_at_once_one_has_it_and_the_others_wait(locks: LockBook, take: Take) -> None:
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(take, [f"holder-{number}" for number in range(20)]))
    assert len([held for held in found if held]) == 1


def test_those_that_ask_until_they_get_it_are_never_two_at_once(
    locks: LockBook, take: Take
) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> int:
        while (held := take(f"holder-{number}")) is None:
            SystemClock().sleep(0.01)
        inside.append(number)
        most.append(len(inside))
        inside.remove(number)
        locks.release(held)
        return held.token

    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(work, range(8)))
    assert max(most) == 1
    assert sorted(tokens) == list(range(1, 9))
