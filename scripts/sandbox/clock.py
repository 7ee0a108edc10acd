"""The sandbox's only file that knows the time.

Market time is replayed: market now = origin + rate x (wall now - started_at). The three numbers are
kept in a file that the workers read as well, so every process tells the same time.
"""

import json
import math
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

MOST_RATE = 3600  # an hour a second
NEW_YORK = ZoneInfo("America/New_York")


class ClockError(Exception):
    """The clock's file or its numbers cannot be used; the text is a sentence for a person."""


class Clock(Protocol):
    @property
    def rate(self) -> float:
        """Market seconds in one second of the wall."""

    def now(self) -> datetime:
        """Market time, aware, in UTC."""

    def wall(self) -> float:
        """Seconds since the epoch, for pacing and for nothing that a trader sees."""


@dataclass(frozen=True)
class ReplayClock:
    origin: datetime
    started_at: float
    rate: float

    def now(self) -> datetime:
        return self.origin + timedelta(seconds=(self.wall() - self.started_at) * self.rate)

    def wall(self) -> float:
        return time.time()


def parse_moment(text: str) -> datetime:
    """An ISO date and time as UTC; without an offset it is New York's. Raises ClockError."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=NEW_YORK)
        return moment.astimezone(NEW_YORK).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ClockError(
            f"{text!r} is not a date and time; write it like 2013-02-27T09:29:40 (New York)"
        ) from None


def check_rate(rate: float) -> None:
    if not _sensible(rate):
        raise ClockError(f"the rate must be above 0 and at most {MOST_RATE}, not {rate:g}")


def open_clock(path: Path, at: datetime, rate: float) -> ReplayClock:
    """The clock kept in `path`; where there is none it starts now at `at` and is kept there."""
    check_rate(rate)
    if not path.exists():
        _create(path, {"origin": at.isoformat(), "started_at": time.time(), "rate": rate})
    return _read(path)


def _create(path: Path, values: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(values) + "\n")
    try:
        os.link(draft, path)  # unlike a rename, never replaces a clock another process just made
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _read(path: Path) -> ReplayClock:
    try:
        values = json.loads(path.read_text())
        origin = datetime.fromisoformat(values["origin"])
        started_at, rate = float(values["started_at"]), float(values["rate"])
        if origin.tzinfo is None or not math.isfinite(started_at):
            raise ValueError
        if not _sensible(rate):
            raise ValueError
        clock = ReplayClock(origin.astimezone(UTC), started_at, rate)
        clock.now()  # as far away as it is, it must be a date
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        raise ClockError(f"the replay clock in {path} cannot be read; remove the file") from None
    return clock


def _sensible(rate: float) -> bool:
    return math.isfinite(rate) and 0 < rate <= MOST_RATE
