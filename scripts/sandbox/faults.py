"""Faults on order: delays, cut connections and other answers, before or after the work is done.

They are tried in their order, and every one that fits acts.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from scripts.sandbox.wishes import Fault, Switches, WishError, read

When = Literal["before", "after"]


@dataclass
class Rule:
    fault: Fault
    skip: int  # how many more fitting requests pass
    times: int  # how many more it acts on

    def fits(self, when: When, method: str, path: str) -> bool:
        fault = self.fault
        return (
            fault.when == when
            and fnmatchcase(method, fault.method)
            and fnmatchcase(path, fault.path)
        )

    def due(self) -> bool:
        """Whether it acts on this request, which it has been found to fit."""
        if self.skip:
            self.skip -= 1
            return False
        if self.times:
            self.times -= 1
            return True
        return False


@dataclass
class Faults:
    switches: Switches = field(default_factory=Switches)
    rules: list[Rule] = field(default_factory=list)

    def due(self, when: When, method: str, path: str) -> list[Fault]:
        return [r.fault for r in self.rules if r.fits(when, method, path) and r.due()]

    def change(self, values: Any) -> None:
        """Set switches by name, and the list of `faults` as a whole. Raises WishError."""
        if not isinstance(values, dict):
            raise WishError('write an object, such as {"faults": []}')
        given = values.get("faults", [])
        if not isinstance(given, list):
            raise WishError("faults: write a list")
        faults = [read(Fault, fault) for fault in given]
        named = {name: value for name, value in values.items() if name != "faults"}
        self.switches = read(Switches, self.switches.model_dump() | named)
        if "faults" in values:
            self.rules = [Rule(fault, fault.skip, fault.times) for fault in faults]

    def as_json(self) -> dict[str, Any]:
        """Every switch, and each fault with what is left of it."""
        left = [r.fault.model_dump() | {"skip": r.skip, "times": r.times} for r in self.rules]
        return self.switches.model_dump() | {"faults": left}
