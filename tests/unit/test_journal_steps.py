"""The step contract in the journal: who runs, who steps back, who hands on."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.support.clock import ManualClock
from tests.support.values import OPEN, run
from worker.errors import StepError
from worker.journal.engine import Journal
from worker.journal.runs import RunBook
from worker.journal.steps import Claim, StepBook

RUN_ID = run().run_id
LEASE = timedelta(seconds=30)


@pytest.fixture
def runs(journal: Journal, clock: ManualClock) -> RunBook:
    book = RunBook(journal, clock)
    book.create(run())
    return book


@pytest.fixture
def steps(journal: Journal, clock: ManualClock, runs: RunBook) -> StepBook:
    return StepBook(journal, clock, LEASE)


def claim(steps: StepBook, number: int = 1) -> Claim:
    return steps.claim(RUN_ID, number, f"step_{number}")


def test_the_first_copy_runs_with_the_runs_own_start(steps: StepBook) -> None:
    assert claim(steps) == Claim(kind="run", run=run(), token=1)


def test_a_copy_that_finds_a_live_lease_steps_back(steps: StepBook) -> None:
    claim(steps)
    assert claim(steps) == Claim(kind="step_back", until=OPEN + LEASE)


def test_a_copy_that_finds_it_done_hands_the_stored_run_on(steps: StepBook) -> None:
    claim(steps)
    changed = run().noted("seen")
    assert steps.finish(RUN_ID, 1, 1, changed)
    assert claim(steps) == Claim(kind="hand_on", run=changed)


def test_the_next_step_gets_the_stored_run_of_the_step_before(steps: StepBook) -> None:
    claim(steps)
    steps.finish(RUN_ID, 1, 1, run().noted("seen"))
    assert claim(steps, 2) == Claim(kind="run", run=run().noted("seen"), token=1)


def test_a_step_whose_predecessor_is_not_done_steps_back(steps: StepBook) -> None:
    assert claim(steps, 2).kind == "step_back"
    assert [row.number for row in steps.of(RUN_ID)] == []


def test_a_dead_lease_is_taken_over_under_a_higher_token(
    steps: StepBook, clock: ManualClock
) -> None:
    claim(steps)
    clock.advance(31)
    assert claim(steps) == Claim(kind="run", run=run(), token=2)
    assert not steps.finish(RUN_ID, 1, 1, run().noted("too late"))
    assert not steps.fail(RUN_ID, 1, 1, "too late")
    assert not steps.renew(RUN_ID, 1, 1)
    assert steps.finish(RUN_ID, 1, 2, run().noted("in time"))
    assert steps.last_run(RUN_ID) == run().noted("in time")


def test_the_third_take_over_fails_the_step(steps: StepBook, clock: ManualClock) -> None:
    kinds = []
    for _ in range(4):
        kinds.append(claim(steps).kind)
        clock.advance(31)
    assert kinds == ["run", "run", "run", "failed"]
    assert steps.of(RUN_ID)[0].error == "step_1: its worker was lost 3 times"


def test_a_renewed_lease_is_not_taken_over(steps: StepBook, clock: ManualClock) -> None:
    claim(steps)
    clock.advance(20)
    assert steps.renew(RUN_ID, 1, 1)
    clock.advance(20)
    assert claim(steps).kind == "step_back"


def test_a_waiting_step_runs_again_when_due_and_counts_hops(
    steps: StepBook, clock: ManualClock
) -> None:
    claim(steps)
    wake_at = OPEN + timedelta(hours=1)
    assert steps.wait(RUN_ID, 1, 1, wake_at, "closed")
    assert claim(steps) == Claim(kind="step_back", until=wake_at)
    clock.advance(3600)
    assert claim(steps) == Claim(kind="run", run=run(), token=2)
    row = steps.of(RUN_ID)[0]
    assert (row.hops, row.attempts, row.takeovers) == (1, 0, 0)


def test_a_step_that_came_so_far_as_to_wait_forgets_its_earlier_troubles(
    steps: StepBook, clock: ManualClock
) -> None:
    """Following an order may take hours, over a hiccup and a restart here and there."""
    for _ in range(5):
        token = claim(steps).token
        assert steps.release(RUN_ID, 1, token, clock.now, "no answer", most=2) == "released"
        clock.advance(1)
        claim(steps)
        clock.advance(31)
        token = claim(steps).token
        assert (steps.of(RUN_ID)[0].attempts, steps.of(RUN_ID)[0].takeovers) == (1, 1)
        assert steps.wait(RUN_ID, 1, token, clock.now, "following")
        assert (steps.of(RUN_ID)[0].attempts, steps.of(RUN_ID)[0].takeovers) == (0, 0)


def test_a_released_step_fails_after_its_attempts(steps: StepBook, clock: ManualClock) -> None:
    verdicts = []
    for token in (1, 2):
        claim(steps)
        verdicts.append(steps.release(RUN_ID, 1, token, clock.now, "no answer", most=2))
        clock.advance(1)
    assert verdicts == ["released", "failed"]
    assert claim(steps).error == "step_1: given up after 2 attempts: no answer"


@pytest.mark.parametrize("fate", ["closed", "cancelled", "ending"])
def test_steps_of_a_run_that_is_over_hand_on(steps: StepBook, runs: RunBook, fate: str) -> None:
    claim(steps)
    if fate == "closed":
        steps.finish(RUN_ID, 1, 1, run())
        assert runs.close(RUN_ID, "done", None)
    elif fate == "cancelled":
        steps.finish(RUN_ID, 1, 1, run())
        assert runs.cancel(RUN_ID)
    else:
        steps.fail(RUN_ID, 1, 1, "step_1: broken")
        assert runs.mark_ending(RUN_ID) is not None
    assert claim(steps, 2).kind == "hand_on"
    assert claim(steps, 8).kind == ("hand_on" if fate == "closed" else "run")


def test_the_last_steps_of_a_failed_run_know_the_failure(steps: StepBook, runs: RunBook) -> None:
    claim(steps)
    steps.fail(RUN_ID, 1, 1, "step_1: broken")
    runs.mark_ending(RUN_ID)
    found = claim(steps, 8).run
    assert found == run().evolve(failure="step_1: broken")


def test_a_run_is_closed_once_and_a_failed_one_stays_failed(steps: StepBook, runs: RunBook) -> None:
    claim(steps)
    steps.fail(RUN_ID, 1, 1, "step_1: broken")
    runs.mark_ending(RUN_ID)
    assert [runs.close(RUN_ID, "done", None), runs.close(RUN_ID, "done", None)] == [True, False]
    row = runs.get(RUN_ID)
    assert (row.status, row.outcome, row.reason, row.failed_step) == (
        "closed", "failed", "step_1: broken", "step_1",
    )  # fmt: skip


def test_ending_a_run_in_which_nothing_failed_does_nothing(steps: StepBook, runs: RunBook) -> None:
    claim(steps)
    assert runs.mark_ending(RUN_ID) is None
    assert runs.get(RUN_ID).status == "created"


def test_a_slot_has_one_run(runs: RunBook) -> None:
    again = run(run_id="20130227-143000-1-bbbbbbbb")
    row, is_new = runs.create(again)
    assert (row.run_id, is_new) == (RUN_ID, False)


def test_twenty_copies_at_once_make_one_execution(steps: StepBook) -> None:
    with ThreadPoolExecutor(20) as pool:
        kinds = sorted(pool.map(lambda _: claim(steps).kind, range(20)))
    assert kinds == ["run"] + ["step_back"] * 19


def test_a_step_of_an_unknown_run_is_refused(steps: StepBook) -> None:
    with pytest.raises(StepError):
        steps.claim("nothing", 1, "step_1")
