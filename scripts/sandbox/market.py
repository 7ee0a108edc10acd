"""What a trader could see at a moment of market time: last trade, bid and ask, the day so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache

from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.path import Path, draw
from scripts.sandbox.prices import Day, dollars
from scripts.sandbox.sessions import Session, Sessions

SEED = "openbell sandbox 1"


@dataclass(frozen=True)
class Tick:
    """One symbol at one second of a running session."""

    last: Decimal
    bid: Decimal
    ask: Decimal
    bid_size: int
    ask_size: int
    open: Decimal
    high: Decimal
    low: Decimal
    volume: int


class Market:
    def __init__(self, sessions: Sessions, days: Mapping[str, Mapping[date, Day]]) -> None:
        self.sessions = sessions
        self.days = days
        self._path = lru_cache(maxsize=256)(self._drawn)

    def tick(self, symbol: str, at: datetime) -> Tick | None:
        """None outside the session, and on a day the symbol has no prices for."""
        session = self.sessions.at(at)
        path = self.path(symbol, session) if session else None
        if session is None or path is None:
            return None
        second = session.second(at)
        last, spread = path.price(second), path.spread(second)
        bid = last - spread // 2
        bid_size, ask_size = path.sizes(second)
        return Tick(
            last=dollars(last),
            bid=dollars(bid),
            ask=dollars(bid + spread),
            bid_size=bid_size,
            ask_size=ask_size,
            open=dollars(path.knots[0]),
            high=dollars(path.high(second)),
            low=dollars(path.low(second)),
            volume=path.volume(second),
        )

    def path(self, symbol: str, session: Session) -> Path | None:
        if session.day not in self.days[symbol]:
            return None
        return self._path(symbol, session)

    def last_close(self, symbol: str, at: datetime) -> Day | None:
        """The latest finished day that has prices, however long ago."""
        return self._latest(symbol, self.sessions.ended(at))

    def prior_close(self, symbol: str, at: datetime) -> Day | None:
        """The latest finished day before today, as New York counts days."""
        today = datetime.combine(at.astimezone(NEW_YORK).date(), time(), NEW_YORK)
        return self.last_close(symbol, today)

    def price(self, symbol: str, at: datetime) -> Decimal | None:
        """The last trade, or the last close outside the session; what a position is valued at."""
        tick = self.tick(symbol, at)
        if tick:
            return tick.last
        day = self.last_close(symbol, at)
        return dollars(day.close) if day else None

    def _latest(self, symbol: str, sessions: tuple[Session, ...]) -> Day | None:
        days = self.days[symbol]
        return next((days[s.day] for s in reversed(sessions) if s.day in days), None)

    def _drawn(self, symbol: str, session: Session) -> Path:
        return draw(SEED, symbol, self.days[symbol][session.day], session.minutes)
