"""MLflow's own server on SQLite and a folder, on loopback."""

import sys
from pathlib import Path

from scripts.parts.part import HttpProbe, Part
from scripts.parts.ports import HOST


def mlflow_part(folder: Path, port: int) -> Part:
    folder.mkdir(parents=True, exist_ok=True)
    url = mlflow_url(port)
    return Part(
        name="mlflow",
        command=(
            sys.executable, "-m", "mlflow", "server",
            "--host", HOST, "--port", str(port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
            "--artifacts-destination", str(folder / "artifacts"),
        ),
        ready=HttpProbe(url, "/health"),
        foundation=True,
        environment={
            # Without its job runner it is 2 processes instead of 10 to 15.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
        },
    )  # fmt: skip


def mlflow_url(port: int) -> str:
    return f"http://{HOST}:{port}"
