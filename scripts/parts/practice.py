"""Where the sandbox's market time begins, or goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scripts.sandbox.clock import ClockError, parse_moment
from scripts.sandbox.prices import FIRST_DAY, LAST_DAY
from worker.clock import ReplayClock
from worker.errors import ConfigurationError


@dataclass(frozen=True)
class Practice:
    """The sandbox instead of a gateway; where its clock begins, in a home that has none yet.

    `begin` is asked where, when all but the sandbox and the workers is ready, instead of `at`: who
    shows an open bell can leave just the time that they still need.
    """

    at: datetime
    rate: float = 1.0
    resumed: bool = False
    begin: Callable[[], datetime] | None = None


def practice_in(home: Path, at: str | None, rate: float | None, default: str) -> Practice:
    """The home's own clock where it has one. Raises ConfigurationError where that is not what was
    asked for, or has passed the last prices."""
    if rate is not None and not rate > 0:
        raise ConfigurationError(f"--rate must be above 0, not {rate:g}")
    moment = moment_of(at or default)
    if not clock_file(home).exists():
        return Practice(moment, 1.0 if rate is None else rate)
    kept = ReplayClock.from_file(clock_file(home))
    if (at is not None and moment != kept.origin) or (rate is not None and rate != kept.rate):
        raise ConfigurationError(
            f"the home {home} has a market clock already, begun at {kept.origin.isoformat()}, "
            f"rate {kept.rate:g}; leave --at and --rate out, or choose another home with --home"
        )
    if kept.market_now().date() > LAST_DAY:
        raise ConfigurationError(
            f"the market clock of the home {home} has passed {LAST_DAY}, the last day of prices; "
            "choose another home with --home"
        )
    return Practice(kept.origin, kept.rate, resumed=True)


def clock_file(home: Path) -> Path:
    return home / "state" / "replay.json"


def moment_of(text: str) -> datetime:
    try:
        moment = parse_moment(text)
    except ClockError as error:
        raise ConfigurationError(str(error)) from None
    if not FIRST_DAY <= moment.date() <= LAST_DAY:
        raise ConfigurationError(
            f"the sandbox has prices from {FIRST_DAY} to {LAST_DAY}; choose --at in between"
        )
    return moment
