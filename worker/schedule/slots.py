"""Which moments of a strategy's time table fall between two looks. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim

from worker.errors import ConfigurationError
from worker.models.base import Utc, Value
from worker.models.strategy import CronEntry, Strategy


class Slot(Value):
    """One due start. `key` is made from the due time alone, never from when it was seen: whoever
    sees it, and however late, names the same run."""

    key: str
    due: Utc


def due_slots(strategy: Strategy, after: datetime, until: datetime) -> list[Slot]:
    """Every slot later than `after` and not later than `until`, the earliest first.

    Entries are read in the strategy's own zone. Where the clocks change, an entry at a fixed hour
    still falls due once a day: 02:30 on the day it does not exist, at 03:00; 01:30 on the day it
    exists twice, the first time.
    """
    found = []
    for number, entry in enumerate(strategy.schedule.entries):
        for due in _moments(strategy, entry, after):
            if due > until:
                break
            found.append(Slot(key=f"cron:{entry.name or number}:{due:%Y-%m-%dT%H:%M:%SZ}", due=due))
    return sorted(found, key=lambda slot: (slot.due, slot.key))


def next_due(strategy: Strategy, after: datetime) -> datetime | None:
    """When the strategy falls due next; None where its time table is empty."""
    coming = (next(_moments(strategy, entry, after), None) for entry in strategy.schedule.entries)
    return min((due for due in coming if due is not None), default=None)


def _moments(strategy: Strategy, entry: CronEntry, after: datetime) -> Iterator[datetime]:
    name = strategy.schedule.timezone
    try:
        zone = ZoneInfo(name)  # unlike pytz's, as cronsim needs it: right after any arithmetic
    except ZoneInfoNotFoundError:
        raise ConfigurationError(
            f"strategy {strategy.name}: the time zone {name} is not on this machine; install tzdata"
        ) from None
    for moment in CronSim(entry.cron, after.astimezone(zone)):
        due = moment.astimezone(UTC)
        # In the hour that comes twice, the search begins with its first pass.
        if due > after:
            yield due
