"""The runs side by side, step by step: a table that moves on a terminal, else a line a change."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scripts.demonstration.runs import Progress
from scripts.demonstration.story import Story
from scripts.show.steps import STEP_NAMES, seconds_of, time_of
from scripts.show.words import NOTHING, STYLES, styled, took
from worker.journal.steps import StepRow
from worker.runtime import Services

STEP, CELL = 20, 23


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
            text.append(f"  the exchange opens in {took(float(int(left)))}", "yellow")
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
            return Text(NOTHING, "dim")
        return Text(self._words(step), STYLES.get(step.state, ""))

    def _words(self, step: StepRow) -> str:
        if step.state == "waiting" and step.wake_at is not None:
            until = time_of(self._s, step.wake_at)
            return f"until {until.rpartition(' ')[0]}"  # without the zone, which stands above
        if step.state in ("running", "done"):
            return f"{step.state} {took(seconds_of(self._s, step))}"
        return step.state

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
    return styled(one.row.outcome or one.row.status)
