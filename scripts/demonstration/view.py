"""The runs side by side, step by step: a table that moves on a terminal, else a line a change."""

from collections.abc import Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scripts.demonstration.runs import STEP_NAMES, Progress, market_moment
from scripts.demonstration.story import Story
from worker.journal.steps import StepRow
from worker.runtime import Services

STEP, CELL = 20, 23
STYLES = {"done": "green", "running": "bold cyan", "waiting": "yellow", "failed": "bold red"}


class RunsView:
    def __init__(self, console: Console, s: Services, story: Story) -> None:
        self._console, self._s, self._story = console, s, story
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
            text.append(f"  the exchange opens in {_duration(left)}", "yellow")
        else:
            text.append("  the exchange is open", "green")
        return text

    def _table(self) -> Table:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("step", width=STEP, no_wrap=True)
        for one in self._progress:
            table.add_column(one.shown.label, width=CELL, no_wrap=True)
        for name in STEP_NAMES:
            table.add_row(name, *(self._cell(one, name) for one in self._progress))
        table.add_section()
        table.add_row("run", *(_outcome(one) for one in self._progress), style="bold")
        return table

    def _cell(self, one: Progress, name: str) -> Text:
        step = one.step(name)
        if step is None:
            return Text("·", "dim")
        return Text(self._words(step), STYLES.get(step.state, ""))

    def _words(self, step: StepRow) -> str:
        if step.state == "running":
            took = self._s.clock.wall_now() - step.started_at
            return f"running {took.total_seconds():.1f} s"
        if step.state == "waiting" and step.wake_at is not None:
            return f"waits until {self._short(market_moment(self._s, step.wake_at))}"
        if step.state == "done" and step.finished_at is not None:
            return f"done {(step.finished_at - step.started_at).total_seconds():.2f} s"
        return step.state

    def _short(self, moment: datetime) -> str:
        """The time, with its day where that is not today."""
        there = self._s.calendar.zone
        local, today = moment.astimezone(there), self._s.clock.market_now().astimezone(there)
        return f"{local:%H:%M:%S}" if local.date() == today.date() else f"{local:%a %H:%M:%S}"

    def _say_changes(self) -> None:
        now = self._s.local(self._s.clock.market_now()).split(" ")[1]
        for one in self._progress:
            for step in one.steps:
                words = step.state if step.state == "running" else self._words(step)
                self._say(now, one.shown.label, step.step, words)
            if one.is_over:
                self._say(now, one.shown.label, "run", _outcome(one).plain)

    def _say(self, now: str, label: str, step: str, words: str) -> None:
        if (label, step, words) not in self._said:
            self._said.add((label, step, words))
            self._console.print(f"{now}  {label:<14} {step:<21} {words}", markup=False)


def _outcome(one: Progress) -> Text:
    if one.row is None:
        return Text("not started yet", "dim")
    if not one.is_over:
        return Text(one.row.status)
    word = one.row.outcome or one.row.status
    return Text(word, "red" if word == "failed" else "green")


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
