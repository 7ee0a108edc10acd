"""Small pieces of the embedded parts: ports, homes, clocks, configuration."""

import json
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.demonstration.home import forget_old_homes, fresh_home
from scripts.parts.part import Part
from scripts.parts.ports import HOST, Ports, is_free
from scripts.parts.practice import Practice, practice_in
from scripts.parts.running_set import home_lock, is_held
from scripts.parts.supervisor import Supervisor
from worker.clock import SystemClock
from worker.errors import ConfigurationError

FIRST = "2012-04-02T09:29:20"
GONE = 2**22 + 1  # no process has this number: it is above the system's largest


def test_port_that_one_set_took_is_not_free_for_another_and_still_can_be_listened_on() -> None:
    with Ports() as ports:
        port = ports.take()
        assert not is_free(port)
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((HOST, port))
            server.listen()
    assert is_free(port)


def test_home_is_held_by_one(tmp_path: Path) -> None:
    with home_lock(tmp_path):
        assert is_held(tmp_path)
        with pytest.raises(ConfigurationError, match="another `up` or `demo` runs in the home"):
            home_lock(tmp_path).__enter__()
    assert not is_held(tmp_path)


def test_old_homes_go_but_for_the_newest_and_those_in_use(tmp_path: Path) -> None:
    old = [f"20260101-00000{n}-{GONE + n}" for n in range(4)]
    in_use = f"20250101-000000-{os.getpid()}"
    for name in (*old, in_use, "a-folder-of-somebody"):
        (tmp_path / name).mkdir()
    assert forget_old_homes(tmp_path) == 2
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted([*old[2:], in_use, "a-folder-of-somebody"])


def test_homes_made_one_after_the_other_are_kept(tmp_path: Path) -> None:
    home = fresh_home(tmp_path)
    with suppress(ConfigurationError):  # the same second, the same process
        fresh_home(tmp_path)
    forget_old_homes(tmp_path)
    assert home.is_dir()


def write_clock(home: Path, origin: str, seconds_ago: float = 60, rate: float = 1) -> None:
    (home / "state").mkdir()
    started = SystemClock().wall_now().timestamp() - seconds_ago
    clock = {"origin": origin, "started_at": started, "rate": rate}
    (home / "state" / "replay.json").write_text(json.dumps(clock))


def test_new_home_begins_where_it_is_told(tmp_path: Path) -> None:
    assert practice_in(tmp_path, None, None, FIRST) == Practice(
        datetime(2012, 4, 2, 13, 29, 20, tzinfo=UTC), 1.0
    )
    assert practice_in(tmp_path, "2013-01-02T10:00", 5, FIRST) == Practice(
        datetime(2013, 1, 2, 15, 0, tzinfo=UTC), 5
    )


def test_used_home_goes_on_with_its_own_clock(tmp_path: Path) -> None:
    write_clock(tmp_path, "2013-02-25T14:29:20+00:00", rate=3)
    own = Practice(datetime(2013, 2, 25, 14, 29, 20, tzinfo=UTC), 3, resumed=True)
    assert practice_in(tmp_path, None, None, FIRST) == own
    assert practice_in(tmp_path, "2013-02-25T09:29:20", 3, FIRST) == own


@pytest.mark.parametrize(
    ("at", "rate", "seconds_ago", "sentence"),
    [
        ("2013-02-26T09:29:20", None, 60, "has a market clock already, begun at 2013-02-25"),
        (None, 2.0, 60, "leave --at and --rate out, or choose another home with --home"),
        (None, None, 6 * 86400, "has passed 2013-03-01, the last day of prices"),
        (None, 0.0, 60, "--rate must be above 0, not 0"),
        ("yesterday", None, 60, "'yesterday' is not a date and time"),
        ("2013-03-02T09:30", None, 60, "the sandbox has prices from 2000-03-01 to 2013-03-01"),
    ],
)
def test_what_the_clock_cannot_do_is_refused_in_a_sentence(
    tmp_path: Path, at: str | None, rate: float | None, seconds_ago: float, sentence: str
) -> None:
    write_clock(tmp_path, "2013-02-25T14:29:20+00:00", seconds_ago)
    with pytest.raises(ConfigurationError, match=sentence):
        practice_in(tmp_path, at, rate, FIRST)


def test_percent_signs_reach_a_command_as_they_are(tmp_path: Path) -> None:
    part = Part(name="io", command=("celery", "-n", "io@%h"), ready=None)
    assert " -n io@%%h\n" in Supervisor(tmp_path, [part], {})._configuration()
