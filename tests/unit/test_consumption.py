"""Beat asks each queue for a sign of life, and tells of one that gives none."""

from collections.abc import Collection
from datetime import datetime, timedelta

import pytest

from scripts.consumers import every_queue
from scripts.doctor_parts import deaf_queues
from scripts.parts.celery_parts import POOLS
from tests.support.clock import ManualClock
from tests.support.values import OPEN
from worker.errors import JournalUnavailable, Unreachable
from worker.runtime import services
from worker.schedule.consumption import Consumption

EVERY = 60


class Queues:
    """Two queues and the workers of some of them."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.alive, self.at_work = {"io", "orders"}, set[str]()
        self.redis = self.journal = True
        self.sent: list[str] = []
        self.shown: dict[str, datetime] = {}
        self.told: list[str] = []
        self._known: set[str] = set()
        self.consumption = self.begin()

    def begin(self) -> Consumption:
        return Consumption(
            clock=self.clock, queues=("io", "orders"), every=timedelta(seconds=EVERY),
            send=self._send, signs=self, tell=self,
        )  # fmt: skip

    def look(self, times: int = 1, after: float = EVERY) -> list[str]:
        """What a person is told by so many looks."""
        before = len(self.told)
        for _ in range(times):
            self.clock.advance(after)
            self.consumption.look()
        return self.told[before:]

    def _send(self, queue: str) -> None:
        if not self.redis:
            raise Unreachable("Redis does not take it")
        self.sent.append(queue)
        if queue in self.alive:
            self.shown[queue] = self.clock.now

    def shown_at(self, queue: str) -> datetime | None:
        return self.shown.get(queue)

    def busy(self) -> Collection[str]:
        if not self.journal:
            raise JournalUnavailable("it is locked")
        return self.at_work

    def deaf(self, queue: str, for_seconds: float) -> None:
        if queue not in self._known:
            self.told.append(f"{queue} deaf {for_seconds:.0f}")
        self._known.add(queue)

    def heard(self, queue: str) -> None:
        if queue in self._known:
            self.told.append(f"{queue} heard")
        self._known.discard(queue)


@pytest.fixture
def queues() -> Queues:
    return Queues(ManualClock(OPEN))


def test_each_queue_is_asked_once_an_interval(queues: Queues) -> None:
    queues.look(3, after=EVERY / 3)
    assert queues.sent == ["io", "orders"]
    queues.look(1, after=EVERY / 3)
    assert queues.sent == ["io", "orders", "io", "orders"]


def test_queues_that_are_consumed_are_not_spoken_of(queues: Queues) -> None:
    assert queues.look(20) == []


def test_a_queue_that_took_nothing_for_more_than_three_intervals_is_told(queues: Queues) -> None:
    queues.look(2)
    queues.alive.remove("orders")
    assert queues.look(4) == []
    assert queues.look() == ["orders deaf 240"]
    queues.alive.add("orders")
    assert queues.look(2) == ["orders heard"]
    assert queues.look(9) == []


def test_a_queue_that_never_had_a_worker_is_told(queues: Queues) -> None:
    queues.alive.clear()
    assert queues.look(5) == ["io deaf 240", "orders deaf 240"]


def test_a_beat_that_starts_again_begins_to_count_anew(queues: Queues) -> None:
    queues.alive.remove("orders")
    queues.look(3)
    queues.consumption = queues.begin()
    assert queues.look(4) == []
    assert queues.look() == ["orders deaf 240"]


def test_while_redis_takes_nothing_no_worker_is_blamed(queues: Queues) -> None:
    queues.look(2)
    queues.redis = False
    assert queues.look(20) == []


def test_while_the_journal_cannot_be_read_no_worker_is_blamed(queues: Queues) -> None:
    queues.look(2)
    queues.journal = False
    assert queues.look(20) == []


def test_a_worker_that_executes_a_long_step_is_alive(queues: Queues) -> None:
    queues.look(2)
    queues.alive.remove("orders")
    queues.at_work = {"orders"}
    assert queues.look(9) == []
    queues.at_work = set()
    assert queues.look(3) == []
    assert queues.look() == ["orders deaf 240"]


def test_a_wall_clock_that_is_set_back_stops_no_look(queues: Queues) -> None:
    queues.look()
    queues.look(1, after=-86_400)
    assert queues.sent == ["io", "orders"] * 2


def test_the_doctor_names_a_queue_that_beat_found_deaf() -> None:
    s = services()
    s.journal.upgrade()
    assert list(deaf_queues(s)) == []
    s.beacons.light("told:queue:wait")
    assert [(each.verdict, each.sentence) for each in deaf_queues(s)] == [
        ("problem", "nothing is taken from wait, whoever is there")
    ]


def test_each_task_has_a_route_and_each_queue_a_worker_in_up() -> None:
    from worker.celery import app

    app.loader.import_default_modules()
    ours = {name for name in app.tasks if name.startswith("tasks.")}
    assert ours == set(app.conf.task_routes)
    assert every_queue() == set(POOLS)
