"""The points of an order's way are reached in their order, and a drill's plan acts there once."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.conversing import YES, Conversation, conversation, new_intent
from tests.support.trading import Trading
from tests.support.trading import signal as analyst_signal
from worker.checkpoints import POINTS, DrillCheckpoints, NoCheckpoints
from worker.clock import SystemClock
from worker.settings import PROJECT_ROOT

__all__ = ["conversation"]
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
REACHING = """
import sys
from pathlib import Path
from worker.checkpoints import DrillCheckpoints
checkpoints = DrillCheckpoints(Path(sys.argv[1]))
for point in sys.argv[2:]:
    checkpoints.reach(point)
    print(point, flush=True)
"""


def test_an_orders_way_to_the_broker_passes_the_points_in_their_order(
    conversation: Conversation,
) -> None:
    conversation.questions = YES
    conversation.sandbox.arm({"kind": "ask", "rounds": [["o163"]]})
    assert conversation.send(new_intent()).kind == "accepted"
    assert conversation.reached == ["post:before", "post:after", "reply:before", "reply:after"]


def test_a_desks_way_passes_the_others(trading: Trading) -> None:
    run = trading.begin(analyst_signal("AAPL"))
    trading.order_desk().decide(run, "AAPL")
    assert trading.reached == [
        "intent:before", "intent:after", "connect:before", "connect:after", "answer:after",
        "event:before", "event:after",
    ]  # fmt: skip
    ours = set(trading.reached) | {"post:before", "post:after", "reply:before", "reply:after"}
    assert set(POINTS) - ours == {"publish:before", "publish:after", "ack:before", "ack:after"}


def test_without_a_plan_nothing_happens() -> None:
    for point in POINTS:
        NoCheckpoints().reach(point)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def plan(folder: Path, *entries: dict[str, Any]) -> None:
    (folder / "plan.json").write_text(json.dumps(entries))


def reaching(folder: Path, *points: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", REACHING, str(folder), *points],
        cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def passed(folder: Path, *points: str) -> tuple[list[str], int]:
    """The points it got past, and how it ended."""
    process = reaching(folder, *points)
    out, _ = process.communicate(timeout=30)
    return out.split(), process.returncode


def test_the_nth_process_that_comes_by_is_killed_and_the_next_goes_on(folder: Path) -> None:
    plan(folder, {"id": "a", "point": "post:before", "nth": 2})
    way = ("intent:after", "post:before", "post:after")
    assert passed(folder, *way) == (list(way), 0)
    assert passed(folder, *way) == (["intent:after"], -signal.SIGKILL)
    assert passed(folder, *way) == (list(way), 0)
    [done] = json.loads((folder / "done.json").read_text())
    assert (done["id"], done["point"], done["pid"] > 0) == ("a", "post:before", True)


def test_several_entries_at_one_point_act_one_after_the_other(folder: Path) -> None:
    plan(
        folder, {"id": "a", "point": "ack:before"}, {"id": "b", "point": "ack:before", "nth": 2},
    )  # fmt: skip
    ends = [passed(folder, "ack:before")[1] for _ in range(3)]
    assert ends == [-signal.SIGKILL, -signal.SIGKILL, 0]


@pytest.fixture
def stopped(folder: Path) -> Iterator[psutil.Process]:
    plan(folder, {"id": "a", "point": "post:before", "action": "stop"})
    process = reaching(folder, "post:before", "post:after")
    seen = psutil.Process(process.pid)
    while seen.status() != psutil.STATUS_STOPPED:
        assert process.poll() is None
        SystemClock().sleep(0.02)
    yield seen
    process.kill()
    process.communicate()


def test_one_that_is_stopped_goes_on_when_it_is_continued(
    folder: Path, stopped: psutil.Process
) -> None:
    # The others pass meanwhile: what it holds is given back.
    assert passed(folder, "post:before") == (["post:before"], 0)
    stopped.send_signal(signal.SIGCONT)
    stopped.wait(30)
    assert json.loads((folder / "counts.json").read_text())["post:after"] == 1


def test_a_parent_is_killed_with_its_child(folder: Path) -> None:
    plan(folder, {"id": "a", "point": "ack:after", "action": "kill_main"})
    parent = subprocess.Popen(
        [
            sys.executable, "-c",
            "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])",
            REACHING, str(folder), "ack:after",
        ],
        cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert parent.wait(30) == -signal.SIGKILL


def test_a_point_is_counted_once_however_many_come_at_once(folder: Path) -> None:
    together = [reaching(folder, *["event:after"] * 20) for _ in range(4)]
    assert [process.wait(60) for process in together] == [0] * 4
    assert json.loads((folder / "counts.json").read_text()) == {"event:after": 80}
    for process in together:
        process.communicate()
    DrillCheckpoints(folder).reach("event:after")
    assert json.loads((folder / "counts.json").read_text()) == {"event:after": 81}
