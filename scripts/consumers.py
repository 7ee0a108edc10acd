"""Which queues have a worker, and whether Beat is there: asked of themselves, over Redis."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PATIENCE_SECONDS = 1.5
# A server that accepts and does not answer is given up after this.
_IMPATIENT = {"socket_timeout": 2, "socket_connect_timeout": 2, "retry_on_timeout": False}
UPKEEP_ALONE = {"session"}


class _Enough(Exception):
    """Everybody who was asked for has answered."""


@dataclass(frozen=True)
class Answers:
    """`queues`: who consumes each, by name. `beats`: the names of the Beats that answered."""

    queues: dict[str, tuple[str, ...]]
    beats: tuple[str, ...] = ()


def queues_of_a_run() -> set[str]:
    """The queues that must have a worker, or a run stands still."""
    return every_queue() - UPKEEP_ALONE


def every_queue() -> set[str]:
    from worker.celery import app

    return {route["queue"] for route in app.conf.task_routes.values()}


def without_worker(needed: set[str], patience_seconds: float = PATIENCE_SECONDS) -> set[str] | None:
    """Those of `needed` that no worker consumes; None where nobody can be asked."""
    found = consumers(needed, patience_seconds)
    return None if found is None else needed - found.queues.keys()


def consumers(needed: set[str], patience_seconds: float = PATIENCE_SECONDS) -> Answers | None:
    """Who consumes what; asking ends as soon as all of `needed` have a consumer. None where Redis
    does not answer."""
    queues: dict[str, set[str]] = {}

    def heard(reply: dict[str, Any]) -> None:
        for worker, listed in reply.items():
            for queue in listed if isinstance(listed, list) else ():
                queues.setdefault(str(queue["name"]), set()).add(worker)
        if needed and needed <= queues.keys():
            raise _Enough

    if not _ask("active_queues", heard, patience_seconds):
        return None
    return Answers({name: tuple(sorted(workers)) for name, workers in queues.items()})


def beats(patience_seconds: float = PATIENCE_SECONDS) -> tuple[str, ...]:
    """The Beats whose scheduler looks; none where Redis does not answer."""
    found: list[str] = []

    def heard(reply: dict[str, Any]) -> None:
        found.extend(name for name in reply if name.startswith("celerybeat@"))
        if found:
            raise _Enough

    _ask("ping", heard, patience_seconds)
    return tuple(found)


def _ask(method: str, heard: Callable[[dict[str, Any]], None], patience_seconds: float) -> bool:
    """Ask every worker; False where Redis does not take the question."""
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    from worker.celery import app

    try:
        with app.connection_for_write(transport_options=_IMPATIENT) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=3)
            inspect = app.control.inspect(
                timeout=patience_seconds, callback=heard, connection=connection
            )
            getattr(inspect, method)()
    except _Enough:
        return True
    except (OperationalError, RedisError, OSError):
        return False
    return True
