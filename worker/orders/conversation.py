"""One order conversation at a time per account: a send to its last reply, one preview, one cancel.

Never while following. The broker drops or misplaces an order when another comes in between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal

from worker.clock import Clock
from worker.fencing import Held, conversation_of
from worker.orders.ports import Locks
from worker.waiting import Wait

# Longer than an order's `send_by`: whoever takes the lock over knows that no send can begin.
LEASE = timedelta(seconds=30)
PAUSE_SECONDS = 1.0
Purpose = Literal["halt", "cancel", "order", "preview"]
PRIORITY: dict[Purpose, int] = {"halt": 0, "cancel": 1, "order": 2, "preview": 3}


class Busy(Exception):
    """Another conversation is under way, or a more urgent one waits."""


class Conversation:
    def __init__(self, locks: Locks, account_id: str, clock: Clock) -> None:
        self._locks, self._name, self._clock = locks, conversation_of(account_id), clock

    @contextmanager
    def hold(self, holder: str, purpose: Purpose) -> Iterator[Held]:
        """Raises Busy at once; who asks again within 20 s keeps the place in the queue."""
        held = self._locks.acquire(self._name, f"{holder}:{purpose}", PRIORITY[purpose], LEASE)
        if held is None:
            raise Busy("another order conversation is under way")
        try:
            yield held
        finally:
            self._locks.release(held)

    @contextmanager
    def hold_or_wait(self, holder: str, purpose: Purpose) -> Iterator[Held]:
        """Raises Wait instead of Busy, so that a step comes back for it."""
        try:
            with self.hold(holder, purpose) as held:
                yield held
        except Busy as busy:
            raise self.come_back(str(busy)) from None

    def come_back(self, why: str, seconds: float = PAUSE_SECONDS) -> Wait:
        """`seconds` by the wall's clock."""
        pause = timedelta(seconds=seconds * self._clock.rate)
        return Wait(self._clock.market_now() + pause, why)

    def patience_is_over(self, holder: str, purpose: Purpose, patience: timedelta) -> bool:
        """Has `holder` waited for its turn longer than `patience`? If so it leaves the queue."""
        since = self._locks.waits_since(self._name, f"{holder}:{purpose}")
        if since is None or self._clock.wall_now() - since <= patience:
            return False
        self._locks.give_up(self._name, f"{holder}:{purpose}")
        return True
