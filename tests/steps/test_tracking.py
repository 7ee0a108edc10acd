"""A run in MLflow: opened once, completed once, and never in the run's way."""

import json
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from scripts.parts.ports import HOST, Ports
from tests.support.clock import ManualClock
from tests.support.mlflow_server import MlflowServer
from tests.support.rclone import S3Server
from tests.support.records import full_record
from tests.support.values import OPEN, run
from worker.clock import monotonic
from worker.models.record import Record
from worker.models.run import Ending, Tracking
from worker.tracking import MlflowTracking, NullTracking, Rest

PROMISED_SECONDS = 10.0
CANCELLED, CLOSED = Ending(code="cancelled", reason="x"), Ending(code="closed", reason="x")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(OPEN + timedelta(seconds=20))


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    """An experiment of the test's own, on the server that all share."""
    return str(request.node.name)


@pytest.fixture
def tracking(mlflow_server: MlflowServer, experiment: str, clock: ManualClock) -> MlflowTracking:
    return MlflowTracking(mlflow_server.url, experiment, clock)


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server((HOST, 0)) as server:
        yield f"http://{HOST}:{server.getsockname()[1]}"


def test_a_run_that_starts_is_one_mlflow_run_that_goes_on(
    tracking: MlflowTracking, mlflow_server: MlflowServer, experiment: str, clock: ManualClock
) -> None:
    started = tracking.start(run())
    (found,) = mlflow_server.runs(experiment)
    assert started == Tracking(run_id=found.info.run_id)
    assert (found.info.run_name, found.info.status) == (run().run_id, "RUNNING")
    assert found.info.start_time == clock.now.timestamp() * 1000
    tags = {name: text for name, text in found.data.tags.items() if name.startswith("openbell.")}
    assert {**tags, "openbell.version": ""} == {
        "openbell.run_id": run().run_id,
        "openbell.strategy": "momentum",
        "openbell.slot": "manual:1",
        "openbell.mode": "dry",
        "openbell.symbols": "AAPL, MSFT",
        "openbell.version": "",
    }


def test_a_second_delivery_finds_the_first_ones_mlflow_run(
    tracking: MlflowTracking, mlflow_server: MlflowServer, experiment: str, clock: ManualClock
) -> None:
    in_another_process = MlflowTracking(mlflow_server.url, experiment, clock)
    assert tracking.start(run()) == in_another_process.start(run())
    assert len(mlflow_server.runs(experiment)) == 1


def test_a_run_that_ends_is_all_there(
    tracking: MlflowTracking, mlflow_server: MlflowServer, experiment: str, tmp_path: Path
) -> None:
    record = full_record()
    started = tracking.start(record.run)
    record = record.evolve(run=record.run.evolve(tracking=started))
    assert tracking.finish(record) is None
    (found,) = mlflow_server.runs(experiment)
    assert (found.info.run_id, found.info.status) == (started.run_id, "FINISHED")
    assert record.ended_at is not None
    assert found.info.end_time == record.ended_at.timestamp() * 1000
    assert found.data.params == record.parameters
    assert found.data.metrics == record.metrics
    assert found.data.tags["mlflow.note.content"] == record.summary
    assert found.data.tags["openbell.journal_seq"] == "7"
    assert found.data.tags["openbell.journal_head"] == "ab" * 32
    assert mlflow_server.artifacts(found) == sorted(record.files)
    assert mlflow_server.artifact(found, "charts/AAPL.png", tmp_path) == b"\x89PNG"
    (order,) = json.loads(mlflow_server.artifact(found, "orders.json", tmp_path))
    assert order["state"] == "FILLED"


def test_a_run_that_is_ended_twice_is_there_once(
    tracking: MlflowTracking, mlflow_server: MlflowServer, experiment: str, clock: ManualClock
) -> None:
    record = full_record()
    assert tracking.finish(record) is None
    (first,) = mlflow_server.runs(experiment)
    clock.advance(90)
    assert MlflowTracking(mlflow_server.url, experiment, clock).finish(record) is None
    (second,) = mlflow_server.runs(experiment)
    assert second.to_dictionary() == first.to_dictionary()
    history = mlflow_server.client().get_metric_history(first.info.run_id, "orders/sent")
    assert [metric.value for metric in history] == [1.0]


@pytest.mark.parametrize(
    ("changes", "status", "tag"),
    [
        ({"failure": "place_orders: boom"}, "FAILED", ("openbell.failure", "place_orders: boom")),
        ({"ending": CANCELLED}, "KILLED", ("openbell.ending", "cancelled")),
        ({"ending": CLOSED}, "FINISHED", ("openbell.ending", "closed")),
    ],
)  # fmt: skip
def test_the_true_status_of_a_run_that_came_not_far(
    tracking: MlflowTracking,
    mlflow_server: MlflowServer,
    experiment: str,
    changes: dict[str, Any],
    status: str,
    tag: tuple[str, str],
) -> None:
    ended = run(**changes)
    tracking.start(ended)
    assert tracking.finish(Record(run=ended, version="0")) is None
    (found,) = mlflow_server.runs(experiment)
    assert found.info.status == status
    assert found.data.tags[tag[0]] == tag[1]


def test_a_run_that_could_not_be_started_is_made_at_its_end(
    tracking: MlflowTracking, mlflow_server: MlflowServer, experiment: str
) -> None:
    missed = Tracking(note="not tracked: MLflow cannot be reached")
    record = full_record()
    record = record.evolve(run=record.run.evolve(tracking=missed))
    note = tracking.finish(record)
    (found,) = mlflow_server.runs(experiment)
    assert note == f"tracked after all, as MLflow run {found.info.run_id}"
    assert (found.info.status, found.data.metrics) == ("FINISHED", record.metrics)
    assert found.info.start_time == OPEN.timestamp() * 1000


def test_a_creation_that_was_repeated_leaves_one_run(
    tracking: MlflowTracking, mlflow_server: MlflowServer, experiment: str
) -> None:
    started = tracking.start(run())
    client = mlflow_server.client()
    (first,) = mlflow_server.runs(experiment)
    late = first.info.start_time + 5
    client.create_run(first.info.experiment_id, start_time=late, tags=first.data.tags)
    assert tracking.finish(Record(run=run(tracking=started), version="0")) is None
    (found,) = mlflow_server.runs(experiment)
    assert (found.info.run_id, found.info.status) == (started.run_id, "FINISHED")


def test_a_deleted_experiment_is_a_sentence_with_its_fix(
    tracking: MlflowTracking, mlflow_server: MlflowServer, experiment: str
) -> None:
    client = mlflow_server.client()
    client.delete_experiment(client.create_experiment(experiment))
    sentence = (
        f"not tracked: MLflow's experiment {experiment} is deleted; restore it, "
        "or name another in MLFLOW_EXPERIMENT_NAME"
    )
    assert tracking.start(run()) == Tracking(note=sentence)
    assert tracking.finish(full_record()) == sentence


def test_a_server_that_never_answers_costs_a_run_less_than_promised(
    black_hole: str, clock: ManualClock
) -> None:
    tracking = MlflowTracking(black_hole, "openbell", clock)
    before = monotonic()
    started = tracking.start(run())
    clock.advance(61)  # so that it is asked again: the longer of the two cases
    note = tracking.finish(full_record())
    assert monotonic() - before < PROMISED_SECONDS
    assert started == Tracking(note="not tracked: MLflow did not answer in 3.5 s")
    assert note == "not tracked: MLflow did not answer in 3.5 s"


def test_artifacts_that_never_arrive_cost_little_and_the_status_is_true(
    mlflow_server: MlflowServer,
    experiment: str,
    clock: ManualClock,
    black_hole: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in S3Server.keys.items():
        monkeypatch.setenv(name, value)  # boto3 reads them once a process
    mlflow_server.client().create_experiment(experiment, artifact_location="s3://away/artifacts")
    tracking = MlflowTracking(mlflow_server.url, experiment, clock, s3_endpoint_url=black_hole)
    before = monotonic()
    note = tracking.finish(full_record())
    assert monotonic() - before < PROMISED_SECONDS
    assert note == "tracked in part: 0 of 8 files, then MLflow did not answer in 3.5 s"
    (found,) = mlflow_server.runs(experiment)
    assert (found.info.status, found.data.metrics) == ("FINISHED", full_record().metrics)


def test_a_server_that_refuses_is_left_alone_for_a_minute(clock: ManualClock) -> None:
    with Ports() as ports:
        address = f"http://person:S3CRET@{HOST}:{ports.take()}"  # pragma: allowlist secret
        tracking = MlflowTracking(address, "openbell", clock)
        with capture_logs() as events:
            notes = [tracking.start(run()).note, tracking.finish(full_record())]
            clock.advance(60)
            notes.append(tracking.finish(full_record()))
    assert notes == [
        "not tracked: MLflow cannot be reached",
        "not tracked: MLflow cannot be reached, and is left alone until 14:31:20 UTC",
        "not tracked: MLflow cannot be reached",
    ]
    assert len(events) == 2
    assert "S3CRET" not in str(events)


def test_the_rest_after_a_failure_ends_with_the_wall(clock: ManualClock) -> None:
    rest = Rest(clock, timedelta(seconds=60))
    assert rest.until() is None
    rest.begin("it was away")
    assert (rest.until(), rest.why) == (clock.now + timedelta(seconds=60), "it was away")
    clock.advance(59)
    assert rest.until() is not None
    clock.advance(1)
    assert rest.until() is None


def test_the_clients_own_limits_are_set_unless_a_person_did(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    with Ports() as ports:
        MlflowTracking(f"http://{HOST}:{ports.take()}", "openbell", clock).start(run())
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "2"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_without_mlflow_a_run_says_so_once() -> None:
    tracking = NullTracking()
    assert tracking.start(run()) == Tracking(note="not tracked: MLflow is not configured")
    assert tracking.finish(full_record()) is None
