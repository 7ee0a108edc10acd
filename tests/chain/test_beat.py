"""Beat: what falls due is sent once, in time, and never lost in silence."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from tests.support.clock import ManualClock
from tests.support.stack import STRATEGY, Stack
from tests.support.values import strategy
from worker.errors import TemporaryError
from worker.models.strategy import Strategy
from worker.schedule.pulse import Pulse
from worker.settings import PROJECT_ROOT

OPEN = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
GRACE = timedelta(seconds=120)
Message = tuple[str, list[Any], float | None]


class FastClock(ManualClock):
    """Market time runs `rate` times as fast as the wall."""

    def __init__(self, now: datetime, rate: float = 1.0) -> None:
        super().__init__(now)
        self.rate, self._origin = rate, now

    def market_now(self) -> datetime:
        return self._origin + (self.now - self._origin) * self.rate


class Beat:
    """A pulse over strategies of its own, with a queue that can be away."""

    def __init__(
        self, *strategies: Strategy, now: datetime = OPEN, rate: float = 1.0, **upkeep: int
    ) -> None:
        self.clock = FastClock(now, rate)
        self.strategies = list(strategies)
        self.sent: list[Message] = []
        self.away = False
        self.full_after: int | None = None
        self.broken: list[str] = []
        self.alarms: list[tuple[str, str]] = []
        self.pulse = Pulse(
            clock=self.clock,
            strategies=self,
            grace=GRACE,
            start_task="start",
            upkeep=[(task, timedelta(seconds=every)) for task, every in upkeep.items()],
            send=self._send,
            alarm=lambda title, text: self.alarms.append((title, text)),
        )

    def enabled(self) -> Sequence[Strategy]:
        return self.strategies

    def problems(self) -> Sequence[str]:
        return self.broken

    def _send(self, task: str, args: Sequence[Any], expires: float | None = None) -> None:
        if self.away or len(self.sent) == self.full_after:
            raise TemporaryError("Redis does not take it")
        self.sent.append((task, list(args), expires))

    def beat(self, after: float = 0) -> list[Message]:
        """What one look sends, `after` seconds on the wall."""
        self.clock.advance(after)
        before = len(self.sent)
        self.pulse.beat()
        return self.sent[before:]


def scheduled(*crons: str, id: int = 1, **changes: Any) -> Strategy:
    entries = [{"cron": cron} for cron in crons]
    return strategy(id=id, name=f"s{id}", schedule={"entries": entries}, **changes)


def start(strategy_id: int, hour: str, entry: int = 0, day: str = "2026-11-23") -> Message:
    slot = f"cron:{entry}:{day}T{hour}:00Z"
    return ("start", [strategy_id, slot, f"{day}T{hour}:00+00:00"], None)


def dropped(told: Sequence[Any]) -> list[tuple[str, str]]:
    return [(e["slot"], e["reason"]) for e in told if e["event"] == "start_dropped"]


def test_a_start_is_sent_when_it_falls_due_and_once() -> None:
    beat = Beat(scheduled("35 9 * * 1-5"), now=OPEN + timedelta(seconds=299))
    assert beat.beat() == []
    assert beat.beat(after=1) == [start(1, "14:35")]
    assert beat.beat(after=1) == []
    assert beat.beat(after=3600) == []


def test_starts_go_out_in_the_order_they_fell_due() -> None:
    beat = Beat(scheduled("37 9 * * *", "36 9 * * *"), scheduled("36 9 * * *", id=2))
    beat.beat()
    assert beat.beat(after=420) == [start(1, "14:36", 1), start(2, "14:36"), start(1, "14:37")]


def test_the_first_look_goes_back_by_the_grace() -> None:
    late = Beat(scheduled("30 9 * * *"), now=OPEN + GRACE)
    assert late.beat() == []
    in_time = Beat(scheduled("30 9 * * *"), now=OPEN + GRACE - timedelta(seconds=1))
    assert in_time.beat() == [start(1, "14:30")]


def test_a_strategy_that_appears_is_looked_at_from_the_grace_on() -> None:
    beat = Beat(now=OPEN)
    assert beat.beat(after=60) == []
    beat.strategies = [scheduled("30 9 * * *")]
    assert beat.beat(after=30) == [start(1, "14:30")]
    beat.strategies = []
    beat.beat(after=3600)
    beat.strategies = [scheduled("45 9 * * *")]
    assert beat.beat(after=60) == []


def test_a_long_sleep_of_the_machine_hides_no_start() -> None:
    beat = Beat(scheduled("0 10,12 * * *"))
    beat.beat()
    assert beat.beat(after=4 * 3600) == [start(1, "15:00"), start(1, "17:00")]


def test_what_cannot_be_sent_is_sent_as_soon_as_it_can() -> None:
    beat = Beat(scheduled("31 9 * * *", "31 9 * * 1"), scheduled("32 9 * * *", id=2))
    beat.beat()
    beat.away = True
    assert beat.beat(after=60) == []
    assert beat.beat(after=60) == []
    beat.away = False
    beat.full_after = 1
    assert beat.beat(after=1) == [start(1, "14:31")]
    beat.full_after = None
    assert beat.beat(after=1) == [start(1, "14:31", 1), start(2, "14:32")]
    assert beat.beat(after=1) == []


def test_after_a_long_outage_starts_are_still_sent_so_that_the_journal_shows_them_missed() -> None:
    beat = Beat(scheduled("31 9 * * *"))
    beat.beat()
    beat.away = True
    beat.beat(after=60)
    beat.beat(after=8 * 3600)
    beat.away = False
    assert beat.beat(after=1) == [start(1, "14:31")]


def test_a_start_that_could_not_be_sent_for_a_day_is_dropped_aloud() -> None:
    beat = Beat(scheduled("31 9 * * 1"))
    beat.beat()
    beat.away = True
    beat.beat(after=60)
    with structlog.testing.capture_logs() as told:
        beat.beat(after=86_401)
    assert dropped(told) == [("cron:0:2026-11-23T14:31:00Z", "it could not be sent for a day")]


def test_a_strategy_that_is_switched_off_meanwhile_starts_no_more() -> None:
    beat = Beat(scheduled("31 9 * * *"))
    beat.beat()
    beat.away = True
    beat.beat(after=60)
    beat.strategies, beat.away = [], False
    with structlog.testing.capture_logs() as told:
        assert beat.beat(after=1) == []
    assert [slot for slot, _ in dropped(told)] == ["cron:0:2026-11-23T14:31:00Z"]


def test_a_strategy_that_catches_up_does_so_once() -> None:
    beat = Beat(scheduled("0 10-13 * * *", catch_up="once"))
    beat.beat()
    beat.away = True
    with structlog.testing.capture_logs() as told:
        beat.beat(after=5 * 3600)
    beat.away = False
    assert beat.beat(after=1) == [start(1, "18:00")]
    earlier = [f"cron:0:2026-11-23T{hour}:00:00Z" for hour in (15, 16, 17)]
    assert dropped(told) == [(slot, "a later one catches up for it") for slot in earlier]


def test_a_broken_strategy_is_told_once_a_breakage_and_the_others_go_on() -> None:
    beat = Beat(scheduled("31 9 * * *"))
    beat.broken = ["a.yaml, line 3: broken"]
    beat.beat()
    assert beat.beat(after=60) == [start(1, "14:31")]
    [(title, text)] = beat.alarms
    assert title == "A strategy cannot start"
    assert text.startswith("a.yaml, line 3: broken. ")
    assert "every start that falls due is missed" in text
    beat.broken = ["a.yaml, line 3: broken", "b.yaml, line 1: broken"]
    beat.beat(after=1)
    assert [text.partition(",")[0] for _, text in beat.alarms] == ["a.yaml", "b.yaml"]
    beat.broken = []
    beat.beat(after=1)
    beat.broken = ["a.yaml, line 3: broken"]
    beat.beat(after=1)
    assert [text.partition(",")[0] for _, text in beat.alarms] == ["a.yaml", "b.yaml", "a.yaml"]


def test_upkeep_is_sent_at_its_interval_and_expires_before_the_next() -> None:
    beat = Beat(recover=60, session=45)
    assert beat.beat() == [("recover", [], 60.0), ("session", [], 45.0)]
    assert beat.beat(after=44) == []
    assert beat.beat(after=1) == [("session", [], 45.0)]
    assert beat.beat(after=15) == [("recover", [], 60.0)]
    assert beat.beat(after=600) == [("recover", [], 60.0), ("session", [], 45.0)]
    assert beat.beat(after=1) == []


def test_upkeep_that_cannot_be_sent_is_tried_at_each_look() -> None:
    beat = Beat(recover=60)
    beat.away = True
    assert beat.beat() == beat.beat(after=1) == []
    beat.away = False
    assert beat.beat(after=1) == [("recover", [], 60.0)]


def test_a_wall_clock_that_is_set_back_stops_no_upkeep() -> None:
    beat = Beat(recover=60)
    beat.beat()
    assert beat.beat(after=-86_400) == [("recover", [], 60.0)]
    assert beat.beat(after=60) == [("recover", [], 60.0)]


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(1, 1.0), (60, 0.5), (600, 0.05), (1e9, 0.005)],
)
def test_the_next_look_is_when_the_next_start_falls_due_in_fast_market_time(
    rate: float, expected: float
) -> None:
    beat = Beat(scheduled("30 9 * * *"), now=OPEN - timedelta(seconds=30), rate=rate)
    assert beat.pulse.beat() == pytest.approx(expected)


def test_at_a_fast_rate_a_start_is_sent_in_time() -> None:
    beat = Beat(scheduled("35 9 * * *"), now=OPEN, rate=600)
    for _ in range(100):
        if beat.beat():
            break
        beat.clock.advance(beat.pulse.beat())
    late = beat.clock.market_now() - (OPEN + timedelta(minutes=5))
    assert beat.sent == [start(1, "14:35")]
    assert late < timedelta(seconds=10)


def test_while_redis_is_away_it_looks_again_after_a_second() -> None:
    beat = Beat(scheduled("30 9 * * *"))
    beat.away = True
    assert beat.pulse.beat() == 1.0


# A real Beat, on a real Valkey


@pytest.fixture
def real_beat(
    start_stack: Callable[..., Stack],
) -> Iterator[Callable[[Stack], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(stack: Stack) -> subprocess.Popen[bytes]:
        outer = {name: v for name, v in os.environ.items() if not name.startswith("OPENBELL_")}
        with stack.log("beat").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "worker", "beat", "--pidfile="],
                cwd=PROJECT_ROOT,
                env=outer | stack.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def queued(stack: Stack, queue: str = "upkeep") -> list[Message]:
    """The messages that wait in a queue, the oldest first."""
    found: list[Message] = []
    for text in reversed(stack.redis.lrange(queue, 0, -1)):
        message = json.loads(str(text))
        args = json.loads(base64.b64decode(message["body"]))[0]
        found.append((message["headers"]["task"], args, message["headers"]["expires"]))
    return found


def starts(stack: Stack) -> list[list[Any]]:
    return [args for task, args, _ in queued(stack) if task == "tasks.start_run"]


def test_a_real_beat_outlives_redis_and_sends_what_fell_due_meanwhile(
    start_stack: Callable[..., Stack],
    real_beat: Callable[[Stack], subprocess.Popen[bytes]],
) -> None:
    stack = start_stack(workers=False, strategies=())
    broken = stack.write_strategy(STRATEGY | {"id": 8, "symbols": []})
    beat, log = real_beat(stack), stack.log("beat")
    stack.wait_for(lambda: len(queued(stack, "wait")) > 0, "upkeep is sent", story=log.read_text)
    upkeep = {task: expires for task, _, expires in queued(stack)}
    assert set(upkeep) == {"tasks.recover_runs", "tasks.reconcile_orders", "tasks.show_life"}
    assert all(upkeep.values())
    session = [(task, args) for task, args, _ in queued(stack, "session")]
    assert session == [("tasks.keep_session", []), ("tasks.show_life", ["session"])]

    stack.valkey.kill()
    minutely = {"timezone": "America/New_York", "entries": [{"cron": "* * * * *", "name": "m"}]}
    stack.write_strategy(STRATEGY | {"id": 7, "schedule": minutely})
    stack.wait_for(
        lambda: "beat_cannot_send" in log.read_text(), "Beat says so", story=log.read_text
    )
    assert beat.poll() is None
    stack.valkey.start()
    stack.wait_for(lambda: len(starts(stack)) >= 2, "the starts are sent", story=log.read_text)

    now = stack.market_now()
    found = starts(stack)
    for strategy_id, slot, due in found:
        moment = datetime.fromisoformat(due)
        assert (strategy_id, slot) == (7, f"cron:m:{moment:%Y-%m-%dT%H:%M:%SZ}")
        assert now - timedelta(seconds=180) < moment <= now
    assert len({slot for _, slot, _ in found}) == len(found)

    beat.send_signal(signal.SIGTERM)
    assert beat.wait(10) == 0
    events = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    [alert] = [event for event in events if event["event"] == "alert"]
    assert alert["severity"] == "critical"
    assert alert["text"].startswith(f"{broken}, line ")


def test_every_task_that_beat_names_is_registered() -> None:
    program = (
        "from worker.celery import app\n"
        "from worker.beat import SHOW_LIFE, START_RUN\n"
        "from worker.runtime import settings\n"
        "app.loader.import_default_modules()\n"
        "names = {START_RUN, SHOW_LIFE, *(entry.task for entry in settings().upkeep)}\n"
        "assert len(names) == 5, names\n"
        "assert names <= set(app.tasks), names - set(app.tasks)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
