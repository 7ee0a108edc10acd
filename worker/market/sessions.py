"""An exchange's sessions as exchange_calendars knows them, in plain moments."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import pytz
from pytz.tzinfo import BaseTzInfo

from worker.errors import ConfigurationError

FIRST_DAY = "2000-01-01"
Part = tuple[datetime, datetime]  # from its first moment to the first one after it, UTC
Parts = tuple[Part, ...]


@dataclass(frozen=True)
class SessionDay:
    """One session: its date at the exchange, its parts (two where there is a lunch break), and
    whether its hours are the regular ones."""

    day: date
    parts: Parts
    regular: bool


@dataclass(frozen=True)
class SessionBook:
    zone: BaseTzInfo
    days: tuple[SessionDay, ...]

    def regular_parts(self, day: date) -> Parts:
        """The hours of the last regular session before `day`, moved to `day`."""
        models = [known for known in self.days if known.regular]
        model = next((known for known in reversed(models) if known.day < day), models[0])
        return tuple(
            (self._moved(opens, model.day, day), self._moved(closes, model.day, day))
            for opens, closes in model.parts
        )

    def _moved(self, moment: datetime, from_day: date, to_day: date) -> datetime:
        local = moment.astimezone(self.zone)
        moved = to_day + timedelta(days=(local.date() - from_day).days)
        return self.zone.localize(datetime.combine(moved, local.time())).astimezone(UTC)


@lru_cache(maxsize=8)
def session_book(name: str, last_year: int) -> SessionBook:
    """All sessions from 2000 to the end of `last_year`, or as many of them as are known.

    Loaded once for each name and year. Raises ConfigurationError for a name that is not known.
    """
    calendar = _load(name, last_year)
    special = {*calendar.early_closes.date, *calendar.late_opens.date}
    rows = zip(
        calendar.sessions.date, calendar.opens, calendar.closes,
        calendar.break_starts.notna(), calendar.break_starts, calendar.break_ends, strict=True,
    )  # fmt: skip
    return SessionBook(
        zone=exchange_zone(name),
        days=tuple(SessionDay(day, _parts(*rest), day not in special) for day, *rest in rows),
    )


@lru_cache(maxsize=8)
def exchange_zone(name: str) -> BaseTzInfo:
    return pytz.timezone(_known(name).tz.key)


def _load(name: str, last_year: int) -> Any:
    from exchange_calendars import get_calendar  # costs most of a second: only when it is needed

    known, last_day = _known(name), f"{last_year}-12-31"
    first, last = known.bound_min(), known.bound_max()  # what its holidays are recorded for
    return get_calendar(
        name,
        start=max(FIRST_DAY, str(first.date())) if first else FIRST_DAY,
        end=min(last_day, str(last.date())) if last else last_day,
    )


def _known(name: str) -> Any:
    from exchange_calendars import get_calendar
    from exchange_calendars.errors import CalendarError

    try:
        return get_calendar(name)
    except CalendarError:
        raise ConfigurationError(
            f"{name!r} is not a calendar of exchange_calendars; write a name such as XNYS "
            "(key market.calendar)"
        ) from None
    except ValueError:  # some of its calendars contradict themselves
        raise ConfigurationError(
            f"exchange_calendars cannot make its calendar {name}; install another version of it, "
            "or write another name (key market.calendar)"
        ) from None


def _parts(opens: Any, closes: Any, breaks: bool, break_start: Any, break_end: Any) -> Parts:
    if breaks:
        return ((_utc(opens), _utc(break_start)), (_utc(break_end), _utc(closes)))
    return ((_utc(opens), _utc(closes)),)


def _utc(moment: Any) -> datetime:
    return datetime.fromtimestamp(moment.timestamp(), UTC)
