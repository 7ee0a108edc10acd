"""Reads are repeated in time and number; what a repeat cannot mend is not."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from tests.support.clock import ManualClock
from tests.support.values import OPEN
from worker.errors import (
    BrokerError,
    ConfigurationError,
    NeedsLogin,
    OpenbellError,
    PacingError,
    Refused,
    TemporaryError,
    Unreachable,
    UnreadableAnswer,
)  # fmt: skip
from worker.logs import log_context
from worker.retry import Retry, RetryPolicies, RetryPolicy

POLICY = RetryPolicy(attempts=4, wait_initial_seconds=1.0, wait_max_seconds=3.0, total_seconds=60.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(OPEN)


def failing(*errors: Exception) -> tuple[list[int], Callable[[], str]]:
    """A read that raises each in turn and then answers; and how often it was called."""
    left, calls = list(errors), [0]

    def read() -> str:
        calls[0] += 1
        if left:
            raise left.pop(0)
        return "answer"

    return calls, read


def test_a_read_that_answers_is_asked_once(clock: ManualClock) -> None:
    calls, read = failing()
    assert Retry("reads", POLICY, clock.sleep)(read) == "answer"
    assert (calls, clock.slept) == ([1], [])


def test_a_read_that_fails_for_a_while_is_asked_again(clock: ManualClock) -> None:
    calls, read = failing(TemporaryError("busy"), Unreachable("gone"))
    assert Retry("reads", POLICY, clock.sleep)(read) == "answer"
    assert calls == [3]
    first, second = clock.slept
    assert 0 <= first <= 1
    assert 0 <= second <= 2


def test_the_last_failure_is_raised_after_the_last_attempt(clock: ManualClock) -> None:
    errors = [TemporaryError(f"busy {number}") for number in range(9)]
    calls, read = failing(*errors)
    with pytest.raises(TemporaryError) as raised:
        Retry("reads", POLICY, clock.sleep)(read)
    assert raised.value is errors[3]
    assert calls == [4]
    assert all(pause <= 3 for pause in clock.slept)


def test_the_other_sides_wish_for_a_pause_is_granted(clock: ManualClock) -> None:
    _, read = failing(TemporaryError("busy", retry_after_seconds=7))
    Retry("reads", POLICY, clock.sleep)(read)
    assert clock.slept == [7]


def test_a_pause_beyond_the_total_time_is_not_waited_for(clock: ManualClock) -> None:
    error = TemporaryError("maintenance", retry_after_seconds=3600)
    calls, read = failing(error)
    with pytest.raises(TemporaryError) as raised:
        Retry("reads", POLICY, clock.sleep)(read)
    assert raised.value is error
    assert (calls, clock.slept) == ([1], [])


@pytest.mark.parametrize(
    "error",
    [
        PacingError("too many requests", retry_after_seconds=1),
        BrokerError("refused"),
        UnreadableAnswer("a web page"),
        NeedsLogin("nobody is logged in"),
        Refused("no"),
        ConfigurationError("wrong"),
        ValueError("a mistake of ours"),
    ],
)
def test_what_a_repeat_cannot_mend_is_raised_at_once(clock: ManualClock, error: Exception) -> None:
    calls, read = failing(error)
    with pytest.raises(type(error)) as raised:
        Retry("reads", POLICY, clock.sleep)(read)
    assert raised.value is error
    assert (calls, clock.slept) == ([1], [])


def test_each_retry_is_logged_before_its_sleep_with_run_step_and_attempt(
    clock: ManualClock,
) -> None:
    events: list[str] = []

    def sleep(seconds: float) -> None:
        events.append(f"slept after {len(logged)}")

    _, read = failing(TemporaryError("busy"), TemporaryError("busy still"))
    with capture_logs() as logged, log_context(run_id="r-1", step="fetch"):
        Retry("reads", POLICY, sleep)(read)
    assert events == ["slept after 1", "slept after 2"]
    assert [(each["attempt"], each["policy"], each["reason"]) for each in logged] == [
        (1, "reads", "busy"), (2, "reads", "busy still"),
    ]  # fmt: skip


def test_no_policy_is_for_orders() -> None:
    assert set(RetryPolicies.model_fields) == {"broker_read", "model"}


def test_errors_say_what_to_do_next() -> None:
    error = OpenbellError("A sentence.", run_id="r-1")
    assert (str(error), error.sentence, error.facts) == (
        "A sentence.", "A sentence.", {"run_id": "r-1"},
    )  # fmt: skip
