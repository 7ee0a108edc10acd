"""The runs of the demonstration, and how far each has come, as the journal says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scripts.show.steps import StepStory, standing, step_stories
from tasks.start_run import Wishes, begin_run, new_run
from worker.journal.runs import RunRow
from worker.models.run import Run
from worker.runtime import Services


@dataclass(frozen=True)
class Shown:
    """A run to show. `waits`: the guard is to hold it. `run_id` is None until there is a run."""

    label: str
    strategy_id: int
    waits: bool = False
    by_beat: bool = False
    run_id: str | None = None


@dataclass(frozen=True)
class Progress:
    """A run as it stands; `row` and `run` are None as long as there is none."""

    shown: Shown
    row: RunRow | None = None
    run: Run | None = None
    steps: tuple[StepStory, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.row is not None and self.row.status in ("closed", "missed")

    @property
    def is_held(self) -> bool:
        guard = self.step("check_market_open")
        return guard is not None and guard.state == "waiting"

    @property
    def standing(self) -> str:
        if self.row is None:
            return "not started"
        return standing(self.row.status, self.row.outcome, self.steps)

    def step(self, name: str) -> StepStory | None:
        return next((step for step in self.steps if step.step == name), None)


def trigger(s: Services, shown: Shown, *, dry_run: bool) -> Shown:
    """What `openbell trigger` does: commit the run and publish its chain, in this process."""
    strategy = s.strategies.by_id(shown.strategy_id)
    slot = f"manual:{'dry' if dry_run else 'paper'}"
    run = new_run(s, strategy, slot, s.clock.market_now(), Wishes(dry_run=dry_run))
    row, _ = begin_run(s, run)
    return replace(shown, run_id=row.run_id)


def progress_of(s: Services, shown: Shown) -> Progress:
    """How far the run has come; Beat's is looked for until it is there."""
    if shown.run_id is None:
        mine = (row for row in s.runs.recent() if row.strategy_id == shown.strategy_id)
        row = next((row for row in mine if row.slot.startswith("cron:")), None)
        if row is None:
            return Progress(shown)
        shown = replace(shown, run_id=row.run_id)
    run_id = shown.run_id or ""
    row, steps = s.runs.get(run_id), step_stories(s.steps.of(run_id))
    return Progress(shown, row, s.steps.last_run(run_id), steps)


def all_over(progress: Sequence[Progress]) -> bool:
    return all(one.is_over for one in progress)
