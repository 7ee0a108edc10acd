"""Figures and moments as commands show them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from scripts.access import short_account
from scripts.show.words import market_of, shares, took, usd, wall
from tests.support.clock import ManualClock
from tests.support.values import OPEN
from worker.clock import ReplayClock


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "·"),
        (0.004, "4 ms"),
        (0.42, "0.42 s"),
        (12.34, "12.3 s"),
        (119.9, "119.9 s"),
        (250.0, "4 min 10 s"),
        (7500.0, "2 h 5 min"),
        (273600.0, "3 d 4 h"),
    ],
)
def test_a_length_of_time_is_as_exact_as_it_is_useful(seconds: float | None, words: str) -> None:
    assert took(seconds) == words


def test_what_is_not_known_is_a_dot_and_never_a_zero() -> None:
    assert (usd(None), shares(None), wall(None)) == ("·", "·", "·")


def test_shares_have_a_fraction_only_where_there_is_one() -> None:
    assert [shares(Decimal(text)) for text in ("1200.0", "0.5", "0")] == ["1,200", "0.5", "0"]


def test_a_moment_of_the_wall_is_found_on_the_markets_clock() -> None:
    clock = ManualClock(OPEN)
    assert market_of(clock, OPEN + timedelta(seconds=90)) == OPEN + timedelta(seconds=90)
    replayed = ReplayClock(OPEN, ReplayClock(OPEN, OPEN, 1).wall_now(), rate=10)
    later = market_of(replayed, replayed.wall_now() + timedelta(seconds=6))
    assert abs(later - replayed.market_now() - timedelta(seconds=60)) <= timedelta(seconds=1)


@pytest.mark.parametrize(
    ("account_id", "short"), [("DU9000001", "DU9…01"), ("U12", "U12"), (None, None), ("", None)]
)
def test_an_account_is_recognised_and_not_told(account_id: str | None, short: str | None) -> None:
    assert short_account(account_id) == short
