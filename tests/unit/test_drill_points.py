"""A drill's plan at the checkpoints: what it writes acts, and who is stopped goes on in time."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from scripts.drilling.plan import Injection
from scripts.drilling.points import Points
from worker.clock import SystemClock
from worker.settings import PROJECT_ROOT

REACHING = """
import sys
from pathlib import Path
from worker.checkpoints import DrillCheckpoints
DrillCheckpoints(Path(sys.argv[1])).reach("post:before")
"""
Reach = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def reach(tmp_path: Path) -> Iterator[Reach]:
    """Start a process that comes to the point `post:before`."""
    started: list[subprocess.Popen[bytes]] = []

    def process() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", REACHING, str(tmp_path)]
        started.append(subprocess.Popen(command, cwd=PROJECT_ROOT))
        return started[-1]

    yield process
    for each in started:
        each.kill()
        each.wait()


def test_what_is_armed_acts_once_and_is_known_to_have_acted(tmp_path: Path, reach: Reach) -> None:
    points = Points(tmp_path)
    points.arm([Injection(id="1", kind="kill at post:after")])
    points.arm([Injection(id="2", kind="kill at post:before")])
    assert reach().wait(30) == -signal.SIGKILL
    assert reach().wait(30) == 0
    assert points.acted() == {"2"}


def stopped(process: "subprocess.Popen[bytes]") -> bool:
    return psutil.Process(process.pid).status() == psutil.STATUS_STOPPED


def test_who_is_stopped_goes_on_after_the_planned_time_and_no_sooner(
    tmp_path: Path, reach: Reach
) -> None:
    points = Points(tmp_path)
    points.arm([Injection(id="1", kind="stop at post:before", seconds=8)])
    assert not points.stopped()
    process = reach()
    while not stopped(process):
        SystemClock().sleep(0.02)
    points.continue_due(100.0)
    points.continue_due(107.9)
    assert (points.stopped(), stopped(process)) == (True, True)
    points.continue_due(108.0)
    assert (points.stopped(), process.wait(30)) == (False, 0)


def test_at_the_end_everybody_goes_on(tmp_path: Path, reach: Reach) -> None:
    points = Points(tmp_path)
    points.arm([Injection(id="1", kind="stop at post:before", seconds=1000)])
    process = reach()
    while not stopped(process):
        SystemClock().sleep(0.02)
    points.continue_all()
    assert process.wait(30) == 0
