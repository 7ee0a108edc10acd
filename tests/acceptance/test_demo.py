"""`demo` and `up` as a person sees them, and what they leave behind: nothing that runs."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.programs import Program, left_of, processes_of
from worker.running_set import read_env_file

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
Start = Callable[..., Program]
SECRETS = ("OPENBELL_REDIS_URL", "OPENBELL_FLOWER_PASSWORD")
BELL = [
    "strategy 1, dry: held by the guard until 09:30:00 EST, ended as -, recorded in MLflow",
    "strategy 1, paper: held by the guard until 09:30:00 EST, ended as done, recorded in MLflow",
    "strategy 2, by Beat: started by Beat for 09:30:00 EST, ended as held, recorded in MLflow",
    "the sandbox's book has the paper run's 1 order, as in the journal, and none of a dry run",
    "journal and book agree: its 1 fill in both",
]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Program] = []

    def program(module: str, *arguments: str) -> Program:
        made = Program(tmp_path / str(len(started)), "-m", f"scripts.{module}", *arguments)
        started.append(made)
        return made

    yield program
    for each in started:
        each.close()


def home_of(demo: Program) -> Path:
    return demo.folder / demo.wait_for(r"demonstration, in (.*)\n").group(1)


def kept(demo: Program) -> list[str]:
    """What it says it has seen. Whether the dry run finds the paper run's shares owned already, and
    holds, is a matter of milliseconds."""
    lines = [line[2:] for line in demo.output.splitlines() if line.startswith("✓ ")]
    return [re.sub(r"(1, dry: .*, ended as) (done|held)", r"\1 -", line) for line in lines]


def test_two_at_once_one_is_stopped_and_the_other_ends_as_promised(start: Start) -> None:
    stopped, other = start("demo"), start("demo")
    stopped.wait_for("until 09:30:00")
    stopped.send(signal.SIGINT)
    assert (stopped.ended(60), left_of(home_of(stopped), 0)) == (130, [])
    assert other.ended() == 0, other.output
    assert kept(other) == BELL
    assert left_of(home_of(other), 0) == []


def test_worker_killed_is_started_again_and_asked_to_stay_it_stays(start: Start) -> None:
    demo = start("demo", "--stay")
    demo.wait_for("until 09:30:00")
    home = home_of(demo)
    for process in processes_of(home):
        if "orders@%h" in process.cmdline() and "scripts.parts.guardian" not in process.cmdline():
            process.kill()
    demo.wait_for("orders ended and is started again")
    demo.wait_for("Everything stays up")
    assert kept(demo) == BELL
    told = read_env_file(home / "run" / "env")
    passwords = [told[name].removeprefix("redis://:").partition("@")[0] for name in SECRETS]
    words = [" ".join(process.cmdline()) for process in processes_of(home)]
    assert not [line for line in words if any(password in line for password in passwords)]
    demo.send(signal.SIGINT)
    assert (demo.ended(60), left_of(home, 0)) == (0, [])
    assert "everything has ended; its home is kept, " in demo.output


def test_on_a_saturday_a_run_is_closed_and_the_others_show_their_release(start: Start) -> None:
    demo = start("demo", "--at", "2013-02-23T12:00")
    assert demo.ended() == 0, demo.output
    assert re.search(r"strategy 2, dry +place_orders +skipped\n", demo.output)
    assert "celery -A worker result" not in demo.output  # no step of the paper run has one
    assert kept(demo) == [
        "strategy 1, dry: held by the guard until 2013-02-25 09:30:00 EST, recorded in MLflow",
        "strategy 1, paper: held by the guard until 2013-02-25 09:30:00 EST, recorded in MLflow",
        "strategy 2, dry: ended as closed, recorded in MLflow",
        "no order reached the sandbox's book",
        "journal and book agree: no fill in either",
    ]


def test_in_mid_session_nothing_is_held_and_killed_it_leaves_nothing(start: Start) -> None:
    demo = start("demo", "--at", "2013-02-27T11:00:35", "--stay")
    demo.wait_for("Everything stays up")
    assert kept(demo)[1:3] == [
        "strategy 1, paper: ended as done, recorded in MLflow",
        "strategy 2, by Beat: started by Beat for 11:01:00 EST, ended as held, recorded in MLflow",
    ]
    demo.send(signal.SIGKILL)
    demo.ended()
    assert left_of(home_of(demo)) == []


def test_stopped_while_parts_start_it_leaves_nothing(start: Start) -> None:
    demo = start("demo")
    demo.wait_for("valkey is ready")
    demo.send(signal.SIGTERM)
    assert (demo.ended(60), left_of(home_of(demo), 0)) == (143, [])


def test_part_that_cannot_start_is_named_with_its_log(start: Start) -> None:
    demo = start("demo")
    home = home_of(demo)
    demo.wait_for("valkey is ready")
    # MLflow ends at once on a database that is none.
    for file in (home / "state" / "mlflow").glob("mlflow.db*"):
        file.unlink()
    (home / "state" / "mlflow" / "mlflow.db").write_text("this is no database " * 100)
    assert demo.ended() == 1
    assert "mlflow ended 3 times while it started" in demo.output
    assert "file is not a database" in demo.output
    assert left_of(home, 0) == []


def test_up_without_a_gateway_starts_and_says_where_things_are(start: Start) -> None:
    up = start("up")
    up.wait_for("In a second terminal")
    home = up.folder / "home"
    assert re.findall(r"^(gateway|account|orders) {2,}(.*)", up.output, re.MULTILINE) == [
        ("gateway", "https://localhost:5000/v1/api"),
        ("account", "none; set OPENBELL_IBKR__ACCOUNT_ID"),
        ("orders", "none, every run is dry; --no-dry-run is refused (mode: dry)"),
    ]
    up.send(signal.SIGINT)
    assert (up.ended(60), left_of(home, 0)) == (0, [])
