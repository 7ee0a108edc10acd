"""Follow one run until it is over: a table that moves on a terminal, else a line a change."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from scripts.show.moments import Moments, moments_of
from scripts.show.steps import (
    StepStory,
    remark,
    seconds_of,
    standing,
    step_stories,
    steps_table,
)  # fmt: skip
from scripts.show.words import took
from worker.clock import SystemClock, monotonic
from worker.errors import JournalUnavailable, OpenbellError

if TYPE_CHECKING:
    from worker.journal.runs import RunRow
    from worker.journal.steps import StepRow
    from worker.runtime import Services

LOOK_SECONDS = 0.2
ASK_AGAIN_SECONDS = 15.0
LAST_STEP_SECONDS = 3.0
JOURNAL_PATIENCE_SECONDS = 60.0
OVER = ("closed", "missed")


class GivenUp(OpenbellError):
    """Nobody works on the run, and its time is over."""


class FollowView:
    """Shows a run as it goes. Nothing on stdout where `quiet`."""

    def __init__(self, s: "Services", console: Console, *, quiet: bool = False) -> None:
        self._s, self._console, self._quiet = s, console, quiet
        self._said: set[tuple[str, str, str]] = set()
        self._live = Live(console=console, refresh_per_second=8, auto_refresh=False)

    def __enter__(self) -> "FollowView":
        if self._console.is_terminal and not self._quiet:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, row: "RunRow", rows: Sequence["StepRow"]) -> None:
        if self._quiet:
            return
        moments, steps = moments_of(self._s, row), step_stories(rows)
        if self._console.is_terminal:
            head = self._head(moments, row, steps)
            self._live.update(Group(head, steps_table(moments, steps)), refresh=True)
        else:
            self._say_changes(moments, steps)

    def _head(self, moments: Moments, row: "RunRow", steps: Sequence[StepStory]) -> Text:
        word = standing(row.status, row.outcome, steps)
        replayed = " (the sandbox's)" if moments.replayed else ""
        if row.closed_at is not None:
            ended = moments.at(row.closed_at)
            return Text.assemble("\nEnded ", (ended, "bold"), (f"{replayed}  {word}", "dim"))
        now = self._s.local(moments.clock.market_now())
        return Text.assemble("\nMarket time ", (now, "bold"), (f"{replayed}  {word}", "dim"))

    def _say_changes(self, moments: Moments, steps: Sequence[StepStory]) -> None:
        for step in steps:
            why = remark(moments, step)
            if (change := (step.step, step.state, why)) in self._said:
                continue
            self._said.add(change)
            ended = step.state in ("done", "failed")
            state = f"{step.state} {took(seconds_of(moments, step))}" if ended else step.state
            line = f"{_changed_at(moments, step)}  {step.step:<21} {state}  {why}".rstrip()
            self._console.print(line, markup=False, soft_wrap=True)


def _changed_at(moments: Moments, step: StepStory) -> str:
    """When it came to its state; of a step that waits again and again only that it does is known,
    so that is told as of now."""
    if step.state == "running" and not step.hops:
        return moments.near(step.started_at)
    return moments.near(step.finished_at or moments.clock.wall_now())


def follow(
    s: "Services", run_id: str, view: FollowView, without_worker: Callable[[], set[str] | None]
) -> "RunRow":
    """The run's row once it is over. Raises GivenUp past its time where nothing consumes; while
    workers are there it is theirs to end it."""
    clock, asked, over_since = SystemClock(), -ASK_AGAIN_SECONDS, 0.0
    while True:
        row, steps = _look(s, run_id)
        view.show(row, steps)
        if row.status in OVER:
            over_since = over_since or monotonic()
            # The step that closes a run is done a moment after it.
            running = any(step.state == "running" for step in steps)
            if not running or monotonic() - over_since > LAST_STEP_SECONDS:
                return row
        over_at = latest_end(row)
        late = s.clock.market_now() > over_at and row.status not in OVER
        if late and monotonic() - asked > ASK_AGAIN_SECONDS:
            asked = monotonic()
            _require_workers(s, row, steps, over_at, without_worker())
        clock.sleep(LOOK_SECONDS)


def latest_end(row: "RunRow") -> datetime:
    """When the run must be over by (market time): the end of its window, or, while it has none
    yet, the longest wait and then the window."""
    window = row.run.strategy.market
    longest: timedelta = window.max_wait + window.lasts
    return row.not_after or row.due_at + longest


def _require_workers(
    s: "Services",
    row: "RunRow",
    steps: Sequence["StepRow"],
    over_at: datetime,
    missing: set[str] | None,
) -> None:
    if missing is not None and not missing:
        return
    nobody = (
        "Redis does not answer"
        if missing is None
        else f"no worker consumes {', '.join(sorted(missing))}"
    )
    raise GivenUp(
        f"given up: {nobody}, and the time of run {row.run_id} was over at {s.local(over_at)}; "
        f"it was left as it is ({standing(row.status, row.outcome, step_stories(steps))})"
    )


def _look(s: "Services", run_id: str) -> tuple["RunRow", Sequence["StepRow"]]:
    """A journal that is away for a moment ends nothing."""
    end = monotonic() + JOURNAL_PATIENCE_SECONDS
    while True:
        try:
            return s.runs.get(run_id), s.steps.of(run_id)
        except JournalUnavailable:
            if monotonic() > end:
                raise
            SystemClock().sleep(1.0)
