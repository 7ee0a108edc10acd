"""The sandbox's daily prices: real ones, adjusted for splits, and the sessions they belong to."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

from exchange_calendars import get_calendar

from scripts.sandbox.instruments import INSTRUMENTS
from scripts.sandbox.prices import Row, adjusted, daily_prices, splits
from scripts.sandbox.sessions import FIRST, LAST, nyse


def row(day: int, close: str, adjusted: str, volume: int = 1000) -> Row:
    price = Decimal(close)
    return Row(date(2012, 1, day), price, price, price, price, volume, Decimal(adjusted))


def test_a_split_is_found_and_a_dividend_is_not() -> None:
    rows = [
        row(3, "90.00", "40.00"),
        row(4, "44.00", "39.11"),  # two new shares for one
        row(5, "44.00", "41.16"),  # a dividend of 5 per cent
        row(6, "15.00", "42.10"),  # three for one
    ]
    assert splits(rows) == {date(2012, 1, 4): 2, date(2012, 1, 6): 3}


def test_prices_before_a_split_are_divided_and_volumes_multiplied() -> None:
    rows = [row(3, "90.00", "40.00"), row(4, "45.00", "40.00"), row(5, "15.10", "40.20")]
    found = {day.day.day: (day.close, day.volume) for day in adjusted(rows).values()}
    assert found == {3: (1500, 6000), 4: (1500, 3000), 5: (1510, 1000)}


def test_every_stock_has_its_known_first_and_last_day() -> None:
    days = daily_prices()
    found = {symbol: (min(of), max(of), of[max(of)].close) for symbol, of in days.items()}
    last = date(2013, 3, 1)
    assert found == {
        "AAPL": (date(2000, 3, 1), last, 43047),
        "MSFT": (date(2000, 3, 1), last, 2795),
        "IBM": (date(2000, 3, 1), last, 20291),
        "GOOGL": (date(2004, 8, 19), last, 80619),
    }


def test_apple_and_microsoft_lose_their_splits() -> None:
    days = daily_prices()
    apple, microsoft = days["AAPL"], days["MSFT"]
    # As traded: 130.31 before two splits, 101.25 and 55.62 around the first, 88.99 and 44.86
    # around the second; 48.30 and 24.96 around Microsoft's.
    assert [apple[date(2000, 3, 1)].close, apple[date(2005, 2, 25)].close] == [3258, 4450]
    assert apple[date(2005, 2, 28)].close == 4486
    assert [microsoft[date(2003, 2, 14)].close, microsoft[date(2003, 2, 18)].close] == [2415, 2496]


def test_no_day_moves_as_far_as_a_split_would() -> None:
    for symbol, days in daily_prices().items():
        closes = [day.close for day in days.values()]
        moves = [after / before for before, after in pairwise(closes)]
        assert min(moves) > 0.47, symbol  # AAPL fell by half on 2000-09-29, without a split
        assert max(moves) < 1.4, symbol


def test_each_days_prices_are_in_order() -> None:
    wrong = [
        (symbol, day)
        for symbol, days in daily_prices().items()
        for day in days.values()
        if not (day.low <= min(day.open, day.close) and max(day.open, day.close) <= day.high)
    ]
    assert wrong == []


def test_each_priced_day_was_a_session() -> None:
    unknown = [
        (symbol, day)
        for symbol, days in daily_prices().items()
        for day in days
        if nyse().on(day) is None
    ]
    assert unknown == []


def test_sessions_are_those_of_the_exchange_calendar() -> None:
    calendar = get_calendar("XNYS", start=FIRST.isoformat(), end=LAST.isoformat())
    expected = list(zip(calendar.opens, calendar.closes, strict=True))
    assert [(session.opens, session.closes) for session in nyse().all] == expected


def test_conids_are_the_brokers_own() -> None:
    assert {i.symbol: i.conid for i in INSTRUMENTS} == {
        "AAPL": 265598,
        "MSFT": 272093,
        "IBM": 8314,
        "GOOGL": 208813719,
    }
