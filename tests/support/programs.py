"""`openbell demo` and `openbell up` as a person starts them: processes of their own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from worker.clock import SystemClock, monotonic
from worker.settings import PROJECT_ROOT

# kill -9 of everything's parent: this long until nothing is left.
END_SECONDS = 15.0


class Program:
    """A Python program of the project, started in a folder that is not the project's."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._file = folder / "output"
        environment = {
            **os.environ,
            "OPENBELL_HOME": str(folder / "home"),
            "PYTHONPATH": str(PROJECT_ROOT),  # for tests.support
        }
        with self._file.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._file.read_text()

    def wait_for(self, pattern: str, seconds: float = 150) -> re.Match[str]:
        """The first match in what was printed so far, or within `seconds`."""
        end = monotonic() + seconds
        while not (found := re.search(pattern, self.output)):
            over = self.process.poll() is not None and not re.search(pattern, self.output)
            assert not over, f"it has ended without {pattern!r}:\n{self.output}"
            assert monotonic() < end, f"no {pattern!r} after {seconds:.0f} s:\n{self.output}"
            SystemClock().sleep(0.1)
        return found

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, seconds: float = 150) -> int:
        """Its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds:.0f} s:\n{self.output}") from None

    def close(self) -> None:
        """Whatever the test did, nothing is left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that works for this home; Valkey overwrites its words and environment, and is
    known by its folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            words = [process.environ().get("OPENBELL_HOME", ""), process.cwd(), *process.cmdline()]
            if any(str(home) in word for word in words):
                found.append(process)
        except psutil.Error:
            continue
    return found


def left_of(home: Path, seconds: float = END_SECONDS) -> list[str]:
    """The command lines of what still works for the home after `seconds`, at most."""
    end = monotonic() + seconds
    while (left := processes_of(home)) and monotonic() < end:
        SystemClock().sleep(0.1)
    return [" ".join(process.cmdline()) for process in left]
