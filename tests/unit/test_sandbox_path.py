"""The drawn path within a day keeps to the day's real prices."""

from datetime import date, datetime
from decimal import Decimal

from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.market import Market
from scripts.sandbox.path import Path, draw
from scripts.sandbox.prices import Day, daily_prices
from scripts.sandbox.sessions import nyse

DAY = Day(date(2013, 2, 27), open=44843, high=45244, low=44065, close=44457, volume=20976800)


def every_second(path: Path) -> list[int]:
    return [path.price(second) for second in range(path.minutes * 60 + 1)]


def test_path_has_the_days_ends_and_extremes() -> None:
    prices = every_second(draw("seed", "AAPL", DAY, 390))
    assert (prices[0], max(prices), min(prices), prices[-1]) == (44843, 45244, 44065, 44457)


def test_path_is_the_same_whenever_it_is_drawn_and_another_for_another_seed() -> None:
    first = draw("seed", "AAPL", DAY, 390)
    assert draw("seed", "AAPL", DAY, 390) == first
    assert draw("other", "AAPL", DAY, 390) != first
    assert draw("seed", "MSFT", DAY, 390) != first


def test_path_of_every_kind_of_day_keeps_to_its_prices() -> None:
    """Real days throughout the years, half days and days without a range among them."""
    for symbol, days in daily_prices().items():
        flat = Day(date(2013, 2, 27), 1000, 1000, 1000, 1000, 0)
        for day in [*list(days.values())[::150], flat]:
            for minutes in (210, 390):
                knots = draw("seed", symbol, day, minutes).knots
                found = (knots[0], max(knots), min(knots), knots[-1], len(knots))
                assert found == (day.open, day.high, day.low, day.close, minutes + 1)


def test_before_the_open_and_after_the_close_the_path_stands_still() -> None:
    path = draw("seed", "AAPL", DAY, 390)
    assert [path.price(-5), path.price(390 * 60 + 5)] == [44843, 44457]
    assert [path.volume(-5), path.volume(390 * 60 + 5)] == [0, 20976800]


def test_day_so_far_grows_with_the_day() -> None:
    path = draw("seed", "AAPL", DAY, 390)
    seconds = range(0, 390 * 60 + 1, 97)
    assert [path.high(s) for s in seconds] == sorted(path.high(s) for s in seconds)
    assert [path.low(s) for s in seconds] == sorted((path.low(s) for s in seconds), reverse=True)
    assert [path.volume(s) for s in seconds] == sorted(path.volume(s) for s in seconds)


def test_a_quote_lies_around_the_last_price() -> None:
    market = Market(nyse(), daily_prices())
    for minute in range(30, 60):
        tick = market.tick("AAPL", datetime(2013, 2, 27, 10, minute, tzinfo=NEW_YORK))
        assert tick is not None
        assert tick.bid <= tick.last <= tick.ask
        assert Decimal("0.01") <= tick.ask - tick.bid <= Decimal("0.03")
        assert min(tick.bid_size, tick.ask_size) >= 100


def test_outside_the_session_there_is_no_quote_but_a_last_close() -> None:
    market = Market(nyse(), daily_prices())
    for hour, minute, close in ((9, 29, 44897), (16, 0, 44457)):
        moment = datetime(2013, 2, 27, hour, minute, tzinfo=NEW_YORK)
        last = market.last_close("AAPL", moment)
        assert market.tick("AAPL", moment) is None
        assert last is not None
        assert last.close == close
        assert market.price("AAPL", moment) == Decimal(close) / 100


def test_prior_close_is_yesterdays_all_day_long() -> None:
    market = Market(nyse(), daily_prices())
    for hour in (8, 12, 20):
        prior = market.prior_close("AAPL", datetime(2013, 2, 27, hour, tzinfo=NEW_YORK))
        assert prior is not None
        assert prior.day == date(2013, 2, 26)


def test_before_a_stocks_first_day_there_is_no_price() -> None:
    market = Market(nyse(), daily_prices())
    moment = datetime(2003, 1, 6, 12, tzinfo=NEW_YORK)
    assert (market.tick("GOOGL", moment), market.price("GOOGL", moment)) == (None, None)
