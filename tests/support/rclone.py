"""A real S3 server for tests, rclone's on a folder: the fixture `s3_server`, once a session."""

import socket
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from scripts.parts.ports import HOST, Ports
from tests.support.servers import GuardedServer

START_SECONDS = 20.0


class S3Server:
    """A bucket is a folder of `root`, an object a file in it."""

    keys = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}

    def __init__(self, root: Path) -> None:
        self.root = root / "buckets"
        self.root.mkdir(parents=True)
        ports = Ports()
        self._port = ports.take()
        self.url = f"http://{HOST}:{self._port}"
        command = [
            str(Path(sysconfig.get_path("scripts")) / "rclone"), "serve", "s3",
            "--addr", f"{HOST}:{self._port}", "--auth-key", ",".join(self.keys.values()),
            "--config", "/dev/null", str(self.root),
        ]  # fmt: skip
        self._server = GuardedServer(
            command, root / "server.log", self._answers, {}, START_SECONDS, ports
        )

    def bucket(self, name: str) -> Path:
        """Make a bucket; its folder."""
        # By its own door: the server would not look at a new folder before minutes are over.
        client = boto3.session.Session(*self.keys.values(), region_name="us-east-1").client(
            "s3", endpoint_url=self.url
        )
        client.create_bucket(Bucket=name)
        client.close()
        return self.root / name

    def _answers(self) -> bool:
        try:
            socket.create_connection((HOST, self._port), timeout=1).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._server.close()


@pytest.fixture(scope="session")
def _s3_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.close()


@pytest.fixture
def s3_server(_s3_process: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Its keys are in the environment, where boto3 looks for them. Make a bucket of your own."""
    for name, value in S3Server.keys.items():
        monkeypatch.setenv(name, value)
    return _s3_process
