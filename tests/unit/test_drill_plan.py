"""A drill's plan: the same for the same seed, and with every kind of harm in it."""

from collections import Counter

import pytest

from scripts.drilling.harm import DEEDS
from scripts.drilling.kinds import KINDS, LONG_STOP_SECONDS, SHORT_STOP_SECONDS, WEIGHTS
from scripts.drilling.plan import RUNS_A_DAY, RUNS_FOR_ALL, STRATEGIES, plan_of
from scripts.sandbox.faults.kinds import read_fault
from worker.checkpoints import POINTS
from worker.orders.conversation import LEASE
from worker.orders.sending import SEND_WITHIN

GROUPS = {kind.group for kind in KINDS.values()}


def test_the_same_seed_is_the_same_plan_and_another_is_another() -> None:
    assert plan_of(7, 50) == plan_of(7, 50)
    assert plan_of(7, 50) != plan_of(8, 50)


def test_a_plan_begins_as_many_runs_as_were_asked_for() -> None:
    for runs in (1, 3, 4, 5, 20, 33, 100, 301):
        days = plan_of(1, runs).days
        sizes = [sum(len(wave.strategies) for wave in day.waves) for day in days]
        assert sum(sizes) == runs
        assert max(sizes) <= RUNS_A_DAY
        numbers = [wave.number for day in days for wave in day.waves]
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("seed", range(5))
def test_from_a_hundred_runs_on_every_kind_is_planned(seed: int) -> None:
    assert set(plan_of(seed, RUNS_FOR_ALL).planned()) == set(KINDS)


@pytest.mark.parametrize("seed", range(5))
def test_twenty_runs_have_some_of_every_group(seed: int) -> None:
    assert {each.what.group for each in plan_of(seed, 20).injections} == GROUPS


def test_every_point_is_one_at_which_a_child_and_a_main_process_are_killed() -> None:
    for action in ("kill", "kill_main"):
        assert {kind.point for kind in KINDS.values() if kind.group == action} == set(POINTS)


def test_within_a_day_what_blocks_a_symbol_until_its_end_comes_last() -> None:
    for day in plan_of(3, 300).days:
        weights = [
            WEIGHTS.index(each.what.weight)
            for wave in day.waves
            for each in wave.injections
            if each.kind != "ask"
        ]
        assert weights == sorted(weights)


def test_each_fault_on_orders_of_a_wave_takes_another_order() -> None:
    for day in plan_of(3, 300).days:
        for wave in day.waves:
            places = [
                each.nth
                for each in wave.injections
                if each.what.group in ("request", "fate") and not each.what.asks
            ]
            assert places == list(range(1, len(places) + 1))


def test_what_acts_at_a_question_brings_one() -> None:
    for day in plan_of(3, 300).days:
        for wave in day.waves:
            kinds = [each.kind for each in wave.injections]
            assert kinds.count("ask") >= sum(KINDS[kind].asks for kind in kinds)


def test_stops_outlast_the_moment_to_send_by_and_the_conversations_lease() -> None:
    stops = {each.seconds for each in plan_of(1, 1000).injections if each.what.group == "stop"}
    assert stops == {SHORT_STOP_SECONDS, LONG_STOP_SECONDS}
    assert SEND_WITHIN.total_seconds() < SHORT_STOP_SECONDS < LEASE.total_seconds()
    assert LEASE.total_seconds() < LONG_STOP_SECONDS


def test_every_kind_has_somebody_who_does_it() -> None:
    for kind in KINDS.values():
        doers = (kind.point is not None) + (kind.fault is not None) + (kind.name in DEEDS)
        assert doers == 1, kind.name
        if kind.fault is not None:
            read_fault(kind.fault)


def test_every_strategy_has_its_turn() -> None:
    turns = Counter(
        strategy
        for day in plan_of(1, 100).days
        for wave in day.waves
        for strategy in wave.strategies
    )
    assert set(turns) == set(STRATEGIES)


def test_from_a_hundred_runs_on_a_further_day_is_planned_for_what_has_not_fired() -> None:
    assert plan_of(1, RUNS_FOR_ALL - 1).encore is None
    plan = plan_of(1, RUNS_FOR_ALL)
    assert plan.encore is not None
    assert not [each for wave in plan.encore.waves for each in wave.injections]
    assert plan.encore.waves[0].number == plan.days[-1].waves[-1].number + 1
