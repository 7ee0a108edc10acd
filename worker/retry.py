"""Retries, one named policy a kind of call. For reads alone: an order is in none of them.

A policy repeats a call that raised TemporaryError, waits exponentially longer with jitter (or as
long as the other side asked for), and ends after a number of attempts or a total time.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar

import structlog
from pydantic import Field
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)  # fmt: skip

from worker.errors import PacingError, TemporaryError
from worker.models.base import Real, Value, Whole

Result = TypeVar("Result")
Positive = Annotated[Real, Field(gt=0)]
log = structlog.get_logger(__name__)


class RetryPolicy(Value):
    """Exponential wait with jitter, bounded in number and in time."""

    attempts: Annotated[Whole, Field(ge=1, le=10)] = 3
    wait_initial_seconds: Positive = 0.5
    wait_max_seconds: Positive = 5.0
    total_seconds: Positive = 30.0


class RetryPolicies(Value):
    """All that there are."""

    broker_read: RetryPolicy = RetryPolicy()
    model: RetryPolicy = RetryPolicy(attempts=2, total_seconds=60.0)


class Retry:
    """Calls `read` until it answers; the last TemporaryError is raised when it does not."""

    def __init__(self, name: str, policy: RetryPolicy, sleep: Callable[[float], None]) -> None:
        self._name, self._policy, self._sleep = name, policy, sleep

    def __call__(self, read: Callable[[], Result]) -> Result:
        return Retrying(
            sleep=self._sleep,
            # Too many requests: the whole step steps back, nobody asks again at once.
            retry=retry_if_exception_type(TemporaryError)
            & retry_if_not_exception_type(PacingError),
            stop=stop_after_attempt(self._policy.attempts)
            | stop_before_delay(self._policy.total_seconds),
            wait=self._wait,
            before_sleep=self._tell,
            reraise=True,
        )(read)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_seconds if isinstance(error, TemporaryError) else None
        drawn = wait_random_exponential(
            multiplier=self._policy.wait_initial_seconds, max=self._policy.wait_max_seconds
        )(state)
        return max(asked, drawn) if asked is not None else drawn

    def _tell(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning(
            "retry",
            policy=self._name,
            attempt=state.attempt_number,
            wait_seconds=round(state.upcoming_sleep, 3),
            reason=error.sentence if isinstance(error, TemporaryError) else None,
        )
