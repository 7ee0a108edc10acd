"""When the New York Stock Exchange was open, from exchange_calendars, half days included."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache

FIRST, LAST = date(2000, 1, 1), date(2013, 12, 31)


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
    from exchange_calendars import get_calendar  # it costs most of a second: only when needed

    calendar = get_calendar("XNYS", start=FIRST.isoformat(), end=LAST.isoformat())
    return Sessions(
        tuple(
            Session(opens.date(), _utc(opens.timestamp()), _utc(closes.timestamp()))
            for opens, closes in zip(calendar.opens, calendar.closes, strict=True)
        )
    )


def _utc(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
