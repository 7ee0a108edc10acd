"""Programs that tests start: under the guardian, so that they end with the test process."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.parts.ports import Ports
from worker.clock import SystemClock, monotonic
from worker.settings import PROJECT_ROOT


class GuardedServer:
    """A started program that answers; `close` ends it, all it started, and its ports' hold."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        ready: Callable[[], bool],
        environment: Mapping[str, str],
        patience_seconds: float,
        ports: Ports,
    ) -> None:
        self._ports = ports
        guarded = [sys.executable, "-m", "scripts.parts.guardian", "--grace", "1", "--", *command]
        with log.open("ab") as out:
            self._guardian = subprocess.Popen(
                guarded, cwd=PROJECT_ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=os.environ | environment,
            )  # fmt: skip
        end = monotonic() + patience_seconds
        while not ready():
            if self._guardian.poll() is not None or monotonic() > end:
                self.close()
                raise AssertionError(f"{command[0]} does not answer; its log:\n{log.read_text()}")
            SystemClock().sleep(0.05)

    def close(self) -> None:
        self._guardian.terminate()
        try:
            self._guardian.wait(20)
        except subprocess.TimeoutExpired:
            self._guardian.kill()
            self._guardian.wait()
        self._ports.close()
