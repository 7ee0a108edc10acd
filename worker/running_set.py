"""What a running `up` or `demo` tells a second terminal, in `OPENBELL_HOME/run/env`.

The values of the gateway are used all together or, if any of them is set elsewhere, not at all:
a certificate of one gateway must not meet the address of another.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import structlog

PID = "OPENBELL_SUPERVISOR_PID"
GATEWAY = (
    "OPENBELL_IBKR__BASE_URL",
    "OPENBELL_IBKR__TLS__PINNED_CERTIFICATE",
    "OPENBELL_IBKR__ACCOUNT_ID",
    "OPENBELL_MODE",
    "OPENBELL_REPLAY_CLOCK",
)

log = structlog.get_logger(__name__)


def running_set(home: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The running set's variables that `given` leaves unset; empty when that process is gone."""
    values = read_env_file(home / "run" / "env")
    if not values:
        return {}
    if not _alive(values.pop(PID, "")):
        log.warning(
            "running_set_ignored",
            sentence=f"{home / 'run' / 'env'} is left over from a process that has ended",
        )
        return {}
    if any(given.get(name) for name in GATEWAY):
        for name in GATEWAY:
            values.pop(name, None)
    return values


def read_env_file(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
