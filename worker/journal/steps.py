"""The book of steps: which run's step is whose, under a lease with a fencing token."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from worker.clock import Clock
from worker.errors import StepError
from worker.journal.engine import Journal
from worker.journal.runs import CANCELLED, OVER, TRADING_STEPS
from worker.journal.tables import runs, steps
from worker.models.base import Utc, Value
from worker.models.run import Run

MAX_TAKEOVERS = 3
CLEANUP = 9  # always works in the end, however often its worker is lost


class Claim(Value):
    """What a delivered copy of a step must do.

    run: it holds the lease under `token`. hand_on: give `run` to the next step.
    step_back: another copy has it, or its time has not come; come back at `until` (wall).
    failed: the step is over; `error` says why.
    """

    kind: Literal["run", "hand_on", "step_back", "failed"]
    run: Run | None = None
    token: int = 0
    until: Utc | None = None
    error: str | None = None


class StepRow(Value):
    run_id: str
    number: int
    step: str
    state: Literal["running", "waiting", "released", "done", "failed"]
    token: int
    lease_until: Utc | None
    wake_at: Utc | None
    waits_for: str | None
    attempts: int
    hops: int
    takeovers: int
    started_at: Utc
    finished_at: Utc | None
    output: dict[str, Any] | None
    error: str | None


def shown_states(rows: Sequence[StepRow]) -> list[str]:
    """Each begun step's state for a person: `skipped` is one that found the run ended and only
    handed it on. The last two do their work for every run."""
    shown: list[str] = []
    has_ended = False
    for row in rows:
        skipped = has_ended and row.state == "done" and row.number <= TRADING_STEPS
        shown.append("skipped" if skipped else row.state)
        has_ended = has_ended or bool(row.output and row.output.get("ending"))
    return shown


class StepBook:
    def __init__(self, journal: Journal, clock: Clock, lease: timedelta) -> None:
        self._journal, self._clock, self.lease = journal, clock, lease

    def claim(self, run_id: str, number: int, step: str) -> Claim:
        """Take the step for this copy, or say why not, in one transaction."""
        try:
            with self._journal.write() as connection:
                return self._claim(connection, run_id, number, step)
        except IntegrityError:
            # Another copy inserted the row first; on the second look it is there.
            with self._journal.write() as connection:
                return self._claim(connection, run_id, number, step)

    def _claim(self, connection: Connection, run_id: str, number: int, step: str) -> Claim:
        query = select(runs).where(runs.c.run_id == run_id).with_for_update()
        run_row = connection.execute(query).mappings().one_or_none()
        if run_row is None:
            raise StepError(f"there is no run {run_id} in the journal")
        if _is_over(run_row, number):
            return Claim(kind="hand_on", run=_last_run(connection, run_row, number))
        query = select(steps).where(steps.c.run_id == run_id, steps.c.number == number)
        row = connection.execute(query.with_for_update()).mappings().one_or_none()
        now = self._clock.wall_now()
        if row is None:
            return self._begin(connection, run_row, number, step, now)
        return self._repeat(connection, run_row, row, now)

    def _begin(
        self, connection: Connection, run_row: RowMapping, number: int, step: str, now: datetime
    ) -> Claim:
        before = _last_run(connection, run_row, number)
        if number <= TRADING_STEPS and not _step_before_is_done(connection, run_row, number):
            return Claim(kind="step_back", until=now + self.lease)
        connection.execute(
            insert(steps).values(
                run_id=run_row["run_id"],
                number=number,
                step=step,
                state="running",
                token=1,
                lease_until=now + self.lease,
                attempts=0,
                hops=0,
                takeovers=0,
                started_at=now,
            )
        )
        return Claim(kind="run", run=before, token=1)

    def _repeat(
        self, connection: Connection, run_row: RowMapping, row: RowMapping, now: datetime
    ) -> Claim:
        if row["state"] == "done":
            return Claim(kind="hand_on", run=Run.from_json(row["output"]))
        if row["state"] == "failed":
            return Claim(kind="failed", error=row["error"])
        taken_over = row["state"] == "running"
        due_at = row["lease_until"] if taken_over else row["wake_at"]
        if due_at > now:
            return Claim(kind="step_back", until=due_at)
        changes: dict[str, Any] = {"token": row["token"] + 1, "lease_until": now + self.lease}
        if taken_over:
            changes["takeovers"] = row["takeovers"] + 1
            if changes["takeovers"] >= MAX_TAKEOVERS and row["number"] != CLEANUP:
                error = f"{row['step']}: its worker was lost {MAX_TAKEOVERS} times"
                _update(connection, row, state="failed", error=error, finished_at=now, **changes)
                return Claim(kind="failed", error=error)
        elif row["state"] == "waiting":
            changes["hops"] = row["hops"] + 1
        _update(connection, row, state="running", wake_at=None, waits_for=None, **changes)
        before = _last_run(connection, run_row, row["number"])
        return Claim(kind="run", run=before, token=changes["token"])

    def renew(self, run_id: str, number: int, token: int) -> bool:
        """Prolong the lease; False when it is another's by now."""
        until = self._clock.wall_now() + self.lease
        return self._end(run_id, number, token, lease_until=until)

    def finish(self, run_id: str, number: int, token: int, output: Run) -> bool:
        """Store the step's Run; False, and nothing written, when the token is not the newest."""
        now = self._clock.wall_now()
        return self._end(
            run_id, number, token, state="done", output=output.to_json(), finished_at=now
        )

    def wait(self, run_id: str, number: int, token: int, wake_at: datetime, why: str) -> bool:
        """The body came so far, so earlier troubles count no longer."""
        return self._end(
            run_id, number, token, state="waiting", wake_at=wake_at, waits_for=why, attempts=0,
            takeovers=0,
        )  # fmt: skip

    def release(
        self, run_id: str, number: int, token: int, again_at: datetime, why: str, most: int
    ) -> Literal["released", "failed", "lost"]:
        """Give the lease back for another attempt; past `most` attempts the step has failed."""
        with self._journal.write() as connection:
            row = _held(connection, run_id, number, token)
            if row is None:
                return "lost"
            attempts = row["attempts"] + 1
            if attempts >= most:
                error = f"{row['step']}: given up after {attempts} attempts: {why}"
                now = self._clock.wall_now()
                _update(
                    connection, row, state="failed", attempts=attempts, error=error, finished_at=now
                )
                return "failed"
            _update(
                connection, row, state="released", attempts=attempts, wake_at=again_at,
                waits_for=why, error=why,
            )  # fmt: skip
            return "released"

    def fail(self, run_id: str, number: int, token: int, error: str) -> bool:
        now = self._clock.wall_now()
        return self._end(run_id, number, token, state="failed", error=error, finished_at=now)

    def of(self, run_id: str) -> Sequence[StepRow]:
        """The run's steps that have begun, in order."""
        query = select(steps).where(steps.c.run_id == run_id).order_by(steps.c.number)
        with self._journal.read() as connection:
            return [StepRow(**row) for row in connection.execute(query).mappings()]

    def at_work(self) -> Collection[str]:
        """The names of the steps that somebody is executing, with a lease that lives."""
        alive = and_(steps.c.state == "running", steps.c.lease_until > self._clock.wall_now())
        with self._journal.read() as connection:
            return connection.execute(select(steps.c.step).where(alive).distinct()).scalars().all()

    def last_run(self, run_id: str) -> Run:
        """The Run as the last finished step left it."""
        with self._journal.read() as connection:
            row = connection.execute(select(runs).where(runs.c.run_id == run_id)).mappings().one()
            return _last_run(connection, row, 99)

    def token(self, run_id: str, number: int) -> int:
        """The newest fencing token of a step; 0 before it began."""
        query = select(steps.c.token).where(steps.c.run_id == run_id, steps.c.number == number)
        with self._journal.read() as connection:
            return connection.execute(query).scalar_one_or_none() or 0

    def _end(self, run_id: str, number: int, token: int, **changes: Any) -> bool:
        with self._journal.write() as connection:
            row = _held(connection, run_id, number, token)
            if row is None:
                return False
            _update(connection, row, **changes)
            return True


def _is_over(run_row: RowMapping, number: int) -> bool:
    if number > TRADING_STEPS:
        return bool(run_row["status"] in OVER)
    return bool(run_row["cancelled"] or run_row["status"] in ("ending", *OVER))


def _held(connection: Connection, run_id: str, number: int, token: int) -> RowMapping | None:
    query = (
        select(steps)
        .where(steps.c.run_id == run_id, steps.c.number == number)
        .where(steps.c.token == token, steps.c.state == "running")
    )
    return connection.execute(query.with_for_update()).mappings().one_or_none()


def _update(connection: Connection, row: RowMapping, **changes: Any) -> None:
    connection.execute(
        update(steps)
        .where(steps.c.run_id == row["run_id"], steps.c.number == row["number"])
        .values(**changes)
    )


def _step_before_is_done(connection: Connection, run_row: RowMapping, number: int) -> bool:
    if number == 1:
        return True
    query = select(steps.c.state).where(
        steps.c.run_id == run_row["run_id"], steps.c.number == number - 1
    )
    return connection.execute(query).scalar_one_or_none() == "done"


def _last_run(connection: Connection, run_row: RowMapping, number: int) -> Run:
    """The stored Run of the nearest finished step before `number`, with the run's own fate."""
    query = (
        select(steps.c.number, steps.c.output)
        .where(steps.c.run_id == run_row["run_id"], steps.c.number < number)
        .where(steps.c.state == "done")
        .order_by(steps.c.number.desc())
        .limit(1)
    )
    done = connection.execute(query).one_or_none()
    run = Run.from_json(done.output if done else run_row["initial"])
    if run_row["status"] == "ending" and run_row["outcome"] == "failed":
        return run.evolve(failure=run_row["reason"])
    if run.ending is not None:
        return run
    if run_row["status"] == "ending":
        return run.ended(run_row["outcome"], run_row["reason"])
    # A cancel that came after the orders' step stopped nothing.
    if run_row["cancelled"] and (done is None or done.number < TRADING_STEPS):
        return run.ended("cancelled", CANCELLED)
    return run
