"""A drill's plan at the checkpoints of the workers: kills and stops, and who goes on when."""

import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from scripts.drilling.plan import Injection
from worker.checkpoints import Planned


class Points:
    """The folder that the workers share with the drill (`worker.checkpoints.DrillCheckpoints`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._planned: list[Planned] = []
        self._seconds: dict[str, float] = {}
        self._continue_at: dict[str, float] = {}
        self._continued: set[str] = set()

    def arm(self, injections: Sequence[Injection]) -> None:
        """Each acts once, the next time that any process comes to its point."""
        for each in injections:
            action: Any = each.what.group
            self._planned.append(Planned(id=each.id, point=each.what.point or "", action=action))
            self._seconds[each.id] = each.seconds
        new = self._folder / "plan.json.drill"
        new.write_text(json.dumps([each.to_json() for each in self._planned]))
        new.replace(self._folder / "plan.json")

    def acted(self) -> set[str]:
        return {each["id"] for each in self._done()}

    def stopped(self) -> bool:
        """Does a process still stand where it was stopped?"""
        return bool(self._stops())

    def continue_due(self, now: float) -> None:
        """Let go on who has stood long enough. Counted from the first look that finds the stop, so
        that none is shorter than planned."""
        for each in self._stops():
            at = self._continue_at.setdefault(each["id"], now + self._seconds[each["id"]])
            if now >= at:
                self._continue(each)

    def continue_all(self) -> None:
        for each in self._stops():
            self._continue(each)

    def _stops(self) -> list[dict[str, Any]]:
        return [
            each
            for each in self._done()
            if each["action"] == "stop" and each["id"] not in self._continued
        ]

    def _continue(self, stop: dict[str, Any]) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(stop["pid"], signal.SIGCONT)
        self._continued.add(stop["id"])

    def _done(self) -> list[dict[str, Any]]:
        try:
            done: list[dict[str, Any]] = json.loads((self._folder / "done.json").read_text())
        except FileNotFoundError:
            return []
        return done
