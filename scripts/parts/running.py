"""Starts a set in order, sees that each part works, watches it, and ends it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from scripts.console import out
from scripts.parts.embedded import EmbeddedSet
from scripts.parts.part import Part, PartFailed
from scripts.parts.running_set import tell, tell_no_more
from scripts.parts.starting import StartList
from scripts.parts.stopping import Stopped
from scripts.parts.supervisor import State, Supervisor
from worker.clock import SystemClock, monotonic

READY_SECONDS, STOP_SECONDS = 120.0, 45.0
LOOK_SECONDS = 0.2
STOPPING = "stopping; Ctrl-C again ends everything at once"
DEATHS_AT_START = 3


@dataclass
class Deaths:
    """How often each part has ended, by comparing what supervisord says from look to look."""

    pids: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def look(self, states: dict[str, State]) -> list[str]:
        """The parts that have ended since the last look."""
        ended = []
        for name, state in states.items():
            before = self.pids.get(name, 0)
            if before and state.pid != before:
                self.counts[name] = self.counts.get(name, 0) + 1
                ended.append(name)
            self.pids[name] = state.pid
        return ended


class Running:
    """A started set. `look` says which parts ended since the last look; they are restarted."""

    def __init__(self, supervisor: Supervisor, deaths: Deaths) -> None:
        self.supervisor = supervisor
        self.deaths = deaths

    def look(self) -> list[str]:
        return self.deaths.look(self.supervisor.states())

    def require_life(self, most: int) -> list[str]:
        """As `look`; raises PartFailed where a part has ended more than `most` times."""
        ended = self.look()
        for name in ended:
            if self.deaths.counts[name] > most:
                times = self.deaths.counts[name]
                raise PartFailed(name, f"{name} ended {times} times", self.supervisor.tail(name))
        return ended


@contextmanager
def running(
    chosen: EmbeddedSet,
    lock: int,
    prepare: Callable[[], None],
    starting: StartList,
    stop_seconds: float = STOP_SECONDS,
) -> Iterator[Running]:
    """Everything of `chosen`, ready; ended when the block ends, however it ends: by request, and
    by force after `stop_seconds`. `lock` is the home's, held by the caller.

    `prepare` is called once, while the first parts start. Raises PartFailed where a part does not
    become ready.
    """
    supervisor = Supervisor(chosen.home, chosen.parts, chosen.environment)
    try:
        tell_no_more(chosen.home)  # what a killed set may have left
        with starting:
            supervisor.start(lock)
            deaths = _start(chosen, supervisor, prepare, starting)
        tell(chosen.home, chosen.told)
        yield Running(supervisor, deaths)
    except Stopped:
        out.print(STOPPING)
        raise
    finally:
        tell_no_more(chosen.home)
        _stop(supervisor, stop_seconds)


def _start(
    chosen: EmbeddedSet, supervisor: Supervisor, prepare: Callable[[], None], starting: StartList
) -> Deaths:
    waiting, begun, ready = list(chosen.parts), dict[str, tuple[Part, float]](), set[str]()
    deaths, prepared = Deaths(), False
    while waiting or begun:
        for part in [part for part in waiting if ready.issuperset(part.after)]:
            if part.before:
                part.before()
            supervisor.start_part(part.name)
            begun[part.name] = (part, monotonic())
            waiting.remove(part)
        if not prepared:
            prepare()
            prepared = True
        states = supervisor.states()
        deaths.look(states)
        for name, (part, since) in list(begun.items()):
            if part.ready() if part.ready else states[name].word == "RUNNING":
                ready.add(name)
                del begun[name]
                starting.ready(name, monotonic() - since)
            else:
                _require_hope(name, since, deaths, supervisor)
        SystemClock().sleep(LOOK_SECONDS)
    return deaths


def _require_hope(name: str, since: float, deaths: Deaths, supervisor: Supervisor) -> None:
    if deaths.counts.get(name, 0) >= DEATHS_AT_START:
        raise PartFailed(
            name, f"{name} ended {DEATHS_AT_START} times while it started", supervisor.tail(name)
        )
    if monotonic() - since > READY_SECONDS:
        raise PartFailed(
            name, f"{name} was not ready after {READY_SECONDS:.0f} s", supervisor.tail(name)
        )


def _stop(supervisor: Supervisor, seconds: float) -> None:
    try:
        supervisor.stop(seconds)
    except BaseException:
        supervisor.kill()
        raise
