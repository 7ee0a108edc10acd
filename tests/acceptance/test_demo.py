"""The demonstration as a person sees it, and what it leaves behind: nothing that runs."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.programs import Program, left_of, processes_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
StartDemo = Callable[..., Program]
BELL = [
    "strategy 1, dry: held by the guard until 09:30:00 EST, ended as -, recorded in MLflow",
    "strategy 1, paper: held by the guard until 09:30:00 EST, ended as done, recorded in MLflow",
    "strategy 2, by Beat: started by Beat for 09:30:00 EST, ended as held, recorded in MLflow",
    "the sandbox's book has the paper run's 1 order, as in the journal, and none of a dry run",
    "journal and book agree: its 1 fill in both",
]


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[StartDemo]:
    started: list[Program] = []

    def start(*arguments: str) -> Program:
        demo = Program(tmp_path / str(len(started)), "demo.py", *arguments)
        started.append(demo)
        return demo

    yield start
    for demo in started:
        demo.close()


def home_of(demo: Program) -> Path:
    return demo.folder / demo.wait_for(r"demonstration, in (.*)\n").group(1)


def kept(demo: Program) -> list[str]:
    """What it says it has seen. Whether the dry run finds the paper run's shares owned already, and
    holds, is a matter of milliseconds."""
    lines = [line[2:] for line in demo.output.splitlines() if line.startswith("✓ ")]
    return [re.sub(r"(1, dry: .*, ended as) (done|held)", r"\1 -", line) for line in lines]


def test_shortly_before_the_open_three_runs_end_orderly(start_demo: StartDemo) -> None:
    demo = start_demo()
    assert demo.ended() == 0, demo.output
    assert kept(demo) == BELL
    assert left_of(home_of(demo), 0) == []


def test_two_at_once_do_not_disturb_each_other(start_demo: StartDemo) -> None:
    demos = [start_demo(), start_demo()]
    assert [demo.ended(300) for demo in demos] == [0, 0], [demo.output for demo in demos]
    assert [kept(demo) for demo in demos] == [BELL, BELL]


def test_on_a_saturday_a_run_is_closed_and_the_others_show_their_release(
    start_demo: StartDemo,
) -> None:
    demo = start_demo("--at", "2013-02-23T12:00")
    assert demo.ended() == 0, demo.output
    assert kept(demo) == [
        "strategy 1, dry: held by the guard until 2013-02-25 09:30:00 EST, recorded in MLflow",
        "strategy 1, paper: held by the guard until 2013-02-25 09:30:00 EST, recorded in MLflow",
        "strategy 2, dry: ended as closed, recorded in MLflow",
        "no order reached the sandbox's book",
        "journal and book agree: no fill in either",
    ]


def test_in_mid_session_nothing_is_held(start_demo: StartDemo) -> None:
    demo = start_demo("--at", "2013-02-27T11:00:35")
    assert demo.ended() == 0, demo.output
    assert kept(demo)[1:3] == [
        "strategy 1, paper: ended as done, recorded in MLflow",
        "strategy 2, by Beat: started by Beat for 11:01:00 EST, ended as held, recorded in MLflow",
    ]


@pytest.mark.parametrize("moment", ["demonstration, in", "valkey is ready", "waits until 09:30:00"])
def test_ctrl_c_stops_everything(start_demo: StartDemo, moment: str) -> None:
    demo = start_demo()
    demo.wait_for(moment)
    demo.send(signal.SIGINT)
    assert demo.ended(60) == 128 + signal.SIGINT
    assert left_of(home_of(demo), 0) == []


@pytest.mark.parametrize("moment", ["valkey is ready", "parts are ready"])
def test_killed_leaves_nothing_that_runs(start_demo: StartDemo, moment: str) -> None:
    demo = start_demo()
    demo.wait_for(moment)
    home = home_of(demo)
    assert processes_of(home)
    demo.send(signal.SIGKILL)
    demo.ended()
    assert left_of(home) == []


def test_worker_killed_is_started_again_and_the_runs_end_orderly(start_demo: StartDemo) -> None:
    demo = start_demo()
    demo.wait_for("waits until 09:30:00")
    for process in processes_of(home_of(demo)):
        if "wait@%h" in process.cmdline() and "scripts.parts.guardian" not in process.cmdline():
            process.kill()
    assert demo.ended() == 0, demo.output
    assert kept(demo) == BELL
    assert "wait ended and is started again" in demo.output


def test_part_that_cannot_start_is_named_with_its_log(start_demo: StartDemo) -> None:
    demo = start_demo()
    demo.wait_for("valkey is ready")
    home = home_of(demo)
    # MLflow ends at once on a database that is none.
    folder = home / "state" / "mlflow"
    for file in folder.glob("mlflow.db*"):
        file.unlink()
    (folder / "mlflow.db").write_text("this is no database " * 100)
    assert demo.ended() == 1
    assert "mlflow ended 3 times while it started" in demo.output
    assert "file is not a database" in demo.output
    assert left_of(home, 0) == []


def test_moment_without_prices_is_refused_in_a_sentence(start_demo: StartDemo) -> None:
    demo = start_demo("--at", "2026-11-25T09:00")
    assert demo.ended() == 2
    assert demo.output == (
        "error: the sandbox has prices from 2000-03-01 to 2013-03-01; choose --at in between\n"
    )


def test_asked_to_stay_it_stays_until_ctrl_c_and_then_ends_orderly(start_demo: StartDemo) -> None:
    demo = start_demo("--stay")
    demo.wait_for("Everything stays up")
    assert psutil.pid_exists(demo.process.pid)
    home = home_of(demo)
    assert (home / "run" / "env").exists()
    demo.send(signal.SIGINT)
    assert demo.ended(60) == 0, demo.output
    assert not (home / "run" / "env").exists()
    assert left_of(home, 0) == []
