"""What was last seen alive, or was told to a person."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.clock import ManualClock
from worker.journal.beacons import BeaconBook
from worker.journal.engine import Journal


@pytest.fixture
def beacons(journal: Journal, clock: ManualClock) -> BeaconBook:
    return BeaconBook(journal, clock)


def test_a_beacon_is_lit_once_and_then_renewed(beacons: BeaconBook) -> None:
    assert beacons.light("told:session", {"title": "first"})
    assert not beacons.light("told:session", {"title": "second"})
    assert beacons.data("told:session") == {"title": "second"}


def test_whether_a_beacon_is_lit_can_be_seen(beacons: BeaconBook) -> None:
    assert not beacons.is_lit("a")
    beacons.light("a")
    assert (beacons.is_lit("a"), beacons.is_lit("b")) == (True, False)
    beacons.put_out("a")
    assert not beacons.is_lit("a")


def test_a_beacon_that_was_put_out_can_be_lit_again(beacons: BeaconBook) -> None:
    beacons.light("a")
    assert [beacons.put_out("a"), beacons.put_out("a")] == [True, False]
    assert beacons.light("a")


def test_beacons_are_told_apart_by_name(beacons: BeaconBook) -> None:
    beacons.light("a", 1)
    assert beacons.light("b", None)
    assert (beacons.data("a"), beacons.data("b"), beacons.data("c")) == (1, None, None)


def test_of_twenty_that_light_it_at_once_one_did(beacons: BeaconBook) -> None:
    with ThreadPoolExecutor(20) as pool:
        lit = list(pool.map(lambda _: beacons.light("told:unknown"), range(20)))
    assert lit.count(True) == 1
