"""The entry from Beat and trigger: one run for each strategy and slot."""

import secrets
from datetime import UTC, datetime
from typing import Any

import structlog
from celery import shared_task

from tasks.chain import publish, task_ids
from tasks.end_run import end_run
from worker.alerts import Severity
from worker.errors import ConfigurationError
from worker.journal.runs import RunRow
from worker.models.base import Value
from worker.models.run import MAX_START_BYTES, Run
from worker.models.strategy import Mode, Strategy
from worker.runtime import Services, services

log = structlog.get_logger(__name__)


class Wishes(Value):
    """What a person asked for beside the strategy; None leaves the strategy's own word."""

    symbols: tuple[str, ...] | None = None
    dry_run: bool | None = None
    parameters: dict[str, Any] = {}


@shared_task(name="tasks.start_run")  # type: ignore[untyped-decorator]
def start_run(strategy_id: int, slot: str, due: str) -> str:
    """Start the strategy's run for a slot that Beat found due (ISO 8601, UTC).

    A slot older than the grace is recorded as missed, unless the strategy says `catch_up: once`.
    """
    s, due_at = services(), datetime.fromisoformat(due)
    try:
        strategy = s.strategies.by_id(strategy_id)
    except ConfigurationError as error:
        if (known := s.strategies.last_good(strategy_id)) is not None:
            return _not_started(s, known, slot, due_at, error.sentence, "critical")
        title = f"Strategy {strategy_id} was not started"
        s.alerts.send("critical", title, f"Its start of {s.local(due_at)}: {error.sentence}.")
        raise
    try:
        run = new_run(s, strategy, slot, due_at, Wishes())
    except ConfigurationError as error:
        return _not_started(s, strategy, slot, due_at, error.sentence)
    late = s.clock.market_now() - due_at
    if late > s.settings.schedule.grace and strategy.catch_up == "skip":
        why = f"it came {int(late.total_seconds())} s late"
        return _not_started(s, strategy, slot, due_at, why)
    row, _ = begin_run(s, run)
    return row.run_id


def _not_started(
    s: Services,
    strategy: Strategy,
    slot: str,
    due_at: datetime,
    why: str,
    severity: Severity = "warning",
) -> str:
    """A start that did not happen is on record as missed, and a person is told once."""
    known = s.runs.by_slot(strategy.id, slot)
    if known is None or known.status == "missed":
        # Before it is on record: whoever dies in between has a person told all the same.
        s.tell_once(
            severity,
            f"missed:{strategy.id}:{slot}",
            f"Strategy {strategy.name} was not started",
            f"Its start of {s.local(due_at)} was missed: {why}.",
        )
    missed = _run(strategy, slot, due_at, "dry", strategy.symbols, strategy.parameters)
    s.runs.record_missed(missed, why)
    return f"missed {slot}: {why}"


def begin_run(s: Services, run: Run) -> tuple[RunRow, bool]:
    """Commit the run, publish its chain, mark it queued. False: the slot had a run already.

    Raises TemporaryError where publishing fails; the run then stays `created`, and only the
    same slot starts it.
    """
    row, is_new = s.runs.create(run)
    if row.status == "created":
        publish(row.run, on_error=end_run.si(row.run_id))
        s.runs.mark_published(row.run_id, task_ids(row.run_id))
        log.info("run_queued", run_id=row.run_id, strategy=row.strategy_name, slot=row.slot)
    return s.runs.get(row.run_id), is_new


def new_run(s: Services, strategy: Strategy, slot: str, due_at: datetime, wishes: Wishes) -> Run:
    """The run as it will travel; refuses what a person may not ask for, in a sentence."""
    if not strategy.enabled:
        raise ConfigurationError(f"strategy {strategy.name} is not enabled; set `enabled: true`")
    symbols = wishes.symbols or strategy.symbols
    unknown = set(symbols) - set(strategy.symbols)
    if unknown:
        raise ConfigurationError(
            f"strategy {strategy.name} does not trade {', '.join(sorted(unknown))}; "
            f"it trades {', '.join(strategy.symbols)}"
        )
    mode = s.mode_of(strategy, wishes.dry_run)
    parameters = {**strategy.parameters, **wishes.parameters}
    run = _run(strategy, slot, due_at, mode, symbols, parameters)
    if run.size_bytes() > MAX_START_BYTES:
        raise ConfigurationError(
            f"strategy {strategy.name} and its parameters are {run.size_bytes()} bytes as JSON, at "
            f"most {MAX_START_BYTES} may travel; shorten its description or its parameters"
        )
    return run


def _run(
    strategy: Strategy,
    slot: str,
    due_at: datetime,
    mode: Mode,
    symbols: tuple[str, ...],
    parameters: dict[str, Any],
) -> Run:
    return Run(
        run_id=f"{due_at.astimezone(UTC):%Y%m%d-%H%M%S}-{strategy.id}-{secrets.token_hex(4)}",
        slot=slot,
        strategy=strategy,
        mode=mode,
        symbols=symbols,
        parameters=parameters,
        due_at=due_at,
    )
