"""What one sees of a drill: a line that moves on a terminal, a line for each thing that happens."""

from collections.abc import Callable

from rich.console import Console
from rich.status import Status

from worker.clock import monotonic

# Without a terminal: how long one looks at nothing new.
SILENCE_SECONDS = 15.0


class View:
    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = self._spoke = monotonic()
        self._status: Status | None = None

    def say(self, sentence: str) -> None:
        self._spoke = monotonic()
        line = f"{self._spoke - self._began:6.1f} s  {sentence}"
        self.console.print(line, markup=False, soft_wrap=True)

    def show(self, standing: Callable[[], str]) -> None:
        """How far it has come; asked for only where it is shown."""
        if self.console.is_terminal:
            if self._status is None:
                self._status = self.console.status("")
                self._status.start()
            self._status.update(standing())
        elif monotonic() - self._spoke > SILENCE_SECONDS:
            self.say(standing())

    def still(self) -> None:
        """Nothing moves any more, until the next `show`."""
        if self._status is not None:
            self._status.stop()
            self._status = None
