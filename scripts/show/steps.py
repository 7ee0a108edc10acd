"""A run's nine steps: how far each has come, and what it waits for."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from scripts.show.words import NOTHING, STYLES, between, flat, market_of, took

if TYPE_CHECKING:
    from worker.runtime import Services

# As tasks.chain has them; a test holds the two together. Importing it would cost half a second.
STEP_NAMES = (
    "start_tracking", "validate_environment", "check_market_open", "check_ibkr_auth",
    "fetch_market_data", "generate_signal", "place_orders", "end_tracking", "cleanup",
)  # fmt: skip


class Step(Protocol):
    """A step's row in the journal, or its story."""

    @property
    def number(self) -> int: ...
    @property
    def step(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def wake_at(self) -> datetime | None: ...
    @property
    def waits_for(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def attempts(self) -> int: ...
    @property
    def hops(self) -> int: ...
    @property
    def takeovers(self) -> int: ...


def steps_table(s: "Services", steps: Sequence[Step], *, began: bool = False) -> Table:
    """Every step, begun or not; what one waits for, or failed by, in words."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("step", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=8)
    if began:
        table.add_column("began (UTC)", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True, min_width=8)
    table.add_column("")
    begun = {step.number: step for step in steps}
    for number, name in enumerate(STEP_NAMES, 1):
        step = begun.get(number)
        label = Text.assemble((f"{number} ", "dim"), name)
        if step is None:
            table.add_row(label, Text(NOTHING, "dim"))
            continue
        cells = [label, Text(step.state, STYLES.get(step.state, ""))]
        if began:
            cells.append(Text(f"{step.started_at:%H:%M:%S}"))
        table.add_row(*cells, took(seconds_of(s, step)), Text(remark(s, step), "dim"))
    return table


def seconds_of(s: "Services", step: Step) -> float | None:
    """From its first beginning to its end, waiting included; until now while it goes on."""
    return between(step.started_at, step.finished_at or s.clock.wall_now())


def remark(s: "Services", step: Step) -> str:
    """Why it waits and until when, why it failed, and what was unusual on its way."""
    parts = []
    if step.state in ("waiting", "released") and step.wake_at is not None:
        verb = "until" if step.state == "waiting" else "again at"
        parts.append(f"{verb} {time_of(s, step.wake_at)}:")
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


def time_of(s: "Services", moment: datetime) -> str:
    """The exchange's time of day at a moment of the wall; with the date when it is another day."""
    market = s.local(market_of(s.clock, moment))
    today = s.local(s.clock.market_now())
    day, time = market.split(" ", 1)
    return time if today.startswith(day) else market
