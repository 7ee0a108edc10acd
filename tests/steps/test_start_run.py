"""A start that Beat found due: a run, a missed slot on record, or at the least an alert."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tasks.start_run import start_run
from tests.support.stack import STRATEGY, Stack
from worker.errors import ConfigurationError

StartStack = Callable[..., Stack]


class Told:
    def __init__(self) -> None:
        self.alerts: list[tuple[str, str, str]] = []

    def send(self, severity: str, title: str, text: str) -> bool:
        self.alerts.append((severity, title, text))
        return True


def a_stack(start_stack: StartStack) -> tuple[Stack, Told]:
    stack, told = start_stack(workers=False), Told()
    vars(stack.services)["alerts"] = told
    return stack, told


def start(stack: Stack, late_seconds: float = 0) -> Any:
    due = stack.market_now() - timedelta(seconds=late_seconds)
    return start_run(1, f"cron:0:{due:%H%M%S}", due.isoformat())


def test_a_start_that_is_due_is_a_run(start_stack: StartStack) -> None:
    stack, told = a_stack(start_stack)
    row = stack.services.runs.get(start(stack))
    assert (row.status, told.alerts) == ("queued", [])


def test_a_start_that_comes_late_is_on_record_as_missed(start_stack: StartStack) -> None:
    stack, told = a_stack(start_stack)
    start(stack, late_seconds=180)
    [row] = stack.services.runs.recent()
    assert (row.status, row.published, row.reason) == ("missed", 0, "it came 180 s late")
    assert [severity for severity, _, _ in told.alerts] == ["warning"]


def test_a_start_of_a_strategy_that_was_broken_meanwhile_is_missed_and_critical(
    start_stack: StartStack,
) -> None:
    stack, told = a_stack(start_stack)
    start(stack)
    path = stack.write_strategy(STRATEGY | {"symbols": 7})
    start(stack, late_seconds=1)
    missed = stack.services.runs.recent()[0]
    assert (missed.status, str(path) in str(missed.reason)) == ("missed", True)
    [(severity, title, _)] = told.alerts
    assert (severity, title) == ("critical", "Strategy momentum was not started")


def test_a_start_of_a_strategy_that_was_never_seen_in_order_is_an_alert(
    start_stack: StartStack,
) -> None:
    stack, told = a_stack(start_stack)
    stack.write_strategy(STRATEGY | {"symbols": 7})
    with pytest.raises(ConfigurationError):
        start(stack)
    assert [severity for severity, _, _ in told.alerts] == ["critical"]
    assert list(stack.services.runs.recent()) == []


def test_a_late_copy_of_a_start_that_has_its_run_is_no_alarm(start_stack: StartStack) -> None:
    stack, told = a_stack(start_stack)
    due = stack.market_now() - timedelta(seconds=100)
    run_id = start_run(1, "cron:0:x", due.isoformat())
    start_run(1, "cron:0:x", (due - timedelta(seconds=600)).isoformat())
    assert (told.alerts, [row.run_id for row in stack.services.runs.recent()]) == ([], [run_id])
