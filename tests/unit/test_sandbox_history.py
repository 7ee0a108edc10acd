"""Bars of the chart service, from months to minutes."""

from datetime import UTC, date, datetime, timedelta

import pytest

from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.history import MAX_BARS, Bar, bars
from scripts.sandbox.market import Market
from scripts.sandbox.prices import daily_prices
from scripts.sandbox.sessions import nyse

MARKET = Market(nyse(), daily_prices())


def moment(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=NEW_YORK)


WEDNESDAY = date(2013, 2, 27)
MORNING = moment(WEDNESDAY, 10)
EVENING = moment(WEDNESDAY, 18)


def ohlc(bar: Bar) -> tuple[int, int, int, int]:
    return bar.open, bar.high, bar.low, bar.close


def test_finished_days_are_the_real_ones() -> None:
    found = bars(MARKET, "AAPL", "2d", "1d", EVENING)
    assert [(bar.start.date(), ohlc(bar), bar.volume) for bar in found] == [
        (date(2013, 2, 26), (44382, 45154, 43766, 44897), 17910700),
        (date(2013, 2, 27), (44843, 45244, 44065, 44457), 20976800),
    ]


def test_the_running_day_is_only_as_far_as_it_has_come() -> None:
    (running,) = bars(MARKET, "AAPL", "1d", "1d", MORNING)
    tick = MARKET.tick("AAPL", MORNING)
    assert tick is not None
    assert running.start == moment(WEDNESDAY, 9, 30)
    assert ohlc(running) == tuple(
        int(price * 100) for price in (tick.open, tick.high, tick.low, tick.last)
    )
    assert running.volume == tick.volume < 20976800


def test_nothing_of_a_later_moment_shows() -> None:
    before = moment(WEDNESDAY, 9, 29, 59)
    assert [bar.start.date() for bar in bars(MARKET, "AAPL", "1d", "1d", before)] == [
        date(2013, 2, 26)
    ]
    for size in ("1min", "5min", "1h", "1d", "1w", "1m"):
        for bar in bars(MARKET, "AAPL", "1m", size, MORNING):
            assert bar.start <= MORNING.astimezone(UTC)


@pytest.mark.parametrize("size", ["1min", "3min", "30min", "1h", "2h", "4h", "8h"])
def test_bars_of_a_day_join_up_to_the_day(size: str) -> None:
    parts = bars(MARKET, "IBM", "1d", size, EVENING)
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.joined(part)
    assert whole == bars(MARKET, "IBM", "1d", "1d", EVENING)[0]


def test_weeks_and_months_hold_their_days() -> None:
    weeks = bars(MARKET, "MSFT", "1m", "1w", EVENING)
    assert [bar.start.date() for bar in weeks[-2:]] == [date(2013, 2, 19), date(2013, 2, 25)]
    months = bars(MARKET, "MSFT", "1y", "1m", EVENING)
    days = bars(MARKET, "MSFT", "2m", "1d", EVENING)
    january = [day for day in days if day.start.month == 1]
    assert months[-2].high == max(day.high for day in january)
    assert months[-2].close == january[-1].close


def test_short_periods_count_back_from_now() -> None:
    found = bars(MARKET, "AAPL", "30min", "5min", moment(WEDNESDAY, 12))
    assert [bar.start for bar in found][-1] == moment(WEDNESDAY, 12)
    assert len(found) == 6
    over_night = bars(MARKET, "AAPL", "1h", "30min", moment(WEDNESDAY, 9, 40))
    assert [bar.start.date().day for bar in over_night] == [26, 27]


def test_never_more_than_a_thousand_bars() -> None:
    for period, size in (("15y", "1d"), ("1y", "1min"), ("15y", "4h")):
        assert len(bars(MARKET, "AAPL", period, size, EVENING)) == MAX_BARS


def test_a_year_of_days_has_about_250() -> None:
    assert 248 <= len(bars(MARKET, "AAPL", "1y", "1d", EVENING)) <= 253


@pytest.mark.parametrize("period", ["", "soon", "-1d", "1.5d", "9" * 5000 + "y", "1D", "٣d"])
def test_an_unreadable_period_gives_some_days_all_the_same(period: str) -> None:
    assert 0 < len(bars(MARKET, "AAPL", period, "1d", EVENING)) <= MAX_BARS


def test_an_unknown_size_or_an_empty_past_gives_nothing() -> None:
    assert bars(MARKET, "AAPL", "1d", "7min", EVENING) == []
    assert bars(MARKET, "GOOGL", "1y", "1d", moment(date(2004, 8, 19), 9)) == []
    long_ago = datetime(1, 1, 1, tzinfo=UTC) + timedelta(days=1)
    assert bars(MARKET, "AAPL", "1d", "1d", long_ago) == []
