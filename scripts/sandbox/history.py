"""Bars for the chart service: months to minutes, the running one included as far as it has come."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from scripts.sandbox.market import Market
from scripts.sandbox.path import Path
from scripts.sandbox.prices import dollars
from scripts.sandbox.sessions import Session

MAX_BARS = 1000
DAY_MINUTES = 390
PERIOD = re.compile(r"([0-9]+)(min|h|d|w|m|y)")
MINUTES = {
    "1min": 1, "2min": 2, "3min": 3, "5min": 5, "10min": 10, "15min": 15, "30min": 30,
    "1h": 60, "2h": 120, "3h": 180, "4h": 240, "8h": 480,
}  # fmt: skip
LENGTHS = {"1d": 86_400, "1w": 604_800, "1m": 2_592_000} | {
    name: minutes * 60 for name, minutes in MINUTES.items()
}


@dataclass(frozen=True)
class Bar:
    start: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int

    def joined(self, later: "Bar") -> "Bar":
        high, low = max(self.high, later.high), min(self.low, later.low)
        volume = self.volume + later.volume
        return Bar(self.start, self.open, high, low, later.close, volume)

    def row(self) -> dict[str, float | int]:
        prices = {"o": self.open, "c": self.close, "h": self.high, "l": self.low}
        plain = {name: float(dollars(cents)) for name, cents in prices.items()}
        return plain | {"v": self.volume, "t": round(self.start.timestamp() * 1000)}


def bars(market: Market, symbol: str, period: str, bar: str, until: datetime) -> list[Bar]:
    """The last bars of `period` before `until`, oldest first, at most 1000. Unknown sizes: none."""
    if bar not in LENGTHS:
        return []
    sessions = _sessions(market, period, until)
    if bar in MINUTES:
        sessions = sessions[-_enough(bar) :]
        found = [b for session in sessions for b in _intraday(market, symbol, session, bar, until)]
        found = _recent(found, period, bar)
    else:
        daily = [_whole(market, symbol, session, until) for session in sessions]
        found = _grouped([day for day in daily if day], bar)
    return found[-MAX_BARS:]


def price_text(price: int, volume: int, minutes: int) -> str:
    """`price x 100 / volume / minutes`, how the service writes a chart's high and low."""
    return f"{price}/{Decimal(volume)}/{minutes}"


def _enough(bar: str) -> int:
    """So many sessions hold the most bars that are ever given, some half days among them."""
    bars_a_day = -(-DAY_MINUTES // MINUTES[bar])
    return 2 + MAX_BARS * 11 // 10 // bars_a_day


def _sessions(market: Market, period: str, until: datetime) -> list[Session]:
    running = market.sessions.at(until)
    begun = [*market.sessions.ended(until), *([running] if running else [])]
    match = PERIOD.fullmatch(period)
    if match is None or not begun:
        return begun[-5:]
    count, unit = min(int(match[1][:6]), MAX_BARS), match[2]
    if unit in ("min", "h"):
        return begun[-2:]
    if unit == "d":
        return begun[-count:] if count else []
    days = {"w": 7.0, "m": 365.25 / 12, "y": 365.25}[unit] * count
    first = (until - timedelta(days=days)).date()
    return [session for session in begun if session.day > first]


def _intraday(
    market: Market, symbol: str, session: Session, bar: str, until: datetime
) -> list[Bar]:
    if MINUTES[bar] >= session.minutes:
        whole = _whole(market, symbol, session, until)
        return [whole] if whole else []
    path = market.path(symbol, session)
    if path is None:
        return []
    size = MINUTES[bar] * 60
    end = min(session.second(until), path.minutes * 60)
    return [
        _cut(path, session, start, min(start + size, end))
        for start in range(0, int(end) + 1, size)
        if start < path.minutes * 60
    ]


def _whole(market: Market, symbol: str, session: Session, until: datetime) -> Bar | None:
    day = market.days[symbol].get(session.day)
    if day and until >= session.closes:
        return Bar(session.opens, day.open, day.high, day.low, day.close, day.volume)
    path = market.path(symbol, session)
    return _cut(path, session, 0, session.second(until)) if path else None


def _cut(path: Path, session: Session, start: float, end: float) -> Bar:
    """One bar of the path. It moves in straight lines, so its knots and ends are its extremes."""
    first, last = path.price(start), path.price(end)
    inner = path.knots[int(start) // 60 + 1 : int(end) // 60 + 1]
    highest, lowest = max(first, last, *inner), min(first, last, *inner)
    volume = path.volume(end) - path.volume(start)
    begins = session.opens + timedelta(seconds=start)
    return Bar(begins, first, highest, lowest, last, volume)


def _recent(found: list[Bar], period: str, bar: str) -> list[Bar]:
    match = PERIOD.fullmatch(period)
    if match is None or match[2] not in ("min", "h"):
        return found
    minutes = int(match[1][:6]) * (60 if match[2] == "h" else 1)
    count = max(1, minutes // MINUTES[bar])
    return found[-count:]


def _grouped(daily: list[Bar], bar: str) -> list[Bar]:
    if bar == "1d":
        return daily
    groups: dict[tuple[int, int], Bar] = {}
    for day in daily:
        date = day.start.date()
        key = (date.year, date.month) if bar == "1m" else date.isocalendar()[:2]
        groups[key] = groups[key].joined(day) if key in groups else day
    return list(groups.values())
