"""The faults that are armed, and the switches beside them. Both are forgotten at a restart.

A request or an order goes through the list in its order; a fault that answers in the place of all
that follow leaves them for the next. How often each has fired is in the book.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from scripts.sandbox.faults.actions import Action, as_fault
from scripts.sandbox.faults.kinds import Fault, Refuse, read_fault
from scripts.sandbox.faults.subject import Subject
from scripts.sandbox.wishes import Switches, WishError, read

Kind = TypeVar("Kind", bound=Fault)


@dataclass
class Armed:
    id: str
    wish: Fault
    skip: int  # how many more that fit pass
    left: int | None  # how many more it acts on; None: all

    @property
    def kind(self) -> str:
        return self.wish.kind

    def meets(self, subject: Subject) -> bool:
        """Whether it is aimed at this one, by now. Each that fits counts, whoever acts on it."""
        if not self.wish.fits(subject):
            return False
        if self.skip:
            self.skip -= 1
            return False
        return True

    def use(self) -> bool:
        """Whether something is left of it; then it acts."""
        if self.left is None:
            return True
        acts = self.left > 0
        self.left -= acts
        return acts


@dataclass
class Faults:
    switches: Switches = field(default_factory=Switches)
    armed: list[Armed] = field(default_factory=list)

    def due(self, subject: Subject, kind: type[Kind]) -> list[tuple[Armed, Kind]]:
        """Those of this kind that act on an order, each with what it was told."""
        mine = ((f, f.wish) for f in self.armed if isinstance(f.wish, kind))
        return [(f, wish) for f, wish in mine if f.meets(subject) and f.use()]

    def change(self, values: Any) -> list[Armed]:
        """Set switches by name, and the list of `faults` as a whole: those. Raises WishError."""
        if not isinstance(values, dict):
            raise WishError('write a list of faults to arm, or an object such as {"faults": []}')
        given = values.get("faults", [])
        if not isinstance(given, list):
            raise WishError("faults: write a list")
        faults = _named([_read(fault) for fault in given], ())
        named = {name: value for name, value in values.items() if name != "faults"}
        self.switches = read(Switches, self.switches.model_dump() | named)
        if "faults" in values:
            self.armed = _waiting(faults)
        return faults

    def arm(self, values: list[Any]) -> list[Armed]:
        """Further faults; all of them or, with WishError, none."""
        faults = _named([read_fault(fault) for fault in values], (f.id for f in self.armed))
        self.armed += _waiting(faults)
        return faults

    def disarm(self, fault_id: str) -> bool:
        """False where no armed fault has this id."""
        kept = [fault for fault in self.armed if fault.id != fault_id]
        found = len(kept) < len(self.armed)
        self.armed = kept
        return found


def fires_at_once(fault: Armed) -> bool:
    return isinstance(fault.wish, Refuse) and fault.wish.at_once


def _waiting(faults: list[Armed]) -> list[Armed]:
    return [fault for fault in faults if not fires_at_once(fault)]


def _read(values: Any) -> Fault:
    if isinstance(values, dict) and "kind" not in values:
        return as_fault(read(Action, values))
    return read_fault(values)


def _named(wishes: list[Fault], taken: Iterable[str]) -> list[Armed]:
    known = set(taken)
    named = []
    for wish in wishes:
        fault_id = wish.id or f"{wish.kind}-{uuid.uuid4().hex[:8]}"
        if fault_id in known:
            raise WishError(f"id: a fault named {fault_id} is armed already")
        known.add(fault_id)
        named.append(Armed(fault_id, wish, wish.nth - 1, wish.count))
    return named
