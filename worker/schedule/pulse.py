"""What Beat does at each look: sends the starts that fell due, and the upkeep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from worker.clock import Clock
from worker.errors import ConfigurationError, TemporaryError
from worker.models.strategy import Strategy
from worker.schedule.slots import Slot, due_slots, next_due

LOOK_EVERY = timedelta(seconds=1)
_SHORTEST = timedelta(milliseconds=5)
# A slot that Redis did not take is kept and sent late, so that it stands in the journal as missed.
_KEPT = timedelta(days=1)
log = structlog.get_logger(__name__)


class Strategies(Protocol):
    """`problems`: a sentence for each thing that is wrong with the files, and what breaks there."""

    def enabled(self) -> Sequence[Strategy]: ...
    def problems(self) -> Sequence[str]: ...


class Send(Protocol):
    """Publishes a task within 5 s, or raises TemporaryError. `expires` is in seconds."""

    def __call__(self, task: str, args: Sequence[Any], expires: float | None = None) -> None: ...


class Alarm(Protocol):
    """Tells a person what cannot wait."""

    def __call__(self, title: str, text: str) -> object: ...


@dataclass(frozen=True)
class _Start:
    strategy: Strategy
    slot: Slot


class Pulse:
    """Slots are market time, upkeep is wall time. The first look goes back by `grace`, so that a
    restart loses no start; a slot that is seen twice is one run, by its key."""

    def __init__(
        self,
        *,
        clock: Clock,
        strategies: Strategies,
        grace: timedelta,
        start_task: str,
        upkeep: Sequence[tuple[str, timedelta]],
        send: Send,
        alarm: Alarm,
    ) -> None:
        self._clock, self._strategies, self._grace = clock, strategies, grace
        self._start_task, self._upkeep, self._send = start_task, dict(upkeep), send
        self._alarm = alarm
        self._told: frozenset[str] = frozenset()
        self._looked: dict[int, datetime] = {}  # by strategy: market time up to which was looked
        self._pending: dict[tuple[int, str], _Start] = {}
        self._upkeep_at: dict[str, datetime] = {}
        self._failing = False

    def beat(self) -> float:
        """Look once and send what is due. Returns after how many seconds to look again."""
        strategies = self._strategies.enabled()
        self._tell(self._strategies.problems())
        self._look(strategies, self._clock.market_now())
        try:
            self._send_starts()
            self._send_upkeep()
        except TemporaryError as error:
            if not self._failing:
                log.error("beat_cannot_send", reason=error.sentence, starts=len(self._pending))
            self._failing = True
            return LOOK_EVERY.total_seconds()
        if self._failing:
            log.info("beat_sends_again")
        self._failing = False
        return self._pause(strategies)

    def _tell(self, problems: Sequence[str]) -> None:
        """Once for each breakage, however often it is seen."""
        for problem in problems:
            if problem not in self._told:
                self._alarm(
                    "A strategy cannot start",
                    f"{problem}. Until that is mended nothing of it starts, and every start that "
                    "falls due is missed. The other strategies go on.",
                )
        self._told = frozenset(problems)

    def _look(self, strategies: Sequence[Strategy], now: datetime) -> None:
        first = now - self._grace
        before, self._looked = self._looked, {}
        for strategy in strategies:
            self._looked[strategy.id] = now
            for slot in _readable(strategy, before.get(strategy.id, first), now):
                self._pending[strategy.id, slot.key] = _Start(strategy, slot)
        for key, start in list(self._pending.items()):
            why = self._why_dropped(start, now)
            if why is not None:
                log.error("start_dropped", strategy=start.strategy.name, slot=key[1], reason=why)
                del self._pending[key]

    def _why_dropped(self, start: _Start, now: datetime) -> str | None:
        """Only ever told, never silent."""
        if start.strategy.id not in self._looked:
            return "the strategy is not there or not enabled any more"
        if start.slot.due < now - _KEPT:
            return "it could not be sent for a day"
        if start.strategy.catch_up == "once" and start.slot.due < now - self._grace:
            mine = (s for s in self._pending.values() if s.strategy.id == start.strategy.id)
            if any(other.slot.due > start.slot.due for other in mine):
                return "a later one catches up for it"
        return None

    def _send_starts(self) -> None:
        for key, start in sorted(self._pending.items(), key=lambda item: item[1].slot.due):
            args = [start.strategy.id, start.slot.key, start.slot.due.isoformat()]
            self._send(self._start_task, args)
            del self._pending[key]
            log.info("start_sent", strategy=start.strategy.name, slot=start.slot.key)

    def _send_upkeep(self) -> None:
        now = self._clock.wall_now()
        for task, every in self._upkeep.items():
            due = self._upkeep_at.get(task, now)
            if due > now + every:  # the wall clock was set back
                due = now
            if due <= now:
                self._send(task, [], expires=every.total_seconds())
                due = due + every if due + every > now else now + every
            self._upkeep_at[task] = due

    def _pause(self, strategies: Sequence[Strategy]) -> float:
        """Seconds until something falls due, one at most: market time may run fast."""
        now, wall = self._clock.market_now(), self._clock.wall_now()
        waits = [LOOK_EVERY.total_seconds()]
        waits += [(due - wall).total_seconds() for due in self._upkeep_at.values()]
        for strategy in strategies:
            due = _next(strategy, self._looked[strategy.id])
            if due is not None:
                waits.append(self._clock.wall_seconds(due - now))
        return max(_SHORTEST.total_seconds(), min(waits))


def _readable(strategy: Strategy, after: datetime, until: datetime) -> Sequence[Slot]:
    """One strategy's trouble must not stop the others'."""
    try:
        return due_slots(strategy, after, until)
    except ConfigurationError as error:
        log.error("time_table_not_readable", strategy=strategy.name, reason=error.sentence)
        return ()


def _next(strategy: Strategy, after: datetime) -> datetime | None:
    try:
        return next_due(strategy, after)
    except ConfigurationError:
        return None
