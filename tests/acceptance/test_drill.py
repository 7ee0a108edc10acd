"""`openbell drill` as a person starts it: harm is done, the promise is kept, nothing is left."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.programs import Program, left_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Program] = []

    def program(*arguments: str) -> Program:
        made = Program(tmp_path / str(len(started)), "-m", "scripts.drill", *arguments)
        started.append(made)
        return made

    yield program
    for each in started:
        each.close()


def test_six_runs_are_harmed_and_the_promise_is_kept(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "kept"
    drill = start("--runs", "6", "--seed", "1", "--home", str(home), "--json")
    assert drill.ended(500) == 0, drill.output
    told = json.loads(drill.output[drill.output.index("\n{") :])
    assert (told["runs"], told["kept"], told["seed"]) == (6, True, 1)
    assert told["orders"] > 0
    assert [kind for kind, each in told["injections"].items() if each["fired"]] == [
        "stop at post:after", "refuse", "ask",
    ]  # fmt: skip
    assert left_of(home, 0) == []


def test_killed_it_leaves_nothing_that_runs(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "killed"
    drill = start("--runs", "6", "--seed", "1", "--home", str(home))
    drill.wait_for("wave 1")
    drill.send(signal.SIGKILL)
    drill.ended()
    assert left_of(home) == []


def test_a_home_that_holds_something_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    drill = start("--home", str(tmp_path / "used"))
    assert drill.ended(60) == 2
    assert "is not empty; choose a new folder with --home" in drill.output
