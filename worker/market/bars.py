"""Price bars as JSON and back, and which of them are not finished."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, tzinfo
from typing import Any, Protocol

import pytz

from worker.models.market import Bar

NEW_YORK = pytz.timezone("America/New_York")


class Session(Protocol):
    @property
    def opens_at(self) -> datetime: ...
    @property
    def closes_at(self) -> datetime: ...


def bars_to_json(bars: Iterable[Bar]) -> list[dict[str, Any]]:
    return [bar.to_json() for bar in bars]


def bars_from_json(data: Iterable[dict[str, Any]]) -> tuple[Bar, ...]:
    return tuple(Bar.from_json(row) for row in data)


def mark_partial(
    bars: Iterable[Bar], hours: Session, now: datetime | None = None, zone: tzinfo = NEW_YORK
) -> tuple[Bar, ...]:
    """`bars` with those of the running session marked; none once it is over at `now`.

    A bar belongs to the session when it starts within its hours or on its date at the exchange
    (a daily bar may carry the open, or midnight there or in UTC).
    """
    over = now is not None and now >= hours.closes_at
    return tuple(bar.evolve(partial=not over and _belongs(bar, hours, zone)) for bar in bars)


def _belongs(bar: Bar, hours: Session, zone: tzinfo) -> bool:
    day = hours.opens_at.astimezone(zone).date()
    midnight = bar.time.astimezone(UTC).time() == time(0)
    return (
        hours.opens_at <= bar.time < hours.closes_at
        or bar.time.astimezone(zone).date() == day
        or (midnight and bar.time.astimezone(UTC).date() == day)
    )


def complete(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    """The finished bars, the oldest first."""
    return tuple(sorted((bar for bar in bars if not bar.partial), key=lambda bar: bar.time))
