"""One run's whole story, gathered from the journal and the store."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from scripts.access import impatient_redis, short_account
from scripts.show.steps import StepStory, step_stories
from scripts.show.words import between
from worker.errors import OpenbellError
from worker.models.base import Utc, Value
from worker.models.decision import Check, OrderLine
from worker.models.market import AccountFigures
from worker.models.order import Fill, OrderRecord
from worker.models.run import Session, Tracking
from worker.models.signal import Signal

if TYPE_CHECKING:
    from worker.journal.runs import RunRow
    from worker.models.run import Run
    from worker.runtime import Services

RESULT_KEY = "celery-task-meta-"


class OrderStory(Value):
    coid: str
    broker_order_id: str | None
    side: str
    quantity: int
    limit_price: Decimal
    state: str
    filled_quantity: Decimal
    average_price: Decimal | None
    reasons: tuple[str, ...]
    created_at: Utc
    updated_at: Utc
    events: tuple[dict[str, Any], ...]
    fills: tuple[Fill, ...]


class SymbolStory(Value):
    """What one symbol got of the run. `owned_now` is what the strategy owns of it today."""

    symbol: str
    signal: Signal | None = None
    decision: OrderLine | None = None
    checks: tuple[Check, ...] = ()
    order: OrderStory | None = None
    owned_now: Decimal | None = None


class TaskStory(Value):
    """Where Celery keeps a step: `celery -A worker result ID`, or the key in Redis."""

    step: str
    task_id: str
    result_key: str


class Story(Value):
    """`seconds` on the wall; `missing` says what could not be read again."""

    run_id: str
    strategy_id: int
    strategy_name: str
    strategy_digest: str
    mode: str
    slot: str
    status: str
    cancelled: bool
    outcome: str | None
    reason: str | None
    failed_step: str | None
    symbols: tuple[str, ...]
    parameters: dict[str, Any]
    due_at: Utc
    not_after: Utc | None
    session: Session | None
    created_at: Utc
    queued_at: Utc | None
    closed_at: Utc | None
    seconds: float | None
    published: int
    version: str
    account: str | None
    account_kind: str | None
    sandbox: bool | None
    figures: AccountFigures | None
    steps: tuple[StepStory, ...]
    by_symbol: tuple[SymbolStory, ...]
    tracking: Tracking | None
    tracking_url: str | None
    tasks: tuple[TaskStory, ...]
    store: str
    refs: dict[str, str]
    notes: tuple[str, ...]
    missing: tuple[str, ...]


def story_of(s: "Services", row: "RunRow") -> Story:
    """Everything that is known of the run, however far it came."""
    run, missing = s.steps.last_run(row.run_id), list[str]()
    steps = step_stories(s.steps.of(row.run_id))
    return Story(
        run_id=row.run_id,
        strategy_id=row.strategy_id,
        strategy_name=row.strategy_name,
        strategy_digest=run.strategy.digest,
        mode=row.mode,
        slot=row.slot,
        status=row.status,
        cancelled=row.cancelled,
        outcome=row.outcome,
        reason=row.reason,
        failed_step=row.failed_step,
        symbols=run.symbols,
        parameters=run.parameters,
        due_at=row.due_at,
        not_after=run.not_after or row.not_after,
        session=run.session,
        created_at=row.created_at,
        queued_at=row.queued_at,
        closed_at=row.closed_at,
        seconds=between(row.created_at, row.closed_at),
        published=row.published,
        version=row.version,
        account=short_account(s.account_id) if run.account else None,
        account_kind=run.account.kind if run.account else None,
        sandbox=run.account.sandbox if run.account else None,
        figures=run.figures,
        steps=steps,
        by_symbol=_symbols(s, row, run, missing),
        tracking=run.tracking,
        tracking_url=_tracking_url(s, run),
        tasks=_tasks(s, row, steps),
        store=s.settings.store_address,
        refs=run.refs,
        notes=run.notes,
        missing=tuple(missing),
    )


def _tasks(s: "Services", row: "RunRow", steps: Sequence[StepStory]) -> tuple[TaskStory, ...]:
    """Of the steps that are over, whose results are kept: for any other `celery result` waits
    without end."""
    over = {step.step for step in steps if step.state in ("done", "skipped", "failed")}
    names = {name.removeprefix("tasks."): task_id for name, task_id in (row.task_ids or {}).items()}
    tasks = [
        TaskStory(step=name, task_id=task_id, result_key=RESULT_KEY + task_id)
        for name, task_id in names.items()
        if name in over
    ]
    kept = _kept_keys(s, [task.result_key for task in tasks])
    return tuple(task for task in tasks if task.result_key in kept)


def _kept_keys(s: "Services", keys: Sequence[str]) -> set[str]:
    """Those of `keys` that are in Redis; none where it does not answer."""
    import redis

    try:
        with impatient_redis(s, 1.0) as client:
            return {key for key in keys if client.exists(key)}
    except (redis.RedisError, OSError):
        return set()


def _symbols(
    s: "Services", row: "RunRow", run: "Run", missing: list[str]
) -> tuple[SymbolStory, ...]:
    signals = {signal.symbol: signal for signal in run.signals}
    # What step 7 reported at its end says more than what it decided at its beginning.
    lines = s.orders.lines(row.run_id) | {line.symbol: line for line in run.orders}
    orders = {order.intent.symbol: order for order in s.orders.of_run(row.run_id)}
    fills = s.orders.fills_of_run(row.run_id)
    return tuple(
        SymbolStory(
            symbol=symbol,
            signal=signals.get(symbol),
            decision=lines.get(symbol),
            checks=_checks(s, lines.get(symbol), missing),
            order=_order(s, orders[symbol], fills) if symbol in orders else None,
            owned_now=s.orders.owned(row.strategy_id, symbol),
        )
        for symbol in run.symbols
    )


def _checks(s: "Services", line: OrderLine | None, missing: list[str]) -> tuple[Check, ...]:
    if line is None or line.checks_ref is None:
        return ()
    try:
        stored = s.store.get_json(line.checks_ref)
        rows = stored["checks"] if isinstance(stored, dict) else stored
        return tuple(Check.from_json(each) for each in rows)
    except OpenbellError as error:
        missing.append(f"{line.symbol}: its checks cannot be read: {error.sentence}")
    except (ValueError, KeyError, TypeError):
        missing.append(f"{line.symbol}: its checks cannot be understood")
    return ()


def _order(s: "Services", order: OrderRecord, fills: Sequence[Fill]) -> OrderStory:
    intent = order.intent
    return OrderStory(
        coid=intent.coid,
        broker_order_id=order.broker_order_id,
        side=intent.side,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        state=order.state,
        filled_quantity=order.filled_quantity,
        average_price=order.average_price,
        reasons=order.reasons,
        created_at=order.created_at,
        updated_at=order.updated_at,
        events=tuple(_event(event) for event in s.orders.events(intent.coid)),
        fills=tuple(fill for fill in fills if fill.coid == intent.coid),
    )


def _event(event: dict[str, Any]) -> dict[str, Any]:
    at: datetime = event["at"]
    return {"at": at.isoformat(), "state": event["state"], "cause": event["cause"]}


def _tracking_url(s: "Services", run: "Run") -> str | None:
    """MLflow's page of the run; its server finds the experiment by itself."""
    uri = s.settings.mlflow.tracking_uri
    if run.tracking is None or run.tracking.run_id is None or not (uri or "").startswith("http"):
        return None
    return f"{str(uri).rstrip('/')}/#/runs/{run.tracking.run_id}"
