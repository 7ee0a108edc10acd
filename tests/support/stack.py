"""A whole Openbell for tests: a real Valkey, a real sandbox, real worker processes, one journal.

A module asks for `stack` (one for the module, begun as the
module's `STACK` says: a dict for `Stack`) or for `start_stack`, which starts any number for one
test. Valkey is one for the whole test run, with a database of its own for each stack.
"""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import yaml
from sqlalchemy import update

from tests.support.sandbox import IN_SESSION, RunningSandbox
from tests.support.valkey import ValkeyServer
from worker.clock import SystemClock, monotonic
from worker.journal.runs import RunRow
from worker.journal.steps import StepRow
from worker.journal.tables import runs
from worker.models.order import OrderRecord
from worker.runtime import Services, reset_services, services
from worker.settings import PROJECT_ROOT

QUEUES = {"io,wait": ("threads", 8), "orders,upkeep,session": ("prefork", 2)}
PATIENCE_SECONDS = 60.0
_DATABASES = itertools.count()
# What a test may have the scripted analyst say.
BUY = {"signal": "BUY", "confidence": 0.9, "rationale": "a test says so"}
STRATEGY: dict[str, Any] = {
    "id": 1,
    "name": "momentum",
    "symbols": ["AAPL", "GOOGL", "MSFT"],
    "when_closed": "wait",
    "market": {"not_before_open": "0s", "max_wait": "72h"},
    "signal": {"analyst": "model"},
    "sizing": {"method": "fixed_value", "value_usd": 5000},
    "dry_run": True,
}


class Stack:
    def __init__(
        self,
        home: Path,
        valkey: ValkeyServer,
        *,
        at: str = IN_SESSION,
        rate: float = 1.0,
        strategies: Sequence[Mapping[str, Any]] = (STRATEGY,),
        environment: Mapping[str, str] | None = None,
        workers: bool = True,
        queues: Mapping[str, tuple[str, int]] = QUEUES,
    ) -> None:
        self.home, self.valkey, self.queues = home, valkey, queues
        # Workers of another stack would take this one's messages from the same database.
        self.redis_url = valkey.url.rsplit("/", 1)[0] + f"/{next(_DATABASES) % 16}"
        self.redis.flushdb()
        self.folder = home / "strategies"
        self.folder.mkdir(parents=True)
        for strategy in strategies:
            self.write_strategy(strategy)
        self.sandbox = RunningSandbox.start(home, at, rate)
        self.environment = {
            **self.sandbox.environment(),
            "OPENBELL_REDIS_URL": self.redis_url,
            "OPENBELL_STRATEGIES": str(self.folder),
            "OPENBELL_MODE": "paper",
            "OPENBELL_MLFLOW__ENABLED": "false",
            "OPENBELL_QUEUES__LEASE": "6s",
            "DO_NOT_TRACK": "true",
            **(environment or {}),
        }
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self.enter()
        self.services.journal.upgrade()
        if workers:
            self.start_workers()

    # Configuration

    def write_strategy(self, strategy: Mapping[str, Any], name: str | None = None) -> Path:
        path = self.folder / (name or f"{strategy['id']:02d}.yaml")
        path.write_text(yaml.safe_dump(dict(strategy)))
        return path

    def enter(self) -> None:
        """Make this stack the one that `services()` of this process speaks to."""
        for name in [name for name in os.environ if name.startswith("OPENBELL_")]:
            del os.environ[name]
        os.environ.update(self.environment)
        reset_services()
        from worker.celery import app

        app.set_current()
        if app.conf.broker_url != self.redis_url:
            app.conf.update(broker_url=self.redis_url, result_backend=self.redis_url)
            app._after_fork()  # forget the pools of another stack's server
            app._backend_cache = None
            vars(app._local).pop("backend", None)

    @property
    def redis(self) -> redis.Redis:
        """A client of the stack's own database; texts come back as str."""
        return redis.Redis.from_url(self.redis_url, decode_responses=True)

    @property
    def services(self) -> Services:
        return services()

    # Workers

    def start_workers(self, *queues: str) -> None:
        """Those of `queues` named, all by default; returns when they consume."""
        wanted = queues or tuple(self.queues)
        for queue in wanted:
            pool, size = self.queues[queue]
            name = queue.split(",")[0]
            command = [sys.executable, "-m", "celery", "-A", "worker", "worker", "-Q", queue]
            command += ["-P", pool, "-c", str(size), "-n", f"{name}-{self.home.name}@test"]
            command += ["--without-mingle", "--without-gossip"]
            self._workers[queue] = self._start(name, command)
        self.wait_for(lambda: self._consuming(wanted), "the workers consume")

    def start_beat(self) -> None:
        """It ends with the workers."""
        command = [sys.executable, "-m", "celery", "-A", "worker", "beat", "--pidfile="]
        self._workers["beat"] = self._start("beat", command)

    def _start(self, name: str, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        guarded = [sys.executable, "-m", "scripts.parts.guardian", "--grace", "2", "--", *command]
        with self.log(name).open("ab") as log:
            return subprocess.Popen(
                guarded, cwd=PROJECT_ROOT, env=self._outer() | self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def log(self, name: str) -> Path:
        return self.home / f"worker-{name}.log"

    def kill_workers(self, *queues: str) -> None:
        """kill -9 of the worker and all its children."""
        for queue in queues or tuple(self._workers):
            guardian = self._workers.pop(queue, None)
            if guardian is not None:
                guardian.send_signal(signal.SIGUSR1)
                guardian.wait(20)

    def processes(self, queue: str) -> list[psutil.Process]:
        """The worker and its children."""
        return psutil.Process(self._workers[queue].pid).children(recursive=True)

    def pool_child(self, queue: str) -> psutil.Process:
        """The process that executes the tasks of a worker with one prefork child."""
        celery = [p for p in self.processes(queue) if "celery" in " ".join(p.cmdline())]
        return max(celery, key=lambda process: (len(process.parents()), process.create_time()))

    def _consuming(self, queues: Sequence[str]) -> bool:
        from worker.celery import app

        for queue in queues:
            if self._workers[queue].poll() is not None:
                raise AssertionError(self.log(queue.split(",")[0]).read_text()[-4000:])
        found = app.control.inspect(timeout=0.5).active_queues() or {}
        consumed = {each["name"] for listed in found.values() for each in listed}
        return set(",".join(queues).split(",")) <= consumed

    def _outer(self) -> dict[str, str]:
        return {
            name: value for name, value in os.environ.items() if not name.startswith("OPENBELL_")
        }

    # Runs

    def trigger(
        self,
        strategy_id: int = 1,
        *,
        dry_run: bool | None = None,
        symbols: Sequence[str] | None = None,
        slot: str | None = None,
    ) -> str:
        """Start a run as the trigger does; its id."""
        from tasks.start_run import Wishes, begin_run, new_run

        s = self.services
        wishes = Wishes(dry_run=dry_run, symbols=tuple(symbols) if symbols else None)
        due = s.clock.market_now()
        strategy = s.strategies.by_id(strategy_id)
        slot = slot or f"manual:{due.isoformat()}"
        row, _ = begin_run(s, new_run(s, strategy, slot, due, wishes))
        return row.run_id

    def run(self, strategy_id: int = 1, **wishes: Any) -> RunRow:
        """Trigger a run and wait for its end."""
        return self.wait_closed(self.trigger(strategy_id, **wishes))

    def wait_closed(self, run_id: str, patience_seconds: float = PATIENCE_SECONDS) -> RunRow:
        self.wait_for(
            lambda: self.services.runs.get(run_id).status == "closed",
            f"run {run_id} is closed",
            patience_seconds,
            lambda: self.story(run_id),
        )
        return self.services.runs.get(run_id)

    def failed(self, run_id: str) -> tuple[str | None, str | None, str | None]:
        """How the run ended, at which step, and why; its last step is done."""
        row = self.wait_closed(run_id)
        self.wait_step(run_id, 9, "done")
        return row.outcome, row.failed_step, row.reason

    def step(self, run_id: str, number: int) -> StepRow | None:
        return next((row for row in self.services.steps.of(run_id) if row.number == number), None)

    def wait_step(self, run_id: str, number: int, *states: str) -> StepRow:
        def reached() -> bool:
            row = self.step(run_id, number)
            return row is not None and row.state in states

        what = f"step {number} of {run_id} is {' or '.join(states)}"
        self.wait_for(reached, what, story=lambda: self.story(run_id))
        row = self.step(run_id, number)
        assert row is not None
        return row

    def published_long_ago(self, run_id: str) -> None:
        """Upkeep leaves what was published in peace for a minute: here it has passed."""
        before = self.services.clock.wall_now() - timedelta(minutes=2)
        with self.services.journal.write() as connection:
            changed = update(runs).where(runs.c.run_id == run_id).values(published_at=before)
            connection.execute(changed)

    def orders(self, run_id: str) -> Sequence[OrderRecord]:
        return self.services.orders.of_run(run_id)

    def outcomes(self, run_id: str) -> dict[str, str]:
        """Symbol to outcome, as the journal's decisions have it."""
        lines = self.services.orders.lines(run_id)
        return {symbol: line.outcome for symbol, line in lines.items()}

    def story(self, run_id: str) -> str:
        row = self.services.runs.get(run_id)
        told = [f"{row.status} {row.outcome} {row.reason}"]
        told += [
            f"{step.number} {step.step} {step.state} {step.waits_for} {step.error}"
            for step in self.services.steps.of(run_id)
        ]
        for log in sorted(self.home.glob("worker-*.log")):
            told += [f"--- {log.name}", log.read_text()[-3000:]]
        return "\n".join(told)

    def market_now(self) -> datetime:
        return self.services.clock.market_now()

    def wait_for(
        self,
        reached: Callable[[], bool],
        what: str,
        patience_seconds: float = PATIENCE_SECONDS,
        story: Callable[[], str] = lambda: "",
    ) -> None:
        end = monotonic() + patience_seconds
        while not reached():
            if monotonic() > end:
                raise AssertionError(f"after {patience_seconds:.0f} s not yet: {what}\n{story()}")
            SystemClock().sleep(0.05)

    def close(self) -> None:
        for guardian in self._workers.values():
            guardian.send_signal(signal.SIGUSR1)
        for guardian in self._workers.values():
            guardian.wait(20)
        self.sandbox.stop()
        reset_services()


@pytest.fixture(scope="session")
def stack_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def module_stack(
    request: pytest.FixtureRequest,
    stack_valkey: ValkeyServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    wishes = getattr(request.module, "STACK", {})
    stack = Stack(tmp_path_factory.mktemp("home"), stack_valkey, **wishes)
    yield stack
    stack.close()


@pytest.fixture
def stack(module_stack: Stack, _clean_environment: None) -> Stack:
    """The module's stack, entered again: each test begins with a clean environment."""
    module_stack.enter()
    return module_stack


@pytest.fixture
def start_stack(
    stack_valkey: ValkeyServer, tmp_path: Path, _clean_environment: None
) -> Iterator[Callable[..., Stack]]:
    started: list[Stack] = []

    def start(**wishes: Any) -> Stack:
        started.append(Stack(tmp_path / f"stack{len(started)}", stack_valkey, **wishes))
        return started[-1]

    yield start
    for stack in started:
        stack.close()
