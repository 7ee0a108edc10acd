"""What drills have decided about one order: a function of the order and the time, like the market.

It is kept in the book with the order, so a sandbox that was down catches up to the same end.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from scripts.sandbox.faults.kinds import CancelRacesFill, Ending, Fated, LateFill, Partial
from scripts.sandbox.records import ZERO, Order, Status

Kind = TypeVar("Kind", bound=Fated)


@dataclass(frozen=True)
class Decided:
    fault_id: str
    wish: Fated


@dataclass(frozen=True)
class Fate:
    """Of several of one sort the first counts."""

    decided: tuple[Decided, ...] = ()

    def ends_at(self, order: Order) -> datetime | None:
        """When the broker's systems end it; None: never, or they have."""
        ending = self._first(Ending)
        if ending is None or order.status is ending.STATUS:
            return None
        return order.accepted_at + timedelta(seconds=ending.after_seconds)

    def ended(self, order: Order, at: datetime) -> Order:
        ends_at, ending = self.ends_at(order), self._first(Ending)
        if ending is None or ends_at is None or at < ends_at:
            return order
        return order.changed(at, status=ending.STATUS, reason=ending.reason)

    def races(self, order: Order) -> bool:
        """Its cancel was asked for, and it is to fill all the same."""
        return order.status is Status.PENDING_CANCEL and self._first(CancelRacesFill) is not None

    def shares(self, order: Order, at: datetime, usual: Decimal) -> Decimal:
        """How many may fill in this second, where `usual` ones fill without a drill."""
        race, partial = self._first(CancelRacesFill), self._first(Partial)
        if race and self.races(order):
            return race.filling(order.remaining)
        if partial:
            return min(order.remaining, _released(partial, at - order.accepted_at) - order.filled)
        return ZERO if race or self._first(Ending) else min(order.remaining, usual)

    def late(self) -> tuple[Decided, timedelta] | None:
        """The fault that lists its fills late, and by how much."""
        for one in self.decided:
            if isinstance(one.wish, LateFill):
                return one, timedelta(seconds=one.wish.delay_seconds)
        return None

    def fired(self, before: Order, after: Order) -> list[Decided]:
        """What took effect where the market made one state of the order into another."""
        return [d for d in self.decided if _took_effect(d.wish, before, after)]

    def _first(self, kind: type[Kind]) -> Kind | None:
        return next((d.wish for d in self.decided if isinstance(d.wish, kind)), None)


FREE = Fate()


def _released(partial: Partial, age: timedelta) -> Decimal:
    seconds = age.total_seconds()
    return sum((Decimal(s.shares) for s in partial.steps if s.after_seconds <= seconds), ZERO)


def _took_effect(wish: Fated, before: Order, after: Order) -> bool:
    filled = after.filled > before.filled
    if isinstance(wish, Ending):
        return (after.status, after.reason) == (wish.STATUS, wish.reason)
    if isinstance(wish, Partial):
        return filled and not before.filled
    raced = before.status is Status.PENDING_CANCEL
    return isinstance(wish, CancelRacesFill) and raced and filled
