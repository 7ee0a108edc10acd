"""Faults on order: delays, cut connections and other answers, before or after the work is done.

`POST /sandbox/faults` sets them. A fault fits requests by method and path, lets the first `skip`
pass, then acts `times` times. They are tried in their order; every one that fits acts.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from scripts.sandbox.questions import ASKED_BY_DEFAULT, BY_ID

When = Literal["before", "after"]
ACTIONS = ("delay", "cut", "answer")


class FaultError(Exception):
    """A fault or switch that cannot be set; the text says why."""


@dataclass
class Fault:
    action: str
    when: When = "before"
    method: str = "*"
    path: str = "*"  # below /v1/api, with * for any text
    times: int = 1
    skip: int = 0
    seconds: float = 0.0  # delay
    status: int = 500  # answer
    body: str = ""
    content_type: str = "application/json"

    def fits(self, method: str, path: str) -> bool:
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)

    def due(self) -> bool:
        """Whether it acts on this request, which it has been found to fit."""
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return self.times >= 0


@dataclass
class Switches:
    """Where recordings of the broker disagree or behaviour varies: pick one."""

    enforce_pacing: bool = False
    superseded_goes_live: bool = True  # a reply answered 503 and its order became live all the same
    duplicate_status: int = 200
    trades_empty_first: bool = False
    prime_portfolio: bool = True
    questions: list[str] = field(default_factory=lambda: list(ASKED_BY_DEFAULT))


@dataclass
class Faults:
    switches: Switches = field(default_factory=Switches)
    rules: list[Fault] = field(default_factory=list)

    def due(self, when: When, method: str, path: str) -> list[Fault]:
        fitting = [f for f in self.rules if f.when == when and f.fits(method, path)]
        return [fault for fault in fitting if fault.due()]

    def change(self, values: dict[str, Any]) -> None:
        """Set switches by name, and the list of `faults` as a whole. Raises FaultError."""
        rules = [_fault(rule) for rule in values.get("faults", [])]
        switches = {name: value for name, value in values.items() if name != "faults"}
        for name, value in switches.items():
            _check(name, value)
        for name, value in switches.items():
            setattr(self.switches, name, value)
        if "faults" in values:
            self.rules = rules


def _fault(rule: Any) -> Fault:
    try:
        fault = Fault(**rule)
    except TypeError:
        raise FaultError(f"not a fault: {rule!r}") from None
    if fault.action not in ACTIONS or fault.when not in ("before", "after"):
        raise FaultError(f"not a fault: {rule!r}")
    return fault


def _check(name: str, value: Any) -> None:
    known = vars(Switches())
    if name not in known:
        raise FaultError(f"no switch is named {name}; there are {', '.join(known)}")
    if type(value) is not type(known[name]):
        raise FaultError(f"{name} is a {type(known[name]).__name__}")
    if name == "questions" and not set(value) <= set(BY_ID):
        raise FaultError(f"questions can be {', '.join(BY_ID)}")
