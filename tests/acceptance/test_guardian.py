"""The guardian ends its program and all that program started, however its parent ends."""

import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from worker.settings import PROJECT_ROOT

Popen = subprocess.Popen[str]
GUARDIAN = "from scripts.parts import guardian; import sys; guardian.LINUX = {linux}; "
RUN = "sys.exit(guardian.main(sys.argv[1:]))"
# A program with a child of its own, and one that has left its process group.
FAMILY = "sleep 1000 & {setsid} sleep 1000 & echo ready; wait"
ON_LINUX = [sys.executable, "-m", "scripts.parts.guardian"]
ELSEWHERE = [sys.executable, "-c", GUARDIAN.format(linux=False) + RUN]


@contextmanager
def a_parent_of(command: list[str]) -> Iterator[tuple[Popen, list[psutil.Process]]]:
    """A process that starts `command`, whose program says `ready`, and all its descendants."""
    code = textwrap.dedent(
        f"""
        import subprocess
        subprocess.run({command!r})
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        family = psutil.Process(parent.pid).children(recursive=True)
        try:
            yield parent, family
        finally:
            parent.kill()
            psutil.wait_procs(family, 10)


def survivors(family: list[psutil.Process], seconds: float = 10) -> list[str]:
    _, alive = psutil.wait_procs(family, seconds)
    return [" ".join(member.cmdline()) for member in alive]


@pytest.mark.parametrize(
    ("guardian", "setsid"), [(ON_LINUX, "setsid"), (ELSEWHERE, "")], ids=["linux", "elsewhere"]
)
def test_parent_killed_ends_the_program_and_all_it_started(
    guardian: list[str], setsid: str
) -> None:
    program = ["sh", "-c", FAMILY.format(setsid=setsid)]
    with a_parent_of([*guardian, "--", *program]) as (parent, family):
        assert len(family) >= 4
        parent.kill()
        assert survivors(family) == []


def test_parent_killed_ends_a_program_that_ignores_requests_to_end() -> None:
    program = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]
    with a_parent_of([*ON_LINUX, "--grace", "0.5", "--", *program]) as (parent, family):
        parent.kill()
        assert survivors(family) == []


def test_guardian_killed_ends_its_program_and_the_guardian_above_ends_the_rest() -> None:
    inner = shlex.join([*ON_LINUX, "--", "sh", "-c", FAMILY.format(setsid="setsid")])
    with a_parent_of([*ON_LINUX, "--", "sh", "-c", f"{inner}; sleep 1000"]) as (_, family):
        guardians = [one for one in family if "scripts.parts.guardian" in one.cmdline()]
        strays = guardians[-1].children(recursive=True)
        assert len(strays) == 3
        guardians[-1].kill()
        assert survivors(strays) == []
        assert guardians[0].is_running()


def guarded(*program: str) -> Popen:
    return subprocess.Popen(
        [*ON_LINUX, "--", *program], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_signal_to_the_guardian_reaches_its_program(number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    program = f"trap 'echo {name}; exit 7' {name}; echo ready; while :; do sleep 0.05; done"
    with guarded("sh", "-c", program) as guardian:
        assert guardian.stdout is not None
        assert guardian.stdout.readline() == "ready\n"
        guardian.send_signal(number)
        assert (guardian.stdout.readline(), guardian.wait(10)) == (f"{name}\n", 7)


@pytest.mark.parametrize(
    ("program", "code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 128 + 9), ("kill -TERM $$", 128 + 15)],
)
def test_program_that_ends_passes_its_exit_code_on(program: str, code: int) -> None:
    with guarded("sh", "-c", program) as guardian:
        assert guardian.wait(10) == code


def test_program_that_ends_leaves_nothing_behind() -> None:
    with guarded("sh", "-c", "setsid sleep 1000 & echo $!") as guardian:
        assert guardian.stdout is not None
        left = int(guardian.stdout.readline())
        assert guardian.wait(10) == 0
        assert not psutil.pid_exists(left)


def test_program_that_is_not_there_is_127() -> None:
    with guarded("/nowhere/program") as guardian:
        assert guardian.wait(10) == 127


def test_parent_that_is_not_the_promised_one_starts_nothing() -> None:
    command = [*ON_LINUX, "--parent", "1", "--", "sh", "-c", "echo started"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
