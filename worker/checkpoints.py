"""Named points of an order's way at which a drill may kill or stop the process.

For drills before the sandbox alone: with a plan configured, a process that does not stand before
a proved sandbox does not start. Without one, reaching a point does nothing.
"""

import fcntl
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from worker.models.base import Value

POINTS = (
    "intent:before", "intent:after",
    "connect:before", "connect:after",
    "post:before", "post:after",  # between SENDING and the first byte; all bytes out, no answer yet
    "answer:after",
    "reply:before", "reply:after",
    "event:before", "event:after",  # what the answer means, written down
    "publish:before", "publish:after",
    "ack:before", "ack:after",
)  # fmt: skip
Point = str
# What the rooms know of it: where they are.
Reach = Callable[[Point], None]


class Planned(Value):
    """The `nth` time that any process reaches `point`, it kills itself, its parent and itself, or
    stops until somebody continues it."""

    id: str
    point: str
    nth: int = 1
    action: Literal["kill", "kill_main", "stop"] = "kill"


class Checkpoints(Protocol):
    def reach(self, point: Point) -> None: ...


class NoCheckpoints:
    def reach(self, point: Point) -> None:
        """Go on."""


class DrillCheckpoints:
    """A folder that all processes of a drill share: `plan.json`, counts, and what was done.

    Each plan entry acts once. What is done is on disk, with the process's id, before it is done.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def reach(self, point: Point) -> None:
        planned = self._take(point)
        if planned is None:
            return
        if planned.action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        if planned.action == "kill_main":
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def _take(self, point: Point) -> Planned | None:
        with self._alone():
            counts = self._read("counts.json", {})
            counts[point] = counts.get(point, 0) + 1
            self._write("counts.json", counts)
            done = self._read("done.json", [])
            taken = {each["id"] for each in done}
            for entry in self._read("plan.json", []):
                planned = Planned.from_json(entry)
                if planned.id in taken or planned.point != point or planned.nth > counts[point]:
                    continue
                self._write("done.json", [*done, {**planned.to_json(), "pid": os.getpid()}])
                return planned
        return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however it ends
            yield

    def _read(self, name: str, default: Any) -> Any:
        try:
            return json.loads((self._folder / name).read_text())
        except FileNotFoundError:
            return default

    def _write(self, name: str, value: Any) -> None:
        """Whole or not at all: the process may be killed by another in mid-write."""
        new = self._folder / f"{name}.new"
        new.write_text(json.dumps(value))
        new.replace(self._folder / name)
