"""The runs side by side, step by step: a table that moves on a terminal, else a line a change."""

from collections.abc import Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scripts.demonstration.runs import Progress
from scripts.demonstration.story import Story
from scripts.show.moments import Moments
from scripts.show.steps import STEP_NAMES, StepStory, seconds_of
from scripts.show.words import NOTHING, STYLES, market_of, styled, took
from worker.runtime import Services

STEP, CELL = 20, 17  # four columns in 80


class RunsView:
    def __init__(self, console: Console, s: Services, story: Story) -> None:
        self._console, self._s, self._story = console, s, story
        self._moments = Moments(s, s.clock)
        self._progress: Sequence[Progress] = ()
        self._said: set[tuple[str, str, str]] = set()
        self._live = Live(self._picture(), console=console, refresh_per_second=8)

    def __enter__(self) -> "RunsView":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, progress: Sequence[Progress]) -> None:
        self._progress = progress
        if self._console.is_terminal:
            self._live.update(self._picture())
        else:
            self._say_changes()

    def _picture(self) -> Group:
        return Group(self._time(), self._table())

    def _time(self) -> Text:
        now = self._s.clock.market_now()
        text = Text.assemble("Market time ", (self._s.local(now), "bold"))
        left = (self._story.release - now).total_seconds()
        if self._story.kind == "session":
            text.append("  the exchange is open", "green")
        elif left > 0:
            text.append(f"  the exchange opens in {took(float(int(left)))}", "yellow")
        else:
            text.append("  the exchange is open", "green")
        return text

    def _table(self) -> Table:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        table.add_column("step", width=STEP, no_wrap=True)
        for one in self._progress:
            table.add_column(one.shown.label.replace(", ", ",\n"), width=CELL, no_wrap=True)
        for name in STEP_NAMES:
            table.add_row(name, *(self._cell(one, name) for one in self._progress))
        table.add_section()
        table.add_row("run", *(styled(one.standing) for one in self._progress), style="bold")
        return table

    def _cell(self, one: Progress, name: str) -> Text:
        step = one.step(name)
        if step is None:
            return Text(NOTHING, "dim")
        until = "" if step.wake_at is None else self._short(step.wake_at)
        return Text(self._words(step, until), STYLES.get(step.state, ""))

    def _short(self, wake_at: datetime) -> str:
        """A moment as a column has room for it; the zone stands above the table."""
        clock, zone = self._moments.clock, self._s.calendar.zone
        wakes, now = (
            moment.astimezone(zone) for moment in (market_of(clock, wake_at), clock.market_now())
        )
        return f"{wakes:%H:%M:%S}" if wakes.date() == now.date() else f"{wakes:%a %H:%M}"

    def _words(self, step: StepStory, until: str) -> str:
        if step.state == "waiting":
            return f"until {until}"
        if step.state in ("running", "done"):
            return f"{step.state} {took(seconds_of(self._moments, step))}"
        return step.state

    def _say_changes(self) -> None:
        now = self._s.local(self._s.clock.market_now()).split(" ", 1)[1]
        for one in self._progress:
            for step in one.steps:
                until = "" if step.wake_at is None else self._moments.near(step.wake_at)
                words = step.state if step.state == "running" else self._words(step, until)
                self._say(now, one.shown.label, step.step, words)
            if one.is_over:
                self._say(now, one.shown.label, "run", one.standing)

    def _say(self, now: str, label: str, step: str, words: str) -> None:
        if (label, step, words) not in self._said:
            self._said.add((label, step, words))
            line = f"{now}  {label:<20} {step:<21} {words}"
            self._console.print(line, markup=False, soft_wrap=True)
