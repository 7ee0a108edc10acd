"""The only file that knows the time.

`wall_now` serves leases, heartbeats, expiries and alerts. `market_now` serves sessions, slots,
windows and freshness; it equals the wall unless a replay clock is given.
"""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from worker.errors import ConfigurationError


class Clock(Protocol):
    rate: float

    def wall_now(self) -> datetime: ...
    def market_now(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...
    def wall_seconds(self, market: timedelta) -> float: ...


class SystemClock:
    """Market time is wall time."""

    rate = 1.0

    def wall_now(self) -> datetime:
        return datetime.now(UTC)

    def market_now(self) -> datetime:
        return self.wall_now()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def wall_seconds(self, market: timedelta) -> float:
        """How long `market` lasts on the wall."""
        return market.total_seconds() / self.rate


class ReplayClock(SystemClock):
    """market_now = origin + rate x (wall - started_at), the same in every process."""

    def __init__(self, origin: datetime, started_at: datetime, rate: float) -> None:
        if not rate > 0:
            raise ConfigurationError("the replay clock's rate must be above 0")
        self.origin, self.started_at, self.rate = origin.astimezone(UTC), started_at, rate

    def market_now(self) -> datetime:
        return self.origin + (self.wall_now() - self.started_at) * self.rate

    @classmethod
    def from_file(cls, path: Path) -> "ReplayClock":
        """Read `state/replay.json`: origin (ISO, UTC), started_at (unix seconds), rate."""
        try:
            data = json.loads(path.read_text())
            started = datetime.fromtimestamp(float(data["started_at"]), UTC)
            return cls(datetime.fromisoformat(data["origin"]), started, float(data["rate"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise ConfigurationError(
                f"the replay clock in {path} cannot be read; remove it, or start `up --sandbox`"
            ) from None


def monotonic() -> float:
    """Seconds for measuring how long something took; no date can be read from it."""
    return time.monotonic()
