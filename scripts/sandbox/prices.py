"""Real daily prices, adjusted for splits.

The file's prices are as traded; its last column is a close adjusted for splits and dividends. The
quotient of the two is constant but for two kinds of jump: a dividend moves it by some per cent (at
most 11 % here, Microsoft's special one of 2004), a split by a whole number of 2 or more. So a jump
within 1 % of such a number is a split: AAPL 2000-06-21 and 2005-02-28, MSFT 2003-02-18, each
exactly 2 to 1. Prices before it are divided and volumes multiplied by it; dividends stay in the
prices, as on a trader's screen. Splits after the file's last day are not in the prices.
"""

import csv
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

from scripts.sandbox.instruments import INSTRUMENTS

FILE = Path(__file__).parent / "data" / "stocks.csv.gz"
FIRST_DAY, LAST_DAY = date(2000, 3, 1), date(2013, 3, 1)
TOLERANCE = Decimal("0.01")
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Day:
    """One session's prices in cents, split-adjusted, and its volume in shares."""

    day: date
    open: int
    high: int
    low: int
    close: int
    volume: int


@dataclass(frozen=True)
class Row:
    day: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    adjusted: Decimal


def splits(rows: Iterable[Row]) -> dict[date, int]:
    """The first day of each new count of shares, and how many new shares one old share became."""
    found = {}
    before: Decimal | None = None
    for row in rows:
        quotient = row.close / row.adjusted
        jump = before / quotient if before is not None else Decimal(1)
        nearest = round(jump)
        if nearest >= 2 and abs(jump / nearest - 1) < TOLERANCE:
            found[row.day] = nearest
        before = quotient
    return found


def adjusted(rows: list[Row]) -> dict[date, Day]:
    factors = splits(rows)
    factor = 1
    days = {}
    for row in reversed(rows):
        days[row.day] = _day(row, factor)
        factor *= factors.get(row.day, 1)
    return dict(sorted(days.items()))


@cache
def daily_prices() -> Mapping[str, Mapping[date, Day]]:
    """By symbol and date, in order of date."""
    rows: dict[str, list[Row]] = {}
    with gzip.open(FILE, "rt", newline="") as file:
        for line in csv.DictReader(file):
            rows.setdefault(line["Ticker"], []).append(_row(line))
    return {instrument.symbol: adjusted(rows[instrument.rows]) for instrument in INSTRUMENTS}


def dollars(cents: int) -> Decimal:
    return (Decimal(cents) / 100).quantize(CENT)


def _row(line: dict[str, str]) -> Row:
    return Row(
        day=date.fromisoformat(line["Date"]),
        open=Decimal(line["Open"]),
        high=Decimal(line["High"]),
        low=Decimal(line["Low"]),
        close=Decimal(line["Close"]),
        volume=int(line["Volume"]),
        adjusted=Decimal(line["Adj Close"]),
    )


def _day(row: Row, factor: int) -> Day:
    # Rounding keeps the order of prices, so low <= open, close <= high still holds.
    return Day(
        day=row.day,
        open=_cents(row.open, factor),
        high=_cents(row.high, factor),
        low=_cents(row.low, factor),
        close=_cents(row.close, factor),
        volume=row.volume * factor,
    )


def _cents(price: Decimal, factor: int) -> int:
    return round(price * 100 / factor)
