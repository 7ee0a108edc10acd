"""The fence of the step that is running, for whoever writes on its behalf."""

import threading

import pytest

from worker.fencing import Fence, held_fence, holding

OUTER, INNER = Fence("run-1", 7, 1), Fence("run-2", 7, 3)


def test_a_body_finds_its_own_fence_and_the_outer_one_again_afterwards() -> None:
    with holding(OUTER):
        with holding(INNER):
            assert held_fence() == INNER
        assert held_fence() == OUTER


def test_outside_a_step_there_is_no_fence() -> None:
    with pytest.raises(LookupError):
        held_fence()


def test_a_body_that_breaks_leaves_no_fence_behind() -> None:
    def fail() -> None:
        with holding(OUTER):
            raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError):
        fail()
    with pytest.raises(LookupError):
        held_fence()


def test_threads_have_fences_of_their_own() -> None:
    found: list[Fence] = []

    def work(fence: Fence, turn: threading.Barrier) -> None:
        with holding(fence):
            turn.wait(10)
            found.append(held_fence())

    turn = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(fence, turn)) for fence in (OUTER, INNER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert set(found) == {OUTER, INNER}
