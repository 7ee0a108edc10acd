"""A real MLflow server for tests: the fixture `mlflow_server`, started once a session.

It takes seconds to come up. All tests share its experiments and runs: use an experiment of your
own. Its artifacts lie on a real S3 server, in the bucket `mlflow`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.parts.mlflow_server import mlflow_part, mlflow_url
from scripts.parts.ports import Ports
from tests.support.rclone import S3Server
from tests.support.servers import GuardedServer

START_SECONDS = 60.0


class MlflowServer:
    def __init__(self, folder: Path, s3: S3Server) -> None:
        ports = Ports()
        port = ports.take()
        part = mlflow_part(folder, port)
        command = list(part.command)
        self.artifacts_folder = s3.bucket("mlflow")
        command[command.index("--artifacts-destination") + 1] = "s3://mlflow"
        environment = {**part.environment, **s3.keys, "MLFLOW_S3_ENDPOINT_URL": s3.url}
        assert part.ready is not None
        self.url = mlflow_url(port)
        self._server = GuardedServer(
            command,
            folder / "server.log",
            part.ready,
            environment,
            START_SECONDS,
            ports,
        )

    def client(self) -> Any:
        from mlflow import MlflowClient  # takes more than a second

        return MlflowClient(tracking_uri=self.url)

    def runs(self, experiment: str) -> list[Any]:
        client = self.client()
        found = client.get_experiment_by_name(experiment)
        return list(client.search_runs([found.experiment_id])) if found else []

    def artifact(self, run: Any, path: str, folder: Path) -> bytes:
        local = self.client().download_artifacts(run.info.run_id, path, str(folder))
        return Path(local).read_bytes()

    def artifacts(self, run: Any, path: str | None = None) -> list[str]:
        """Every file's path, sorted."""
        found: list[str] = []
        for each in self.client().list_artifacts(run.info.run_id, path):
            found += self.artifacts(run, each.path) if each.is_dir else [each.path]
        return sorted(found)

    def close(self) -> None:
        self._server.close()


@pytest.fixture(scope="session")
def mlflow_server(
    tmp_path_factory: pytest.TempPathFactory, _s3_process: S3Server
) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"), _s3_process)
    yield server
    server.close()
