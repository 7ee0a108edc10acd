"""Is each queue consumed? Beat sends a task to each, and looks whether somebody executed it.

A worker that is there, and answers a ping, may hang all the same: what counts is what it takes.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from worker.clock import Clock
from worker.errors import TemporaryError

# Tasks in a row that nobody took before a person is told: a worker may be busy, or be restarted.
MISSED = 3
log = structlog.get_logger(__name__)


class Signs(Protocol):
    """What the journal shows of those who consume."""

    def shown_at(self, queue: str) -> datetime | None:
        """When somebody last executed the queue's task."""

    def busy(self) -> Collection[str]:
        """Queues whose worker is executing a step, with a lease that lives."""


class Tell(Protocol):
    """`deaf` tells a person once, `heard` lets it be told anew."""

    def deaf(self, queue: str, for_seconds: float) -> None: ...
    def heard(self, queue: str) -> None: ...


class Consumption:
    def __init__(
        self,
        *,
        clock: Clock,
        queues: Sequence[str],
        every: timedelta,
        send: Callable[[str], None],
        signs: Signs,
        tell: Tell,
    ) -> None:
        """`send` publishes the queue's task, or raises TemporaryError."""
        self._clock, self._queues, self._every = clock, queues, every
        self._send, self._signs, self._tell = send, signs, tell
        self._looked_at: datetime | None = None
        self._shown_at: dict[str, datetime | None] = {}
        self._unanswered = dict.fromkeys(queues, 0)

    def look(self) -> None:
        """At most once an interval: judge each queue by what was sent before, and send again.

        What Redis does not take counts against no worker, and while the journal cannot be read
        nobody is judged.
        """
        now = self._clock.wall_now()
        if self._looked_at and timedelta() <= now - self._looked_at < self._every:
            return
        self._looked_at = now
        try:
            busy = self._signs.busy()
            for queue in self._queues:
                self._judge(queue, queue in busy)
            for queue in self._queues:
                self._send(queue)
                self._unanswered[queue] += 1
        except TemporaryError as error:
            log.warning("consumption_not_known", reason=error.sentence)

    def _judge(self, queue: str, is_busy: bool) -> None:
        shown_at = self._signs.shown_at(queue)
        is_new = queue in self._shown_at and shown_at != self._shown_at[queue]
        self._shown_at[queue] = shown_at
        if is_new or is_busy:
            self._unanswered[queue] = 0
        if is_new:
            self._tell.heard(queue)
        elif self._unanswered[queue] > MISSED:
            self._tell.deaf(queue, self._unanswered[queue] * self._every.total_seconds())
