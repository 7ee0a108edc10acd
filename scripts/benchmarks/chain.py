"""What the journal costs: nine empty steps with it and without it, one after the other, in turn.

`make bench`, or `python -m scripts.benchmarks.chain --chains 50`.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.command import run
from scripts.console import out
from scripts.parts.ports import Ports
from scripts.parts.valkey import Valkey
from worker.clock import SystemClock, monotonic
from worker.settings import PROJECT_ROOT

PATIENCE_SECONDS = 60.0


def chain(
    chains: Annotated[int, typer.Option(min=2, help="How many of each kind.")] = 40,
) -> None:
    """Print how long a chain takes with and without the journal, side by side, and the ratio."""
    with tempfile.TemporaryDirectory() as folder, Ports() as ports:
        home = Path(folder)
        valkey = Valkey(home / "valkey", ports.take())
        os.environ |= {
            "OPENBELL_HOME": folder,
            "OPENBELL_REDIS_URL": valkey.url,
            "OPENBELL_MLFLOW__ENABLED": "false",
        }
        with _part(valkey.prepare()), _worker():
            _measure(chains)


@contextmanager
def _part(command: tuple[str, ...]) -> Iterator[None]:
    """Ends with this process, however that ends."""
    guarded = [sys.executable, "-m", "scripts.parts.guardian", "--", *command]
    process = subprocess.Popen(
        guarded, cwd=PROJECT_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _worker() -> Iterator[None]:
    from scripts.benchmarks.chain_app import QUEUE, app
    from worker.runtime import services

    services().journal.upgrade()
    command = (
        sys.executable, "-m", "celery", "-A", "scripts.benchmarks.chain_app", "worker",
        "-Q", QUEUE, "-P", "threads", "-c", "4", "--without-mingle", "--without-gossip",
    )  # fmt: skip
    with _part(command):
        end = monotonic() + PATIENCE_SECONDS
        while not _consumes(app):
            if monotonic() > end:
                raise SystemExit("the benchmark's worker did not start")
            SystemClock().sleep(0.1)
        yield


def _consumes(app: Any) -> bool:
    from kombu.exceptions import OperationalError

    try:
        return bool(app.control.inspect(timeout=0.5).active_queues())
    except (OperationalError, OSError):
        return False


def _measure(chains: int) -> None:
    from scripts.benchmarks.chain_app import KEPT, PLAIN

    seconds: dict[str, list[float]] = {"without": [], "with": []}
    for number in range(chains):
        for kind, steps in (("without", PLAIN), ("with", KEPT)):
            seconds[kind].append(_seconds_of(steps, f"{kind}-{number}", kept=kind == "with"))
    medians = {kind: statistics.median(found) for kind, found in seconds.items()}
    for kind, median in medians.items():
        out.print(f"a chain {kind} the journal: {median * 1000:.0f} ms ({chains} chains, median)")
    ratio = medians["with"] / medians["without"]
    each = (medians["with"] - medians["without"]) / 9 * 1000
    out.print(f"ratio: {ratio:.2f}; the journal costs {each:.1f} ms a step")


def _seconds_of(steps: tuple[Any, ...], name: str, *, kept: bool) -> float:
    from celery import chain as celery_chain

    from worker.runtime import services

    asked = _run(name)
    began = monotonic()
    if kept:
        services().runs.create(asked)
    links = [steps[0].s(asked.to_json()), *(step.s() for step in steps[1:])]
    result = celery_chain(*links)()
    if kept:
        services().runs.mark_published(asked.run_id, {})
    result.get(timeout=PATIENCE_SECONDS, interval=0.005)
    return monotonic() - began


def _run(name: str) -> Any:
    from worker.models.run import Run
    from worker.models.strategy import Strategy

    strategy = Strategy.model_validate(
        {
            "id": 1, "name": "benchmark", "symbols": ["AAPL"],
            "sizing": {"method": "fixed_quantity", "quantity": 1},
        }
    )  # fmt: skip
    return Run(
        run_id=name, slot=f"manual:{name}", strategy=strategy, mode="dry", symbols=("AAPL",),
        due_at=datetime(2013, 2, 27, 15, tzinfo=UTC),
    )  # fmt: skip


if __name__ == "__main__":
    run(chain)
