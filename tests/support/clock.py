"""A clock that tests move by hand; market and wall time are the same unless it is told."""

from datetime import datetime, timedelta


class ManualClock:
    rate = 1.0

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.slept: list[float] = []

    def wall_now(self) -> datetime:
        return self.now

    def market_now(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def wall_seconds(self, market: timedelta) -> float:
        return market.total_seconds() / self.rate

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
