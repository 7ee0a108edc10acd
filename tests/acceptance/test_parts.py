"""A running set: its parts as real processes, kept alive, and ended whatever happens."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from tests.support.programs import Program, left_of, processes_of
from tests.support.valkey import ValkeyServer, valkey_server
from worker.running_set import read_env_file

__all__ = ["valkey_server"]
StartSet = Callable[..., Program]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def start_set(tmp_path: Path, home: Path) -> Iterator[StartSet]:
    started: list[Program] = []

    def start(*words: str, home: Path = home) -> Program:
        folder = tmp_path / str(len(started))
        program = Program(folder, "-m", "tests.support.light_set", str(home), *words)
        started.append(program)
        return program

    yield start
    for program in started:
        program.close()


def valkey_of(home: Path) -> "redis.Redis":
    return redis.Redis.from_url(read_env_file(home / "run" / "env")["OPENBELL_REDIS_URL"])


def named(home: Path, word: str) -> psutil.Process:
    """The program itself, not its guardian."""
    return next(
        process
        for process in processes_of(home)
        if any(word in each for each in process.cmdline())
        and "scripts.parts.guardian" not in process.cmdline()
    )


def test_valkey_killed_and_started_again_keeps_its_data(valkey_server: ValkeyServer) -> None:
    client = valkey_server.client()
    client.set("a", "b")
    client.execute_command("CONFIG", "SET", "appendfsync", "always")
    client.set("c", "d")
    valkey_server.restart()
    assert client.mget("a", "c") == ["b", "d"]


def test_set_tells_a_second_terminal_and_has_its_home_alone(
    start_set: StartSet, home: Path
) -> None:
    first = start_set()
    first.wait_for("up\n")
    file = home / "run" / "env"
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_env_file(file)["OPENBELL_SUPERVISOR_PID"] == str(first.process.pid)
    config = (home / "state" / "valkey" / "valkey.conf").read_text()
    second = start_set()
    assert second.ended(30) == 2
    assert second.output == (
        f"error: another `up` or `demo` runs in the home {home} (process {first.process.pid}); "
        "end it, or choose another home with --home\n"
    )
    assert (home / "state" / "valkey" / "valkey.conf").read_text() == config
    with valkey_of(home) as client:
        assert client.ping()
    first.send(signal.SIGINT)
    assert (first.ended(30), file.exists(), left_of(home, 0)) == (0, False, [])


def test_killed_starter_leaves_nothing_and_its_home_can_be_used_again(
    start_set: StartSet, home: Path
) -> None:
    first = start_set()
    first.wait_for("up\n")
    with valkey_of(home) as client:
        client.execute_command("CONFIG", "SET", "appendfsync", "always")
        client.set("a", "b")
    first.send(signal.SIGKILL)
    first.ended()
    assert left_of(home) == []
    start_set().wait_for("up\n")
    with valkey_of(home) as client:
        assert client.get("a") == b"b"


def test_killed_supervisord_ends_the_set_with_a_sentence(start_set: StartSet, home: Path) -> None:
    started = start_set()
    started.wait_for("up\n")
    named(home, "supervisor.supervisord").kill()
    assert started.ended(30) == 1
    assert "error: supervisord has ended; everything it ran is stopped\n" in started.output
    assert left_of(home) == []


def test_killed_part_or_guardian_is_started_again_on_the_same_port(
    start_set: StartSet, home: Path
) -> None:
    started = start_set()
    started.wait_for("up\n")
    named(home, "valkey-server").kill()
    started.wait_for("valkey ended and is started again")
    with valkey_of(home) as client:
        client.set_retry(Retry(ConstantBackoff(0.1), 100))
        assert client.ping()
    sleeper = named(home, "1000")
    guardian = sleeper.parent()
    assert guardian is not None
    guardian.kill()
    started.wait_for("sleeper ended and is started again")
    assert not sleeper.is_running() or sleeper.status() == psutil.STATUS_ZOMBIE


def test_part_that_keeps_ending_is_named_with_the_last_lines_of_its_log(
    start_set: StartSet, home: Path
) -> None:
    started = start_set("BROKEN")
    assert started.ended(30) == 1
    assert "error: broken ended 3 times while it started\n" in started.output
    assert "the last lines of broken's log:\nthis part is broken\n" in started.output
    assert left_of(home, 0) == []


def test_home_with_a_path_too_long_for_a_socket_works(start_set: StartSet, tmp_path: Path) -> None:
    home = tmp_path / ("a long name with spaces " * 4).strip() / "home"
    started = start_set(home=home)
    started.wait_for("up\n")
    started.send(signal.SIGTERM)
    assert (started.ended(30), left_of(home, 0)) == (0, [])
