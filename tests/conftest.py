"""What holds for every test: a closed network, a clean environment, a home of its own."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.network import close_network

pytest_plugins = (
    "tests.support.postgres", "tests.support.browser", "tests.support.rclone",
    "tests.support.mlflow_server", "tests.support.sandbox", "tests.support.stack",
    "tests.support.journal", "tests.support.ledger", "tests.support.fake_gateway",
    "tests.support.gateway", "tests.support.trading", "tests.support.conversing",
)  # fmt: skip

# Settings of the person who runs the tests must not decide how they end.
OWN = ("OPENBELL_", "MLFLOW_", "CELERY_", "FLOWER_", "AWS_", "REMAP_SIGTERM")

# A busy machine is no failure; a hung test ends by pytest's own timeout.
hypothesis.settings.register_profile("openbell", deadline=None, print_blob=True)
hypothesis.settings.load_profile("openbell")


def pytest_configure() -> None:
    close_network()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(OWN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OPENBELL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DO_NOT_TRACK", "true")  # MLflow's own telemetry
    yield
    if runtime := sys.modules.get("worker.runtime"):
        runtime.reset_services()  # made from this test's settings
