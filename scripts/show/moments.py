"""Every moment of a page on one clock: the exchange's, in its zone."""

from datetime import datetime
from typing import TYPE_CHECKING

from scripts.show.words import NOTHING, market_of
from worker.clock import Clock, ReplayClock, SystemClock
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.journal.runs import RunRow
    from worker.runtime import Services


def zone_of(s: "Services") -> str:
    """The exchange's zone as the heading of a column: New York, whether EST or EDT."""
    return str(s.calendar.zone).rsplit("/", 1)[-1].replace("_", " ")


class Moments:
    """Tells what the exchange's clock showed at a moment of the wall."""

    def __init__(self, s: "Services", clock: Clock) -> None:
        self._s, self.clock = s, clock

    @property
    def replayed(self) -> bool:
        return isinstance(self.clock, ReplayClock)

    def at(self, wall: datetime | None) -> str:
        return NOTHING if wall is None else self._s.local(market_of(self.clock, wall))

    def time(self, wall: datetime) -> str:
        """Its time of day and zone."""
        return self.at(wall).split(" ", 1)[1]

    def near(self, wall: datetime) -> str:
        """Its time of day; with the date when that is not the market's today."""
        today = self._s.local(self.clock.market_now()).split(" ", 1)[0]
        return self.time(wall) if self.at(wall).startswith(today) else self.at(wall)


def moments_of(s: "Services", row: "RunRow") -> Moments:
    """On the clock the run was made by: the one that then showed nearest to when it was due.

    A home may hold runs of a replayed market and of the real one, and once its set has ended
    nothing else says which is which.
    """
    clocks = [s.clock, SystemClock(), *_kept(s)]
    return Moments(s, min(clocks, key=lambda clock: abs(_made_at(clock, row) - row.due_at)))


def _made_at(clock: Clock, row: "RunRow") -> datetime:
    return market_of(clock, row.created_at)


def _kept(s: "Services") -> list[Clock]:
    """The home's own replay clock, where it has one that can be read."""
    from scripts.parts.practice import clock_file

    file = clock_file(s.settings.home)
    try:
        return [ReplayClock.from_file(file)] if file.exists() else []
    except ConfigurationError:
        return []
