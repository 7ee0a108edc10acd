"""The book of runs: made once for each strategy and slot, closed once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from worker.clock import Clock
from worker.errors import StepError
from worker.journal.engine import Journal
from worker.journal.tables import runs, steps
from worker.models.base import Utc, Value
from worker.models.run import Run
from worker.version import code_version

RunStatus = Literal["created", "queued", "ending", "closed", "missed"]
TRADING_STEPS = 7
OVER: tuple[RunStatus, ...] = ("closed", "missed")
CANCELLED = "a person cancelled the run"


class RunRow(Value):
    """A run as the journal knows it. `outcome` is `done`, an ending's code or `failed`."""

    run_id: str
    strategy_id: int
    strategy_name: str
    slot: str
    mode: str
    status: RunStatus
    cancelled: bool
    outcome: str | None
    reason: str | None
    failed_step: str | None
    initial: dict[str, Any]
    task_ids: dict[str, str] | None
    due_at: Utc
    not_after: Utc | None
    created_at: Utc
    queued_at: Utc | None
    closed_at: Utc | None
    published: int
    published_at: Utc | None
    version: str

    @property
    def is_over(self) -> bool:
        return self.status in OVER

    @property
    def run(self) -> Run:
        """The run as it was at its start."""
        return Run.from_json(self.initial)


class RunBook:
    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock

    def create(self, run: Run) -> tuple[RunRow, bool]:
        """Commit the run as `created`. False: the slot has a run already, and that one is given."""
        values = self._values(run, "created")
        try:
            with self._journal.write() as connection:
                connection.execute(insert(runs).values(**values))
        except IntegrityError:
            row = self.by_slot(run.strategy.id, run.slot)
            if row is None:
                raise
            return row, False
        return self.get(run.run_id), True

    def record_missed(self, run: Run, reason: str) -> bool:
        """Write down a slot that was not started; False where the slot has a run."""
        now = self._clock.wall_now()
        ended = {"outcome": "missed", "reason": reason, "closed_at": now}
        try:
            with self._journal.write() as connection:
                connection.execute(insert(runs).values(**self._values(run, "missed"), **ended))
        except IntegrityError:
            return False
        return True

    def _values(self, run: Run, status: RunStatus) -> dict[str, Any]:
        return {
            "run_id": run.run_id,
            "strategy_id": run.strategy.id,
            "strategy_name": run.strategy.name,
            "slot": run.slot,
            "mode": run.mode,
            "status": status,
            "cancelled": False,
            "initial": run.to_json(),
            "due_at": run.due_at,
            "not_after": run.not_after,
            "created_at": self._clock.wall_now(),
            "published": 0,
            "version": code_version(),
        }

    def mark_published(self, run_id: str, task_ids: dict[str, str]) -> None:
        """The chain, or the rest of it, is on its way under these task ids."""
        now = self._clock.wall_now()
        with self._journal.write() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.run_id == run_id)
                .values(task_ids=task_ids, published=runs.c.published + 1, published_at=now)
            )
            connection.execute(
                update(runs)
                .where(runs.c.run_id == run_id, runs.c.status == "created")
                .values(status="queued", queued_at=now)
            )

    def set_not_after(self, run_id: str, not_after: datetime) -> None:
        with self._journal.write() as connection:
            connection.execute(
                update(runs).where(runs.c.run_id == run_id).values(not_after=not_after)
            )

    def mark_ending(self, run_id: str) -> RunRow | None:
        """After a failure: no step from 1 to 7 acts any more. None: there is nothing to end.

        Believes the journal, not the caller: a failed step, or a begun step whose lease died.
        """
        with self._journal.write() as connection:
            row = _locked(connection, run_id)
            if row["status"] in OVER:
                return None
            failed = _failure(connection, row, self._clock.wall_now())
            if row["status"] != "ending":
                if failed is None:
                    return None
                connection.execute(
                    update(runs)
                    .where(runs.c.run_id == run_id)
                    .values(status="ending", outcome="failed", **failed)
                )
        return self.get(run_id)

    def expire(self, run_id: str, reason: str) -> bool:
        """Nobody works on the run, and its window is over: no step from 1 to 7 acts any more, and
        8 and 9 end it as `expired`. True for the one call that did it."""
        goes_on = and_(runs.c.status.in_(("created", "queued")), runs.c.cancelled.is_(False))
        with self._journal.write() as connection:
            changed = connection.execute(
                update(runs)
                .where(runs.c.run_id == run_id, goes_on)
                .values(status="ending", outcome="expired", reason=reason)
            )
            return changed.rowcount == 1

    def close(self, run_id: str, outcome: str, reason: str | None) -> bool:
        """Close the run; True for the one call that did it."""
        with self._journal.write() as connection:
            row = _locked(connection, run_id)
            if row["status"] in OVER:
                return False
            if row["status"] == "ending":
                outcome, reason = row["outcome"], row["reason"]
            connection.execute(
                update(runs)
                .where(runs.c.run_id == run_id)
                .values(
                    status="closed",
                    outcome=outcome,
                    reason=reason,
                    closed_at=self._clock.wall_now(),
                )
            )
            return True

    def cancel(self, run_id: str) -> bool:
        """Set the flag that the steps read; False where the run is over.

        A run that was never published is closed at once: no chain is known that would carry it,
        and one that comes all the same hands on.
        """
        with self._journal.write() as connection:
            row = _locked(connection, run_id)
            if row["status"] in OVER:
                return False
            changes: dict[str, Any] = {"cancelled": True}
            if row["status"] == "created" and not _has_begun(connection, run_id):
                changes |= {
                    "status": "closed",
                    "outcome": "cancelled",
                    "reason": CANCELLED,
                    "closed_at": self._clock.wall_now(),
                }
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(**changes))
            return True

    def get(self, run_id: str) -> RunRow:
        row = self.find(run_id)
        if row is None:
            raise StepError(f"there is no run {run_id} in the journal")
        return row

    def find(self, run_id: str) -> RunRow | None:
        with self._journal.read() as connection:
            row = connection.execute(select(runs).where(runs.c.run_id == run_id)).mappings()
            return _run_row(row.one_or_none())

    def by_slot(self, strategy_id: int, slot: str) -> RunRow | None:
        query = select(runs).where(runs.c.strategy_id == strategy_id, runs.c.slot == slot)
        with self._journal.read() as connection:
            return _run_row(connection.execute(query).mappings().one_or_none())

    def recent(self, limit: int = 50, strategy_id: int | None = None) -> Sequence[RunRow]:
        """The newest runs first, of one strategy or of all."""
        query = select(runs).order_by(runs.c.created_at.desc()).limit(limit)
        if strategy_id is not None:
            query = query.where(runs.c.strategy_id == strategy_id)
        return self._rows(query)

    def starting_with(self, prefix: str, limit: int = 2) -> Sequence[RunRow]:
        """Runs whose id begins like this."""
        query = select(runs).where(runs.c.run_id.startswith(prefix, autoescape=True))
        return self._rows(query.order_by(runs.c.run_id).limit(limit))

    def unfinished(self) -> Sequence[RunRow]:
        """Every run that is not over, the oldest first."""
        query = select(runs).where(runs.c.status.in_(("created", "queued", "ending")))
        return self._rows(query.order_by(runs.c.created_at))

    def _rows(self, query: Any) -> Sequence[RunRow]:
        with self._journal.read() as connection:
            found = connection.execute(query).mappings().all()
        return [row for row in map(_run_row, found) if row is not None]


def _run_row(row: RowMapping | None) -> RunRow | None:
    return None if row is None else RunRow(**row)


def _locked(connection: Connection, run_id: str) -> RowMapping:
    query = select(runs).where(runs.c.run_id == run_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise StepError(f"there is no run {run_id} in the journal")
    return row


def _has_begun(connection: Connection, run_id: str) -> bool:
    query = select(steps.c.number).where(steps.c.run_id == run_id).limit(1)
    return connection.execute(query).first() is not None


def _failure(connection: Connection, run_row: RowMapping, now: datetime) -> dict[str, Any] | None:
    """The failed step and its error; or the begun step whose lease died, if there is one. Of a
    cancelled run a lost worker is no failure: nothing more was to be done."""
    mine = and_(steps.c.run_id == run_row["run_id"], steps.c.number <= TRADING_STEPS)
    query = select(steps).where(mine).order_by(steps.c.number.desc())
    for row in connection.execute(query).mappings():
        if row["state"] == "failed":
            return {"failed_step": row["step"], "reason": row["error"]}
        dead = row["state"] == "running" and row["lease_until"] <= now
        if dead and not run_row["cancelled"]:
            why = "its worker was lost or it ran into its time limit"
            return {"failed_step": row["step"], "reason": f"{row['step']}: {why}"}
    return None
