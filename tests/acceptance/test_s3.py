"""The store and MLflow's artifacts on a real S3 server."""

from pathlib import Path

import pytest

from scripts.parts.ports import HOST, Ports
from tests.support.clock import ManualClock
from tests.support.mlflow_server import MlflowServer
from tests.support.rclone import S3Server
from tests.support.records import full_record
from tests.support.values import OPEN
from worker.errors import ConfigurationError, StepError, TemporaryError
from worker.store import Store, open_store
from worker.tracking import MlflowTracking


@pytest.fixture
def bucket(s3_server: S3Server, request: pytest.FixtureRequest) -> Path:
    """A bucket of the test's own; its folder's name is its own."""
    return s3_server.bucket(request.node.name.replace("_", "-")[:60])


@pytest.fixture
def store(s3_server: S3Server, bucket: Path) -> Store:
    return open_store(f"s3://{bucket.name}/some/prefix", s3_server.url)


def test_what_is_put_on_s3_is_found_under_its_hash(store: Store, bucket: Path) -> None:
    data = bytes(range(256)) * 4096
    ref = store.put(data)
    assert store.put(data) == ref
    assert store.get(ref) == data
    path = bucket / "some" / "prefix" / ref[:2] / ref[2:4] / ref
    assert path.read_bytes() == data


def test_json_comes_back_from_s3_and_a_probe_passes(store: Store) -> None:
    store.probe()
    assert store.get_json(store.put_json({"b": 1, "a": ["x"]})) == {"a": ["x"], "b": 1}


def test_what_is_missing_or_damaged_on_s3_is_said(store: Store, bucket: Path) -> None:
    with pytest.raises(StepError, match=f"is missing from the store at s3://{bucket.name}/"):
        store.get("0" * 64)
    ref = store.put(b"whole")
    next(bucket.rglob(ref)).write_bytes(b"wrong")
    with pytest.raises(StepError, match="is damaged"):
        store.get(ref)


def test_a_bucket_that_is_not_there_is_a_sentence_with_its_fix(s3_server: S3Server) -> None:
    with pytest.raises(ConfigurationError, match=r"refuses \(NoSuchBucket\); check OPENBELL_STORE"):
        open_store("s3://another", s3_server.url).put(b"data")


def test_wrong_keys_are_a_sentence_that_holds_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    with pytest.raises(ConfigurationError, match="and the keys") as raised:
        store.probe()
    assert "not-the-secret" not in str(raised.value)


def test_an_s3_server_that_is_away_is_worth_another_try(s3_server: S3Server) -> None:
    with Ports() as ports:
        store = open_store("s3://bucket", f"http://{HOST}:{ports.take()}")
        with pytest.raises(TemporaryError, match="does not answer"):
            store.put(b"data")


def test_artifacts_go_to_s3_from_the_worker(
    mlflow_server: MlflowServer, s3_server: S3Server
) -> None:
    bucket = s3_server.bucket("artifacts")
    mlflow_server.client().create_experiment("from-the-worker", artifact_location="s3://artifacts")
    clock = ManualClock(OPEN)
    tracking = MlflowTracking(mlflow_server.url, "from-the-worker", clock, s3_server.url)
    record = full_record()
    assert tracking.finish(record) is None
    assert files(next(bucket.iterdir()) / "artifacts") == record.files


def test_artifacts_go_to_s3_through_mlflows_server(
    mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    record = full_record()
    tracking = MlflowTracking(mlflow_server.url, "through-the-server", ManualClock(OPEN))
    assert tracking.finish(record) is None
    (run,) = mlflow_server.runs("through-the-server")
    folder = mlflow_server.artifacts_folder / run.info.experiment_id / run.info.run_id / "artifacts"
    assert files(folder) == record.files
    assert mlflow_server.artifact(run, "summary.md", tmp_path) == record.files["summary.md"]


def test_artifacts_go_to_a_folder(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    mlflow_server.client().create_experiment("in-a-folder", artifact_location=str(tmp_path))
    record = full_record()
    tracking = MlflowTracking(mlflow_server.url, "in-a-folder", ManualClock(OPEN))
    assert tracking.finish(record) is None
    (run,) = mlflow_server.runs("in-a-folder")
    assert files(tmp_path / run.info.run_id / "artifacts") == record.files


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
