"""A run's nine steps: how far each has come, and what it waits for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from scripts.show.words import NOTHING, STYLES, between, flat, took
from worker.models.base import Utc, Value

if TYPE_CHECKING:
    from scripts.show.moments import Moments
    from worker.journal.steps import StepRow

# As tasks.chain has them; a test holds the two together. Importing it would cost half a second.
STEP_NAMES = (
    "start_tracking", "validate_environment", "check_market_open", "check_ibkr_auth",
    "fetch_market_data", "generate_signal", "place_orders", "end_tracking", "cleanup",
)  # fmt: skip


class StepStory(Value):
    """A step as it is shown.

    `seconds` is from its first beginning to its end, waiting included.
    """

    number: int
    step: str
    state: str
    started_at: Utc
    finished_at: Utc | None
    seconds: float | None
    attempts: int
    hops: int
    takeovers: int
    waits_for: str | None
    wake_at: Utc | None
    error: str | None


def step_stories(rows: Sequence["StepRow"]) -> tuple[StepStory, ...]:
    """The begun steps of a run, in order."""
    from worker.journal.steps import shown_states

    return tuple(_story(row, state) for row, state in zip(rows, shown_states(rows), strict=True))


def _story(row: "StepRow", state: str) -> StepStory:
    names = ("number", "step", "started_at", "finished_at", "attempts", "hops", "takeovers",
             "waits_for", "wake_at", "error")  # fmt: skip
    return StepStory(
        **{name: getattr(row, name) for name in names},
        state=state,
        seconds=between(row.started_at, row.finished_at),
    )


def standing(status: str, outcome: str | None, steps: Sequence[StepStory]) -> str:
    """How a run ended or how far it is, in the same word everywhere."""
    if outcome is not None:
        return outcome
    if status == "created":
        return "not started"
    if not steps:
        return "queued"
    return "waiting" if steps[-1].state in ("waiting", "released") else "under way"


def steps_table(moments: "Moments", steps: Sequence[StepStory], *, began: bool = False) -> Table:
    """Every step, begun or not; what one waits for, or failed by, in words."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("step", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=8)
    if began:
        table.add_column("began", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True, min_width=8)
    table.add_column("", overflow="fold")
    begun = {step.number: step for step in steps}
    for number, name in enumerate(STEP_NAMES, 1):
        step = begun.get(number)
        label = Text.assemble((f"{number} ", "dim"), name)
        if step is None:
            table.add_row(label, Text(NOTHING, "dim"))
            continue
        cells = [label, Text(step.state, STYLES.get(step.state, ""))]
        if began:
            cells.append(Text(moments.time(step.started_at)))
        length = NOTHING if step.state == "skipped" else took(seconds_of(moments, step))
        table.add_row(*cells, length, Text(remark(moments, step), "dim"))
    return table


def seconds_of(moments: "Moments", step: StepStory) -> float | None:
    """Until now while it goes on."""
    if step.finished_at is not None:
        return step.seconds
    return between(step.started_at, moments.clock.wall_now())


def remark(moments: "Moments", step: StepStory) -> str:
    """Why it waits and until when, why it failed, and what was unusual on its way."""
    parts = []
    if step.state in ("waiting", "released") and step.wake_at is not None:
        verb = "until" if step.state == "waiting" else "again at"
        parts.append(f"{verb} {moments.near(step.wake_at)}:")
    if step.state in ("waiting", "released") and step.waits_for:
        parts.append(flat(step.waits_for))
    if step.state == "failed" and step.error:
        parts.append(flat(step.error.removeprefix(f"{step.step}: ")))
    unusual = [
        f"{count} {one if count == 1 else many}"
        for count, one, many in (
            (step.attempts, "failed attempt", "failed attempts"),
            (step.hops, "wake", "wakes"),
            (step.takeovers, "take-over", "take-overs"),
        )
        if count
    ]
    if unusual:
        parts.append(f"({', '.join(unusual)})")
    return " ".join(parts)
