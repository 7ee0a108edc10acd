"""Which parts a home's set has, and what every process of it must know."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.parts.celery_parts import (
    FLOWER_USER,
    beat_part,
    flower_part,
    flower_url,
    worker_parts,
)
from scripts.parts.mlflow_server import mlflow_part, mlflow_url
from scripts.parts.part import Part
from scripts.parts.ports import Ports
from scripts.parts.practice import Practice
from scripts.parts.sandbox_server import SandboxServer
from scripts.parts.valkey import Valkey


@dataclass(frozen=True)
class EmbeddedSet:
    """`told` goes to the parts and, in run/env, to a second terminal; it holds passwords."""

    home: Path
    parts: tuple[Part, ...]
    told: Mapping[str, str] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    sandbox: SandboxServer | None

    @property
    def flower_url(self) -> str:
        return self.told["OPENBELL_FLOWER_URL"]

    @property
    def flower_login(self) -> str:
        return f"{FLOWER_USER} / {self.told['OPENBELL_FLOWER_PASSWORD']}"

    @property
    def mlflow_url(self) -> str | None:
        return self.environment.get("MLFLOW_TRACKING_URI")


def embedded_set(
    home: Path,
    ports: Ports,
    given: Mapping[str, str],
    practice: Practice | None,
    own: Mapping[str, str] | None = None,
) -> EmbeddedSet:
    """The parts for `home`, whose lock the caller holds: their configuration is written here. What
    `given` (an environment) names already is not embedded again; `own` is told as well."""
    state, told = home / "state", dict(own or {})
    foundations: list[Part] = []
    if not given.get("OPENBELL_REDIS_URL"):
        valkey = Valkey(state / "valkey", ports.take())
        told["OPENBELL_REDIS_URL"] = valkey.url
        foundations.append(
            Part(name="valkey", command=valkey.prepare(), ready=valkey.answers, foundation=True)
        )
    if not given.get("MLFLOW_TRACKING_URI"):
        port = ports.take()
        told["MLFLOW_TRACKING_URI"] = mlflow_url(port)
        foundations.append(mlflow_part(state / "mlflow", port))
    sandbox = None
    if practice is not None:
        sandbox = SandboxServer(home, ports.take(), practice)
        told |= sandbox.told()
        foundations.append(sandbox.part(tuple(part.name for part in foundations)))
    port, password = ports.take(), secrets.token_urlsafe(12)
    told["OPENBELL_FLOWER_URL"] = flower_url(port)
    told["OPENBELL_FLOWER_PASSWORD"] = password
    environment = {
        **given,
        "OPENBELL_HOME": str(home),
        **told,
        "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{password}",
        "PYTHONUNBUFFERED": "1",
    }
    # MLflow takes longest and is needed by the first step alone: nothing waits for it here.
    first = tuple(part.name for part in foundations if part.name != "mlflow")
    work = (
        *worker_parts(environment["OPENBELL_REDIS_URL"], first),
        beat_part(first),
        flower_part(port, password, tuple(name for name in first if name != "sandbox")),
    )
    return EmbeddedSet(home, (*foundations, *work), told, environment, sandbox)
