"""The hands of a drill: each injection done where and when the plan says."""

import shutil
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from os import kill
from typing import Any

from scripts.drilling.control import Control
from scripts.drilling.copies import copy_message, publish_again
from scripts.drilling.plan import Injection
from scripts.drilling.points import Points
from scripts.drilling.setting import Setting
from scripts.parts.guardian import AT_ONCE
from scripts.parts.supervisor import Supervisor
from worker.clock import SystemClock, monotonic
from worker.runtime import Services

# A copy needs a message under way; later there may be none.
PATIENCE_SECONDS = 20.0
LOCK_PATIENCE_SECONDS = 15.0


@dataclass(frozen=True)
class Today:
    """The parts of one day of the market."""

    control: Control
    supervisor: Supervisor
    services: Services


@dataclass(frozen=True)
class Due:
    """What is the drill's own to do; tried from `at` until it succeeds, or `until`."""

    injection: Injection
    at: float
    until: float
    run_ids: tuple[str, ...]


class Harm:
    def __init__(self, setting: Setting) -> None:
        self._setting, self._points = setting, Points(setting.checkpoints)
        self._faults: dict[str, dict[str, Any]] = {}
        self._due: list[Due] = []
        self._own: set[str] = set()
        self._lockers: list[threading.Thread] = []

    def begin_day(self, today: Today) -> None:
        """The sandbox has forgotten what it was told and has not done yet: the first orders of the
        day meet it."""
        self._today = today
        self._due.clear()
        fired = today.control.fired()
        left = [fault for fault_id, fault in self._faults.items() if fault_id not in fired]
        for nth, fault in enumerate(left, 1):
            today.control.arm(fault | {"nth": nth})

    def fired(self) -> set[str]:
        """The ids of the injections that have acted."""
        return self._own | self._points.acted() | self._today.control.fired()

    def arm(self, injections: Sequence[Injection]) -> None:
        """Everything that waits for an order, for a request, or for a process at a point."""
        self._points.arm([each for each in injections if each.what.point is not None])
        for each in injections:
            if each.what.fault is not None:
                fault = {**each.what.fault, "id": each.id, "nth": each.nth}
                self._faults[each.id] = fault
                self._today.control.arm(fault)

    def schedule(self, injections: Sequence[Injection], run_ids: tuple[str, ...]) -> None:
        """What the drill does itself, to a wave of runs that has just begun."""
        now = monotonic()
        for each in injections:
            if each.kind in DEEDS:
                at = now + each.after_seconds
                self._due.append(Due(each, at, at + PATIENCE_SECONDS, run_ids))

    def act(self) -> list[str]:
        """Do what is due now, and say what was done."""
        now, did = monotonic(), []
        self._points.continue_due(now)
        for due in [due for due in self._due if due.at <= now]:
            done = DEEDS[due.injection.kind](self, due)
            if done:
                self._own.add(due.injection.id)
                did.append(due.injection.kind)
            if done or now > due.until:
                self._due.remove(due)
        return did

    @property
    def busy(self) -> bool:
        """Is something still to be done or undone?"""
        locking = any(each.is_alive() for each in self._lockers)
        return bool(self._due) or locking or self._points.stopped()

    def end_day(self) -> None:
        """Nobody stays stopped."""
        self._points.continue_all()

    # Deeds: True where it was done

    def kill_valkey(self, _due: Due) -> bool:
        return self._end_part("valkey")

    def lose_valkey(self, _due: Due) -> bool:
        """Its data goes first: supervisord starts it again at once."""
        shutil.rmtree(self._setting.valkey.folder / "appendonlydir", ignore_errors=True)
        return self._end_part("valkey")

    def lock_journal(self, due: Due) -> bool:
        """Hold the database's one write lock, as a backup or a hanging disk does."""
        path = self._setting.home / "state" / "journal.db"

        def lock() -> None:
            with closing(sqlite3.connect(path, timeout=LOCK_PATIENCE_SECONDS)) as journal:
                journal.execute("BEGIN IMMEDIATE")
                SystemClock().sleep(due.injection.seconds)
                journal.rollback()

        self._lockers.append(threading.Thread(target=lock, daemon=True))
        self._lockers[-1].start()
        return True

    def publish_chain_again(self, due: Due) -> bool:
        return any(publish_again(self._today.services, run_id) for run_id in due.run_ids)

    def deliver_twice(self, due: Due) -> bool:
        return copy_message(self._today.services.redis, due.run_ids)

    def _end_part(self, name: str) -> bool:
        """Kill -9 of a part, by its guardian."""
        pid = self._today.supervisor.states()[name].pid
        if pid:
            kill(pid, AT_ONCE)
        return bool(pid)


DEEDS: dict[str, Callable[[Harm, Due], bool]] = {
    "valkey killed": Harm.kill_valkey,
    "valkey lost with its data": Harm.lose_valkey,
    "chain published again": Harm.publish_chain_again,
    "message delivered twice": Harm.deliver_twice,
    "journal locked": Harm.lock_journal,
}
