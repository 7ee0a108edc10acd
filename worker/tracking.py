"""A run's record in MLflow. MLflow may be away, refuse, or never answer: the run trades on."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TypeVar

import structlog

from worker.clock import Clock, monotonic
from worker.errors import OpenbellError
from worker.models.record import Record
from worker.models.run import Run
from worker.models.run import Tracking as Tracked
from worker.version import code_version

# What never answers costs a run one call at its start, and one and the last one at its end: 9 s.
CALL_SECONDS = 3.5
LAST_CALL_SECONDS = 2.0
# What answers, but slowly, is given this long.
START_SECONDS = 4.0
FINISH_SECONDS = 20.0
REST = timedelta(seconds=60)
RUN_TAG = "openbell.run_id"
HEAD_TAGS = ("openbell.journal_seq", "openbell.journal_head")
_TAG_LENGTH = 5000
_SERVER_ERRORS = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE"}
# The client's own limits, and silence: no telemetry, no address on the screen, no log of its own.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
Result = TypeVar("Result")
log = structlog.get_logger(__name__)


class Tracking(Protocol):
    """Neither method raises. Either may be called again for the same run."""

    def start(self, run: Run) -> Tracked: ...
    def finish(self, record: Record) -> str | None: ...


class NullTracking:
    """Runs are recorded in the journal alone."""

    def start(self, run: Run) -> Tracked:
        return Tracked(note="not tracked: MLflow is not configured")

    def finish(self, record: Record) -> str | None:
        return None


class MlflowTracking:
    """One MLflow run a run, found again by its tag: a second delivery opens no second one."""

    def __init__(
        self, tracking_uri: str, experiment: str, clock: Clock, s3_endpoint_url: str | None = None
    ) -> None:
        self._uri, self._experiment, self._clock = tracking_uri, experiment, clock
        self._rest = Rest(clock)
        self._environment = dict(_ENVIRONMENT)
        if s3_endpoint_url:
            self._environment["MLFLOW_S3_ENDPOINT_URL"] = s3_endpoint_url

    def start(self, run: Run) -> Tracked:
        try:
            return Tracked(run_id=self._attempt(START_SECONDS, lambda ask: self._open(ask, run)))
        except _NotTracked as reason:
            return Tracked(note=reason.note)

    def finish(self, record: Record) -> str | None:
        """Everything on the record, then its true status. None when all of it was taken."""
        try:
            return self._attempt(FINISH_SECONDS, lambda ask: self._complete(ask, record))
        except _NotTracked as reason:
            return reason.note

    def _attempt(self, seconds: float, work: Callable[["_Asking"], Result]) -> Result:
        if (until := self._rest.until()) is not None:
            raise _NotTracked(f"{self._rest.why}, and is left alone until {until:%H:%M:%S} UTC")
        for name, value in self._environment.items():
            os.environ.setdefault(name, value)
        import mlflow  # noqa: F401 - slow the first time, and that is not the server's fault

        try:
            return work(_Asking(seconds))
        except Exception as error:  # noqa: BLE001 - MLflow's stores raise what they like
            why, is_away = _reason(error)
            if is_away:
                self._rest.begin(why)
            log.warning("not_tracked", why=why)
            raise _NotTracked(why) from None

    def _open(self, ask: "_Asking", run: Run) -> str:
        server = _Server(ask, self._uri, self._experiment)
        found = server.runs_of(run)
        return found[0] if found else server.create(run, self._clock.wall_now())

    def _complete(self, ask: "_Asking", record: Record) -> str | None:
        now, run = self._clock.wall_now(), record.run
        server = _Server(ask, self._uri, self._experiment)
        found = server.runs_of(run)
        server.remove(found[1:])
        mlflow_id = found[0] if found else server.create(run, record.began_at or now)
        ended_at = record.ended_at or now
        server.log_values(mlflow_id, record, ended_at)
        problem = server.upload(mlflow_id, record.files)
        server.end(
            mlflow_id, record.status, ended_at, CALL_SECONDS if not problem else LAST_CALL_SECONDS
        )
        log.info("tracked", mlflow_run_id=mlflow_id, status=record.status, problem=problem)
        if problem is not None:
            return f"tracked in part: {problem}"
        if run.tracking is not None and run.tracking.run_id is None:
            return f"tracked after all, as MLflow run {mlflow_id}"
        return None


class Rest:
    """After one failure MLflow is left alone for a while (wall time), by this process."""

    def __init__(self, clock: Clock, length: timedelta = REST) -> None:
        self._clock, self._length = clock, length
        self._until: datetime | None = None
        self.why = ""

    def begin(self, why: str) -> None:
        self._until, self.why = self._clock.wall_now() + self._length, why

    def until(self) -> datetime | None:
        """When it may be asked again; None: now."""
        if self._until is not None and self._clock.wall_now() >= self._until:
            self._until = None
        return self._until


class _Server:
    """MLflow's server in one conversation with it."""

    def __init__(self, ask: "_Asking", uri: str, experiment: str) -> None:
        from mlflow import MlflowClient

        self._ask = ask
        self._client: MlflowClient = ask(lambda: MlflowClient(tracking_uri=uri))
        self._experiment_id = self._find_experiment(experiment)

    def _find_experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._ask(lambda: self._client.get_experiment_by_name(name))
        if found is None:
            try:
                return str(self._ask(lambda: self._client.create_experiment(name)))
            except MlflowException as error:
                # Another process was faster.
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self._ask(lambda: self._client.get_experiment_by_name(name))
        if found is None or found.lifecycle_stage != "active":
            raise OpenbellError(
                f"MLflow's experiment {name} is deleted; restore it, "
                "or name another in MLFLOW_EXPERIMENT_NAME"
            )
        return str(found.experiment_id)

    def runs_of(self, run: Run) -> list[str]:
        """Ids, the first made first. More than one: a creation whose answer was lost, repeated."""
        found = self._ask(
            lambda: self._client.search_runs(
                [self._experiment_id],
                f"tags.`{RUN_TAG}` = '{run.run_id}'",
                max_results=10,
                order_by=["attributes.start_time ASC"],
            )
        )
        return [str(each.info.run_id) for each in found]

    def create(self, run: Run, began_at: datetime) -> str:
        made = self._ask(
            lambda: self._client.create_run(
                self._experiment_id,
                start_time=_milliseconds(began_at),
                run_name=run.run_id,
                tags=_tags(run),
            )
        )
        return str(made.info.run_id)

    def remove(self, mlflow_ids: Sequence[str]) -> None:
        for mlflow_id in mlflow_ids:
            self._ask(partial(self._client.delete_run, mlflow_id))

    def log_values(self, mlflow_id: str, record: Record, at: datetime) -> None:
        """One call. The same values at the same moment twice are kept once."""
        from mlflow.entities import Metric, Param, RunTag

        moment, run = _milliseconds(at), record.run
        metrics = [Metric(name, value, moment, 0) for name, value in record.metrics.items()]
        given = list(record.parameters.items())[:100]
        parameters = [Param(name[:250], value[:6000]) for name, value in given]
        tags = {
            "mlflow.note.content": record.summary,
            "openbell.ending": run.ending.code if run.ending else "",
            "openbell.failure": run.failure or "",
            **_head_tags(record),
        }
        kept = [RunTag(name, value[:_TAG_LENGTH]) for name, value in tags.items() if value]
        self._ask(lambda: self._client.log_batch(mlflow_id, metrics, parameters, kept))

    def upload(self, mlflow_id: str, files: Mapping[str, bytes]) -> str | None:
        """Why not all of the files were taken; None when they were."""
        with TemporaryDirectory(prefix="openbell-", ignore_cleanup_errors=True) as folder:
            for number, (name, data) in enumerate(files.items()):
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                parent = str(Path(name).parent) if "/" in name else None
                try:
                    self._ask(partial(self._client.log_artifact, mlflow_id, str(path), parent))
                except Exception as error:  # noqa: BLE001 - artifact stores raise what they like
                    return f"{number} of {len(files)} files, then {_reason(error)[0]}"
        return None

    def end(self, mlflow_id: str, status: str, at: datetime, seconds: float) -> None:
        ask = _Asking(seconds)
        ask(lambda: self._client.set_terminated(mlflow_id, status, end_time=_milliseconds(at)))


class _NotTracked(Exception):
    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.note = f"not tracked: {why}"


class _NoAnswer(Exception):
    pass


class _Asking:
    """Calls that are given up: each after CALL_SECONDS, all together after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def __call__(self, call: Callable[[], Result]) -> Result:
        """The call's result or its error. A call that is given up goes on in a daemon thread."""
        seconds = min(CALL_SECONDS, self._end - monotonic())
        if seconds <= 0:
            raise _NoAnswer("MLflow took too long")
        results: list[Result] = []
        errors: list[Exception] = []

        def work() -> None:
            try:
                results.append(call())
            except Exception as error:  # noqa: BLE001 - raised again for the caller
                errors.append(error)

        thread = threading.Thread(target=work, name="mlflow", daemon=True)
        thread.start()
        thread.join(seconds)
        if errors:
            raise errors[0]
        if not results:
            raise _NoAnswer(f"MLflow did not answer in {seconds:.1f} s")
        return results[0]


def _tags(run: Run) -> dict[str, str]:
    return {
        RUN_TAG: run.run_id,
        "openbell.strategy": run.strategy.name,
        "openbell.slot": run.slot,
        "openbell.mode": run.mode,
        "openbell.symbols": ", ".join(run.symbols),
        "openbell.version": code_version(),
        "mlflow.source.name": "openbell",
        "mlflow.source.type": "JOB",
    }


def _head_tags(record: Record) -> dict[str, str]:
    """Kept away from the journal, so that `openbell journal verify` can find it cut off."""
    head = record.journal_head
    return {} if head is None else {HEAD_TAGS[0]: str(head.seq), HEAD_TAGS[1]: head.hash}


def _reason(error: BaseException) -> tuple[str, bool]:
    """A sentence without addresses, and whether MLflow is away rather than of another opinion."""
    from mlflow.exceptions import MlflowException, RestException

    if isinstance(error, _NoAnswer):
        return str(error), True
    if isinstance(error, OpenbellError):
        return error.sentence, False
    if isinstance(error, RestException):
        return f"MLflow refused it ({error.error_code})", error.error_code in _SERVER_ERRORS
    if isinstance(error, MlflowException) and _is_connection(error):
        return "MLflow cannot be reached", True
    return f"MLflow failed ({type(error).__name__})", True


def _is_connection(error: BaseException | None) -> bool:
    """MLflow's error wraps that of requests, which is an OSError."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error is not None


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
