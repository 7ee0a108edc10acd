"""When the New York Stock Exchange was open, holidays and half days included."""

import csv
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path

from scripts.sandbox.clock import NEW_YORK

FIRST, LAST = date(2000, 1, 1), date(2013, 12, 31)
EXCEPTIONS = Path(__file__).parent / "data" / "nyse_exceptions.csv"
OPENS, CLOSES = time(9, 30), time(16, 0)
SATURDAY = 5


@dataclass(frozen=True)
class Session:
    day: date
    opens: datetime  # UTC
    closes: datetime  # UTC; this instant is no longer in the session

    @property
    def minutes(self) -> int:
        return int((self.closes - self.opens).total_seconds()) // 60

    def second(self, at: datetime) -> float:
        """Seconds since the open."""
        return (at - self.opens).total_seconds()


class Sessions:
    def __init__(self, sessions: tuple[Session, ...]) -> None:
        self.all = sessions
        self._opens = [session.opens for session in sessions]
        self._closes = [session.closes for session in sessions]
        self._by_day = {session.day: session for session in sessions}

    def at(self, moment: datetime) -> Session | None:
        """The session that is running, if one is."""
        index = bisect_right(self._opens, moment) - 1
        if index < 0 or moment >= self.all[index].closes:
            return None
        return self.all[index]

    def ended(self, moment: datetime) -> tuple[Session, ...]:
        """Every session that has closed, the latest last."""
        return self.all[: bisect_right(self._closes, moment)]

    def following(self, moment: datetime) -> Session | None:
        """The first session that opens after `moment`."""
        index = bisect_right(self._opens, moment)
        return self.all[index] if index < len(self.all) else None

    def on(self, day: date) -> Session | None:
        return self._by_day.get(day)


@cache
def nyse() -> Sessions:
    with EXCEPTIONS.open(newline="") as file:
        exceptions = {
            date.fromisoformat(row["date"]): row["closes"] for row in csv.DictReader(file)
        }
    return Sessions(tuple(_drawn_up(exceptions)))


def _drawn_up(exceptions: dict[date, str]) -> Iterator[Session]:
    for offset in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=offset)
        closes = exceptions.get(day, CLOSES.isoformat())
        if day.weekday() < SATURDAY and closes:
            yield Session(day, _utc(day, OPENS), _utc(day, time.fromisoformat(closes)))


def _utc(day: date, local: time) -> datetime:
    return datetime.combine(day, local, NEW_YORK).astimezone(UTC)
