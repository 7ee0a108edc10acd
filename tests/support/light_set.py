"""A running set of a few light parts: `python -m tests.support.light_set HOME [BROKEN]`.

It says `up` when all is ready and stays until a signal. With BROKEN one part ends at once.
"""

import os
import sys
from pathlib import Path

from scripts.command import run
from scripts.console import out
from scripts.parts.embedded import EmbeddedSet
from scripts.parts.part import Part
from scripts.parts.ports import Ports
from scripts.parts.program import program
from scripts.parts.running import running
from scripts.parts.running_set import home_lock
from scripts.parts.starting import StartList
from scripts.parts.valkey import Valkey
from scripts.up import until_stopped

BROKEN = ("sh", "-c", "echo this part is broken; exit 3")


def light_set(home: Path, broken: bool = False) -> None:
    with program(), home_lock(home) as lock, Ports() as ports:
        valkey = Valkey(home / "state" / "valkey", ports.take())
        parts = [
            Part(name="valkey", command=valkey.prepare(), ready=valkey.answers, foundation=True),
            Part(name="sleeper", command=("sleep", "1000"), ready=lambda: True, after=("valkey",)),
        ]
        if broken:
            parts.append(Part(name="broken", command=BROKEN, ready=lambda: False))
        told = {"OPENBELL_REDIS_URL": valkey.url}
        environment = {**os.environ, "OPENBELL_HOME": str(home)}
        chosen = EmbeddedSet(home, tuple(parts), told, environment, None)
        starting = StartList(out, [part.name for part in parts])
        with running(chosen, lock, lambda: None, starting) as started:
            out.print("up")
            until_stopped(started)


if __name__ == "__main__":
    run(light_set, [sys.argv[1], *(["--broken"] if "BROKEN" in sys.argv else [])])
