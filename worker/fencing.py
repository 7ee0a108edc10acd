"""What a holder shows before a write that must not come from anybody else.

A fence is the lease of the step that is running; a Held is a lock of the journal.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Fence:
    """A step's lease, as it was claimed: newer than any other holder's when `token` is highest."""

    run_id: str
    number: int
    token: int


@dataclass(frozen=True)
class Held:
    """A lock as its holder has it: good until `lease_until` (wall), under `token`."""

    name: str
    holder: str
    token: int
    lease_until: datetime


def conversation_of(account_id: str) -> str:
    """The name of the lock that whoever sends something about an account's orders holds."""
    return f"orders:{account_id}"


_held: ContextVar[Fence | None] = ContextVar("fence", default=None)


@contextmanager
def holding(fence: Fence) -> Iterator[None]:
    mark = _held.set(fence)
    try:
        yield
    finally:
        _held.reset(mark)


def held_fence() -> Fence:
    """The fence of the body that is running. LookupError outside a step."""
    fence = _held.get()
    if fence is None:
        raise LookupError("no step is running here")
    return fence
