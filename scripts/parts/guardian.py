"""Runs a program, and ends it and all it started when the guardian's own parent is gone.

    python -m scripts.parts.guardian [--parent PID] [--grace SECONDS] -- PROGRAM ARGUMENT...

However the parent ends, kill -9 included, nothing outlives it. On Linux the guardian adopts what
its program leaves behind, and the kernel ends the program if the guardian itself is killed;
elsewhere it watches for another parent and ends the program's process group. Signals are passed
on, SIGUSR1 ends everything at once. The exit code is the program's, 128 + n after signal n.
"""

import argparse
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from worker.clock import monotonic

LINUX = sys.platform == "linux"
POLL_SECONDS = 0.5
AT_ONCE = signal.SIGUSR1
_PASSED_ON = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGHUP)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="guardian")
    parser.add_argument("--parent", type=int, help="the process that must still be the parent")
    parser.add_argument("--grace", type=float, default=5.0, help="seconds from SIGTERM to SIGKILL")
    parser.add_argument("program", nargs="+")
    wanted = parser.parse_args(arguments)
    if wanted.parent and os.getppid() != wanted.parent:
        return 1
    return guard(wanted.program, wanted.grace)


def guard(program: list[str], grace: float) -> int:
    wakes = _wake_on_signals()
    parent = os.getppid()
    adopt_orphans()
    try:
        child = subprocess.Popen(
            program,
            process_group=0,
            preexec_fn=_end_with(os.getpid()),  # noqa: PLW1509 - one thread runs here
        )
    except OSError as error:
        print(f"{program[0]} cannot be started: {error.strerror}", file=sys.stderr)
        return 127
    kill_at: float | None = None
    while child.poll() is None:
        for number in _arrived(wakes):
            child.send_signal(signal.SIGKILL if number == AT_ONCE else number)
        if os.getppid() != parent and kill_at is None:
            kill_at = monotonic() + grace
            child.terminate()
        if kill_at is not None and monotonic() > kill_at:
            child.kill()
        _end_strays(child.pid)
    end_descendants(child.pid)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def adopt_orphans() -> None:
    """From now on a descendant whose parent ends becomes this process's child (Linux)."""
    if LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_descendants(group: int | None = None) -> None:
    """Kill what this process's children and theirs have started, and see that it is gone.

    `group` is a process group that goes with them where orphans are not adopted.
    """
    if group is not None and not LINUX:
        _kill(-group)
    for _ in range(250):
        left = descendants(os.getpid())
        for pid in left:
            _kill(pid)
            _reap(pid)
        if not left:
            return
        select.select([], [], [], 0.02)


def descendants(pid: int) -> list[int]:
    """Processes under `pid`, parents first, by one look at the system's table."""
    children: dict[int, list[int]] = {}
    for child, parent in _table():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for parent in level for child in children.get(parent, [])]
        found += level
    return found


def _table() -> Iterator[tuple[int, int]]:
    """Process and parent ids of this moment."""
    if not LINUX:
        with subprocess.Popen(
            ["/bin/ps", "-axo", "pid=,ppid="], stdout=subprocess.PIPE, text=True
        ) as ps:
            for line in ps.stdout or ():
                child, parent = map(int, line.split())
                if child != ps.pid:
                    yield child, parent
        return
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            after_name = (folder / "stat").read_text(errors="replace").rpartition(")")[2]
        except OSError:
            continue  # it ended while we looked
        yield int(folder.name), int(after_name.split()[1])


def _end_strays(child: int) -> None:
    """An orphan that came to the guardian has lost the one who was to end it."""
    me = os.getpid()
    try:
        mine = Path(f"/proc/{me}/task/{me}/children").read_text().split()
    except OSError:
        return  # no such list on this system: strays end with the rest
    for pid in map(int, mine):
        if pid != child:
            _kill(pid)
            _reap(pid)


def _end_with(guardian: int) -> Callable[[], None] | None:
    """For the child, between fork and exec: the kernel is to kill it when the guardian ends."""
    if not LINUX:
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:
            os._exit(1)

    return ask


def _wake_on_signals() -> int:
    """Signals become bytes in a pipe, so that none is missed and none interrupts anything."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (*_PASSED_ON, AT_ONCE, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reader


def _arrived(wakes: int) -> list[int]:
    """The signals to act on, after at most one poll's time."""
    ready, _, _ = select.select([wakes], [], [], POLL_SECONDS)
    numbers = os.read(wakes, 4096) if ready else b""
    return [number for number in numbers if number != signal.SIGCHLD]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
