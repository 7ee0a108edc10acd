"""When the exchange is open: sessions, holidays, half days, and an operator's overrides."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pytz.tzinfo import BaseTzInfo

from worker.errors import ConfigurationError
from worker.market.overrides import Overrides, OverridesFile
from worker.market.sessions import Part, SessionBook, SessionDay, exchange_zone, session_book
from worker.models.base import Utc, Value
from worker.models.strategy import MarketWindow

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
YEARS_AHEAD = 2
_SESSIONS_TO_TRY = 60


class Hours(Value):
    """From the first moment of a session to the first one after it. Where the exchange breaks for
    lunch, each part is such hours, and the break is closed."""

    opens_at: Utc
    closes_at: Utc


class Release(Value):
    """When a run may trade: from `at`, within `hours`; `open_now` says that it may already."""

    open_now: bool
    at: Utc
    hours: Hours


class ExchangeCalendar:
    """The calendar of `name` (one of exchange_calendars), on `trading_days` alone, as the
    overrides correct it. Every question raises ConfigurationError where the name is unknown, the
    overrides cannot be read, or the moment lies beyond what the calendar knows."""

    def __init__(self, name: str, trading_days: Iterable[str], overrides_file: Path) -> None:
        self._name = name
        self._weekdays = {WEEKDAYS.index(day) for day in trading_days}
        self._overrides = OverridesFile(overrides_file)
        self._built: tuple[SessionBook, Overrides, Sequence[Part]] | None = None

    @property
    def zone(self) -> BaseTzInfo:
        """The exchange's time zone."""
        return exchange_zone(self._name)

    def hours_at(self, now: datetime) -> Hours | None:
        """The hours that are running; None while the exchange is closed."""
        parts = self._parts(now)
        index = bisect_right(parts, now, key=_opens) - 1
        return _hours(parts[index]) if index >= 0 and now < parts[index][1] else None

    def next_hours(self, now: datetime) -> Hours:
        """The first hours that open after `now`."""
        for part in self._from(now):
            if part[0] > now:
                return _hours(part)
        raise self._unknown(now)

    def release(self, now: datetime, window: MarketWindow) -> Release:
        """When a run that asks at `now` may trade. Past the end of a session's window it is the
        next session's."""
        for _, part in zip(range(_SESSIONS_TO_TRY), self._from(now), strict=False):
            at, last = part[0] + window.not_before_open, part[1] - window.before_close
            if at <= last and now <= last:
                return Release(open_now=at <= now, at=at, hours=_hours(part))
        raise ConfigurationError(
            "no session is long enough for the strategy's window; make market.not_before_open or "
            "market.before_close shorter"
        )

    def _from(self, now: datetime) -> Iterator[Part]:
        """The running hours, if there are any, and all later ones."""
        parts = self._parts(now)
        if not parts or now >= parts[-1][1]:
            raise self._unknown(now)
        first = max(0, bisect_right(parts, now, key=_opens) - 1)
        return (part for part in parts[first:] if now < part[1])

    def _parts(self, now: datetime) -> Sequence[Part]:
        book = session_book(self._name, now.year + YEARS_AHEAD)
        overrides = self._overrides.current()
        if not book.days[0].day <= now.astimezone(book.zone).date() <= book.days[-1].day:
            raise self._unknown(now)
        built = self._built
        if built is None or built[0] is not book or built[1] is not overrides:
            built = self._built = book, overrides, tuple(self._corrected(book, overrides))
        return built[2]

    def _corrected(self, book: SessionBook, overrides: Overrides) -> Iterator[Part]:
        known = {day.day for day in book.days}
        added = [
            SessionDay(day, book.regular_parts(day), True)
            for day in overrides.open
            if day not in known and book.days[0].day < day < book.days[-1].day
        ]
        for day in sorted((*book.days, *added), key=lambda day: day.day):
            usual = day.day.weekday() in self._weekdays or day.day in overrides.open
            if usual and day.day not in overrides.closed:
                yield from self._until_early_close(book, overrides, day)

    def _until_early_close(
        self, book: SessionBook, overrides: Overrides, day: SessionDay
    ) -> Iterator[Part]:
        early = overrides.early_close.get(day.day)
        if early is None:
            yield from day.parts
            return
        end = book.zone.localize(datetime.combine(day.day, early)).astimezone(UTC)
        if end <= day.parts[0][0]:
            raise self._overrides.wrong(
                day.day, "this is not after the open; write the date under `closed`"
            )
        for opens, closes in day.parts:
            if opens < end:
                yield opens, min(closes, end)

    def _unknown(self, now: datetime) -> ConfigurationError:
        return ConfigurationError(
            f"the calendar {self._name} does not know the sessions around {now:%Y-%m-%d}; "
            "install a newer exchange_calendars"
        )


def _opens(part: Part) -> datetime:
    return part[0]


def _hours(part: Part) -> Hours:
    return Hours(opens_at=part[0], closes_at=part[1])
