"""The drill itself: day by day of the market, wave by wave of runs, and harm done meanwhile."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial

from rich.console import Console

from scripts.drilling.control import Control
from scripts.drilling.count import Count, count
from scripts.drilling.harm import Harm, Today
from scripts.drilling.plan import Day, Plan, Wave
from scripts.drilling.setting import BEFORE_THE_FIRST, SYMBOLS, Setting
from scripts.drilling.told import told_by
from scripts.drilling.view import View
from scripts.parts.running import running
from scripts.parts.starting import StartList
from tasks.start_run import Wishes, begin_run, new_run
from worker.celery import app
from worker.clock import SystemClock, monotonic
from worker.errors import OpenbellError
from worker.journal.runs import RunRow
from worker.runtime import Services, reset_services, services

LOOK_SECONDS = 0.2
# The next wave begins when the runs of the last one are over; or, for some wait for minutes, after
# the first while few are under way, and after the second at the latest.
FEW, SOON_SECONDS, WAVE_SECONDS = 12, 10.0, 30.0
# What a lost worker's run takes to be taken up again, and then some.
DAY_SECONDS, MORNING_SECONDS, BEGIN_SECONDS = 240.0, 240.0, 60.0
STOP_SECONDS = 3.0
# An order that no read of the broker's lists has settled for so long waits for the session's end.
UNSETTLED = timedelta(seconds=20)


@dataclass(frozen=True)
class Result:
    """`fired`: the ids of the injections that happened."""

    count: Count
    fired: frozenset[str]
    runs: int
    seconds: float


class Drill:
    """`lock` is the home's. No wave begins after `ends_at`, a moment of the monotonic clock."""

    def __init__(self, setting: Setting, plan: Plan, lock: int, view: View, ends_at: float) -> None:
        self._setting, self._plan, self._lock, self._view = setting, plan, lock, view
        self._ends_at = ends_at
        self._harm = Harm(setting)
        self._run_ids: list[str] = []
        self._fired: frozenset[str] = frozenset()
        self._baseline: dict[str, Decimal] | None = None
        self._at = BEFORE_THE_FIRST

    def play(self) -> Result:
        """At the end of each day it is counted; the last count is of everything."""
        began, days = monotonic(), self._plan.days
        found = self._day(days[0], f"day 1 of {len(days)}")
        for number, day in enumerate(days[1:], 2):
            if monotonic() < self._ends_at:
                found = self._day(day, f"day {number} of {len(days)}")
        encore, left = self._plan.encore, len(self._plan.injections) - len(self._fired)
        if encore and left and monotonic() < self._ends_at:
            found = self._day(encore, f"a further day, for {left} injections that have not fired")
        if found.runs_not_ended or found.orders_not_ended:
            found = self._day(Day(waves=()), "the morning after")
        return Result(found, self._fired, len(self._run_ids), monotonic() - began)

    # A day of the market

    def _day(self, day: Day, name: str) -> Count:
        """What was left over from the day before is over at its session's end; then this day."""
        self._at = self._setting.day_after(self._at)
        chosen = self._setting.parts(self._at)
        first = self._baseline is None
        names = [part.name for part in chosen.parts]
        starting = StartList(self._view.console if first else Console(quiet=True), names)
        upgrade = self._services().journal.upgrade
        with running(chosen, self._lock, upgrade, starting, STOP_SECONDS) as started:
            assert chosen.sandbox is not None  # noqa: S101 - a drill always has one
            self._view.say(f"{name}: {self._at:%Y-%m-%d}")
            with closing(Control.of(chosen.sandbox)) as control:
                self._started = started
                self._today = Today(control, started.supervisor, self._services())
                try:
                    self._hours(day)
                    return self._count()
                finally:
                    self._harm.end_day()
                    self._view.still()

    def _services(self) -> Services:
        """This process's services, on the clock of the day."""
        reset_services()
        app.set_current()
        return services()

    def _hours(self, day: Day) -> None:
        if self._baseline is None:
            positions = self._today.control.book().positions
            self._baseline = {held.symbol: held.quantity for held in positions}
        self._harm.begin_day(self._today)
        self._wait(self._is_ready, MORNING_SECONDS)
        for wave in day.waves:
            if monotonic() < self._ends_at:
                self._wave(wave)
        self._wait(self._is_quiet, DAY_SECONDS)

    def _count(self) -> Count:
        control = self._today.control
        self._fired = frozenset(self._harm.fired())
        told = told_by(self._today.services, self._run_ids)
        return count(control.book(), control.requests(), told, self._baseline or {})

    # A wave of runs

    def _wave(self, wave: Wave) -> None:
        self._today.control.direct(wave.side, SYMBOLS)
        self._harm.arm(wave.injections)
        planned = ", ".join(each.kind for each in wave.injections) or "nothing"
        self._view.say(f"wave {wave.number}, {wave.side}: {planned}")
        run_ids: list[str] = []
        for place, strategy_id in enumerate(wave.strategies, 1):
            begin = partial(self._begin, strategy_id, f"key:drill-{wave.number}-{place}", run_ids)
            self._wait(begin, BEGIN_SECONDS)
        self._harm.schedule(wave.injections, tuple(run_ids))
        soon = monotonic() + SOON_SECONDS
        self._wait(lambda: self._may_go_on(run_ids, soon), WAVE_SECONDS)

    def _begin(self, strategy_id: int, slot: str, run_ids: list[str]) -> bool:
        """As the trigger does. Where it failed only the same slot may be tried again."""
        s = self._today.services
        try:
            run = new_run(s, s.strategies.by_id(strategy_id), slot, s.clock.market_now(), Wishes())
            row, _ = begin_run(s, run)
        except OpenbellError as error:
            self._view.say(f"a run is not started yet: {error.sentence}")
            return False
        run_ids.append(row.run_id)
        self._run_ids.append(row.run_id)
        return True

    # Watching

    def _wait(self, reached: Callable[[], bool], patience_seconds: float) -> None:
        end = monotonic() + patience_seconds
        while not reached() and monotonic() < end:
            for what in self._harm.act():
                self._view.say(what)
            for name in self._started.look():
                self._view.say(f"{name} ended and is started again")
            self._view.show(self._standing)
            SystemClock().sleep(LOOK_SECONDS)

    def _standing(self) -> str:
        s = self._today.services
        left, open_orders = s.runs.unfinished(), s.orders.open_orders()
        unknown = sum(order.state == "UNKNOWN" for order in open_orders)
        fired, planned = len(self._harm.fired()), len(self._plan.injections)
        return (
            f"{len(self._run_ids)} of {self._plan.runs} runs begun, {len(left)} under way; "
            f"{fired} of {planned} injections; {len(open_orders)} orders open, {unknown} unknown"
        )

    def _may_go_on(self, run_ids: list[str], soon: float) -> bool:
        moving = self._moving()
        over = not any(row.run_id in run_ids for row in moving)
        return over or (len(moving) <= FEW and monotonic() > soon)

    def _is_ready(self) -> bool:
        """The account is known, and nothing is left of the day before."""
        s = self._today.services
        return s.foreign.is_ready() and not s.runs.unfinished() and not s.orders.open_orders()

    def _is_quiet(self) -> bool:
        """Nothing moves today any more: what is left waits for the session's end."""
        return not self._moving() and not self._harm.busy

    def _moving(self) -> list[RunRow]:
        """Runs that are under way and do not wait for the session's end."""
        return [row for row in self._today.services.runs.unfinished() if not self._is_stuck(row)]

    def _is_stuck(self, row: RunRow) -> bool:
        s = self._today.services
        still_open = [order for order in s.orders.of_run(row.run_id) if not order.done]
        long_ago = s.clock.wall_now() - UNSETTLED
        return bool(still_open) and all(
            order.state == "UNKNOWN" and order.updated_at < long_ago for order in still_open
        )
