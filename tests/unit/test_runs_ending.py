"""How the journal ends runs that a person cancels, or that nobody carried on in time."""

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import LEASE
from tests.support.values import OPEN, run
from worker.journal.engine import Journal
from worker.journal.runs import CANCELLED, RunBook, RunRow
from worker.journal.steps import StepBook
from worker.models.run import Ending

RUN_ID = run().run_id
EXPIRED = Ending(code="expired", reason="too late")
BY_A_PERSON = Ending(code="cancelled", reason=CANCELLED)


@pytest.fixture
def runs(journal: Journal, clock: ManualClock) -> RunBook:
    book = RunBook(journal, clock)
    book.create(run())
    return book


@pytest.fixture
def steps(journal: Journal, clock: ManualClock, runs: RunBook) -> StepBook:
    return StepBook(journal, clock, LEASE)


def do(steps: StepBook, *numbers: int) -> None:
    for number in numbers:
        assert steps.claim(RUN_ID, number, f"step_{number}").kind == "run"
        assert steps.finish(RUN_ID, number, 1, run())


def given(steps: StepBook, number: int) -> tuple[str | None, Ending | None]:
    """What one of the last steps is told of the run: its failure, its ending."""
    found = steps.claim(RUN_ID, number, f"step_{number}").run
    assert found is not None
    return found.failure, found.ending


def fate(row: RunRow) -> tuple[str, str | None, str | None]:
    return row.status, row.outcome, row.reason


def test_a_run_that_was_never_published_is_cancelled_at_once(
    steps: StepBook, runs: RunBook
) -> None:
    assert runs.cancel(RUN_ID)
    row = runs.get(RUN_ID)
    assert fate(row) == ("closed", "cancelled", CANCELLED)
    assert (row.cancelled, row.closed_at) == (True, OPEN)
    assert not runs.close(RUN_ID, "done", None)
    # A chain that was sent on its way all the same does nothing.
    assert {steps.claim(RUN_ID, number, "step").kind for number in range(1, 10)} == {"hand_on"}


def test_a_run_that_was_published_or_has_begun_is_ended_by_its_last_steps(
    steps: StepBook, runs: RunBook
) -> None:
    do(steps, 1)  # Redis took it before the journal could say so
    assert runs.cancel(RUN_ID)
    runs.mark_published(RUN_ID, {})
    assert runs.cancel(RUN_ID)
    assert fate(runs.get(RUN_ID)) == ("queued", None, None)
    for number in (8, 9):
        assert given(steps, number) == (None, BY_A_PERSON)


def test_a_run_that_is_over_cannot_be_cancelled(runs: RunBook) -> None:
    assert runs.close(RUN_ID, "done", None)
    assert not runs.cancel(RUN_ID)
    assert not runs.get(RUN_ID).cancelled


def test_a_cancel_after_the_orders_step_stopped_nothing(steps: StepBook, runs: RunBook) -> None:
    runs.mark_published(RUN_ID, {})
    do(steps, 1, 2, 3, 4, 5, 6, 7)
    assert runs.cancel(RUN_ID)
    assert given(steps, 8) == (None, None)


def test_a_lost_worker_of_a_cancelled_run_is_no_failure(
    steps: StepBook, runs: RunBook, clock: ManualClock
) -> None:
    runs.mark_published(RUN_ID, {})
    steps.claim(RUN_ID, 1, "step_1")
    runs.cancel(RUN_ID)
    clock.advance(31)
    assert runs.mark_ending(RUN_ID) is None
    assert given(steps, 8) == (None, BY_A_PERSON)


def test_a_step_that_failed_before_a_cancel_is_still_what_ended_the_run(
    steps: StepBook, runs: RunBook
) -> None:
    steps.claim(RUN_ID, 1, "step_1")
    steps.fail(RUN_ID, 1, 1, "step_1: broken")
    runs.cancel(RUN_ID)
    assert runs.mark_ending(RUN_ID) is not None
    assert given(steps, 8) == ("step_1: broken", None)


def test_an_expired_run_acts_no_more_and_its_last_steps_say_so(
    steps: StepBook, runs: RunBook
) -> None:
    runs.mark_published(RUN_ID, {})
    do(steps, 1)
    assert [runs.expire(RUN_ID, "too late"), runs.expire(RUN_ID, "again")] == [True, False]
    assert steps.claim(RUN_ID, 2, "step_2").kind == "hand_on"
    for number in (8, 9):
        assert given(steps, number) == (None, EXPIRED)
    assert runs.close(RUN_ID, "done", None)
    assert fate(runs.get(RUN_ID)) == ("closed", "expired", "too late")


def test_an_ending_that_a_step_gave_stays(steps: StepBook, runs: RunBook) -> None:
    runs.mark_published(RUN_ID, {})
    steps.claim(RUN_ID, 1, "step_1")
    steps.finish(RUN_ID, 1, 1, run().ended("held", "nothing to do"))
    runs.expire(RUN_ID, "too late")
    assert given(steps, 8) == (None, Ending(code="held", reason="nothing to do"))


@pytest.mark.parametrize("before", ["cancelled", "failed", "closed"])
def test_a_run_that_ends_otherwise_does_not_expire(
    steps: StepBook, runs: RunBook, before: str
) -> None:
    runs.mark_published(RUN_ID, {})
    if before == "cancelled":
        runs.cancel(RUN_ID)
    elif before == "closed":
        runs.close(RUN_ID, "done", None)
    else:
        steps.claim(RUN_ID, 1, "step_1")
        steps.fail(RUN_ID, 1, 1, "step_1: broken")
        runs.mark_ending(RUN_ID)
    assert not runs.expire(RUN_ID, "too late")
