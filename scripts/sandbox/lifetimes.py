"""How long a login and its brokerage session last. A drill: see the switch `session_lifetimes`.

Idleness is wall time, as a tickle is; the nightly end is New York's midnight in market time.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, auto

from scripts.sandbox.clock import NEW_YORK

LOGIN_IDLE_SECONDS = 8 * 60
BROKERAGE_IDLE_SECONDS = 5 * 60
BROKERAGE_PATHS = ("/iserver/", "/tickle")


class Ended(Enum):
    NOTHING = auto()
    BROKERAGE = auto()
    LOGIN = auto()


@dataclass
class Lifetimes:
    day: date | None = None  # New York's, at the last request
    used: float | None = None
    brokerage_used: float | None = None

    def ended(self, wall: float, now: datetime) -> Ended:
        """What has ended since the last request."""
        today = now.astimezone(NEW_YORK).date()
        if self.day not in (None, today) or _idle(self.used, wall, LOGIN_IDLE_SECONDS):
            return Ended.LOGIN
        if _idle(self.brokerage_used, wall, BROKERAGE_IDLE_SECONDS):
            return Ended.BROKERAGE
        return Ended.NOTHING

    def use(self, path: str, wall: float, now: datetime) -> None:
        self.day, self.used = now.astimezone(NEW_YORK).date(), wall
        if path.startswith(BROKERAGE_PATHS):
            self.brokerage_used = wall

    def begin(self) -> None:
        """Somebody logged in."""
        self.day = self.used = self.brokerage_used = None


def _idle(used: float | None, wall: float, seconds: float) -> bool:
    return used is not None and wall - used > seconds
