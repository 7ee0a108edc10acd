"""@step: a body that takes a Run and returns a Run becomes a task that takes effect once.

The journal decides what a delivered copy does; Celery only carries messages. A body returns, or
raises `Wait` (come back at a moment), `RetryStep` or a TemporaryError (try again, counted), or
any other error, which fails the step.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import uniform
from typing import Any, NoReturn

import structlog
from celery import Task, shared_task

from worker.clock import monotonic
from worker.errors import (
    JournalUnavailable,
    OpenbellError,
    RunIsOver,
    StepError,
    TemporaryError,
)  # fmt: skip
from worker.fencing import Fence, holding
from worker.journal.steps import StepBook
from worker.logs import log_context
from worker.models.run import MAX_JSON_BYTES, Run
from worker.runtime import Services, services
from worker.waiting import RetryStep, Wait

Body = Callable[[Run], Run]
JOURNAL_PAUSE_SECONDS = 5.0
WATCHED = "worker.celery:WatchedRequest"
log = structlog.get_logger(__name__)


def step(name: str, *, number: int) -> Callable[[Body], Any]:
    """Make a body the chain's step `number`, known to Celery as `name`."""

    def wrap(body: Body) -> Any:
        def task(self: Task, payload: dict[str, Any]) -> dict[str, Any]:
            run_id = str(payload["run_id"])
            with log_context(run_id=run_id, step=body.__name__):
                return _Delivery(self, services(), run_id, number, body).handle()

        task.__doc__ = body.__doc__
        # Options, not attributes set later: every Celery app makes a task object of its own.
        own = {"body": staticmethod(body), "number": number, "Request": WATCHED}
        return shared_task(name=name, bind=True, max_retries=None, **own)(task)

    return wrap


class _Delivery:
    """One delivered copy of one step's message."""

    def __init__(self, task: Task, s: Services, run_id: str, number: int, body: Body) -> None:
        self._task, self._s, self._run_id, self._number, self._body = task, s, run_id, number, body

    def handle(self) -> dict[str, Any]:
        try:
            result = self._take_turn()
        except JournalUnavailable as error:
            # Whatever was done is not written down: the lease runs out and a copy looks again.
            log.warning("journal_unavailable", reason=error.sentence)
            result = JOURNAL_PAUSE_SECONDS
        if isinstance(result, Run):
            return result.to_json()
        self._come_back(result)

    def _take_turn(self) -> Run | float:
        """The Run to hand on, or in how many seconds to come back."""
        claim = self._s.steps.claim(self._run_id, self._number, self._body.__name__)
        if claim.kind == "hand_on" and claim.run is not None:
            return claim.run
        if claim.kind == "step_back" and claim.until is not None:
            return self._seconds_until(claim.until)
        if claim.kind == "failed" or claim.run is None:
            raise StepError(claim.error or "the step has failed")
        return self._execute(claim.run, claim.token)

    def _execute(self, run: Run, token: int) -> Run | float:
        held = (self._run_id, self._number, token)
        log.info("step_began", token=token)
        try:
            with (
                holding(Fence(*held)),
                _heartbeat(self._s.steps, held, self._s.settings.queues.step_deadline),
            ):
                result = self._body(run)
                _refuse_large(result)
        except Wait as wait:
            return self._wait(held, wait)
        except RunIsOver as over:
            result = run.ended("cancelled", over.sentence)
        except JournalUnavailable:
            raise
        except RetryStep as retry:
            return self._retry(held, retry.after, retry.why)
        except TemporaryError as error:
            default = self._s.settings.queues.retry_after
            seconds = error.retry_after_seconds
            after = default if seconds is None else timedelta(seconds=seconds)
            return self._retry(held, after, error.sentence)
        except Exception as error:
            if self._s.steps.fail(*held, error=_sentence(self._body.__name__, error)):
                log.error("step_failed", exc_info=True)
                raise
            return self._lost()
        if not self._s.steps.finish(*held, output=result):
            return self._lost()
        log.info("step_done", ending=result.ending.code if result.ending else None)
        return result

    def _wait(self, held: tuple[str, int, int], wait: Wait) -> float:
        clock = self._s.clock
        wake_at = clock.wall_now() + timedelta(
            seconds=max(0.0, clock.wall_seconds(wait.until - clock.market_now()))
        )
        if not self._s.steps.wait(*held, wake_at=wake_at, why=wait.why):
            return self._lost()
        log.info("step_waits", until=wait.until.isoformat(), why=wait.why)
        return self._seconds_until(wake_at)

    def _retry(self, held: tuple[str, int, int], after: timedelta, why: str) -> float:
        again_at = self._s.clock.wall_now() + after
        most = self._s.settings.queues.attempts
        verdict = self._s.steps.release(*held, again_at=again_at, why=why, most=most)
        if verdict == "failed":
            raise StepError(f"{self._body.__name__}: given up after {most} attempts: {why}")
        if verdict == "lost":
            return self._lost()
        log.warning("step_released", again_at=again_at.isoformat(), why=why)
        return self._seconds_until(again_at)

    def _lost(self) -> float:
        log.warning("lease_lost")
        return self._s.steps.lease.total_seconds()

    def _seconds_until(self, moment: datetime) -> float:
        return max(0.0, (moment - self._s.clock.wall_now()).total_seconds())

    def _come_back(self, seconds: float) -> NoReturn:
        """Publish this message again with a countdown, in hops that fit the visibility timeout."""
        longest = self._s.settings.queues.longest_hop.total_seconds()
        spread = uniform(0.8, 1.0)  # noqa: S311 - so that many do not wake at once
        hop = longest * spread if seconds > longest else seconds + 0.01
        raise self._task.retry(countdown=hop, max_retries=None)


@contextmanager
def _heartbeat(book: StepBook, held: tuple[str, int, int], deadline: timedelta) -> Iterator[None]:
    """Renew the lease until the body ends or its deadline passes: a hung body loses it."""
    done = threading.Event()
    end = monotonic() + deadline.total_seconds()

    def beat() -> None:
        while not done.wait(book.lease.total_seconds() / 3) and monotonic() < end:
            try:
                if not book.renew(*held):
                    return
            except JournalUnavailable as error:
                log.warning("heartbeat_missed", reason=error.sentence)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _refuse_large(run: Run) -> None:
    if run.size_bytes() > MAX_JSON_BYTES:
        raise StepError(
            f"the run would travel as {run.size_bytes()} bytes, at most {MAX_JSON_BYTES} may; "
            "put what is bulky into the store"
        )


def _sentence(step_name: str, error: Exception) -> str:
    if isinstance(error, OpenbellError):
        return f"{step_name}: {error.sentence}"
    return f"{step_name}: {type(error).__name__}: {error}"
