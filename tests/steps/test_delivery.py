"""What a body that stops for a reason of the run's leaves in the journal; upkeep's turns."""

from typing import Any

import pytest

from tests.steps.test_steps import a_run
from tests.support.stack import Stack
from worker.errors import RunIsOver
from worker.models.run import Run
from worker.step import _Delivery

STACK: dict[str, Any] = {"workers": False}


def test_a_run_that_is_cancelled_while_its_step_works_ends_cancelled_and_not_failed(
    stack: Stack,
) -> None:
    run, s = a_run(stack), stack.services

    def start_tracking(run: Run) -> Run:
        s.runs.cancel(run.run_id)
        raise RunIsOver("the run is over or was cancelled")

    handed_on = _Delivery(None, s, run.run_id, 1, start_tracking).handle()
    found = Run.from_json(handed_on)
    assert (found.failure, found.ending and found.ending.code) == (None, "cancelled")
    [row] = s.steps.of(run.run_id)
    assert (row.state, row.output) == ("done", handed_on)


def test_an_upkeep_is_done_by_one_at_a_time_and_its_turn_is_given_back(stack: Stack) -> None:
    s = stack.services
    with (
        s.turn("reconcile_orders") as mine,
        s.turn("reconcile_orders") as others,
        s.turn("keep_session") as another,
    ):
        assert (mine, others, another) == (True, False, True)
    with s.turn("reconcile_orders") as again:
        assert again
    with pytest.raises(ZeroDivisionError), s.turn("reconcile_orders"):
        raise ZeroDivisionError
    with s.turn("reconcile_orders") as after_a_failure:
        assert after_a_failure


def test_a_person_is_told_once_until_it_is_forgotten_and_again_where_telling_broke(
    stack: Stack,
) -> None:
    class Told:
        def __init__(self) -> None:
            self.titles: list[str] = []
            self.breaks = True

        def send(self, severity: str, title: str, text: str) -> bool:
            if self.breaks:
                raise KeyboardInterrupt  # the process is ended while it tells
            self.titles.append(title)
            return True

    s, told = stack.services, Told()
    vars(s)["alerts"] = told
    with pytest.raises(KeyboardInterrupt):
        s.tell_once("warning", "a-test", "first", "-")
    told.breaks = False
    s.tell_once("warning", "a-test", "second", "-")
    s.tell_once("warning", "a-test", "third", "-")
    s.forget("a-test")
    s.tell_once("warning", "a-test", "fourth", "-")
    s.forget("a-test")
    s.forget("a-test")
    assert told.titles == ["second", "fourth"]
