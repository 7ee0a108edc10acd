"""The workers, Beat and Flower, each as Celery's own commands start them."""

import sys
from collections.abc import Mapping
from functools import partial

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from scripts.parts.part import HttpProbe, Part
from scripts.parts.ports import HOST
from worker.clock import monotonic

PING_SECONDS = 0.6
FLOWER_USER = "openbell"
# Prefork where time limits must hold, threads where every call has a limit of its own.
POOLS = {
    "io": ("threads", 8),
    "wait": ("threads", 4),
    "orders": ("prefork", 1),
    "upkeep": ("prefork", 1),
    "session": ("prefork", 1),
}


def worker_parts(
    redis_url: str, after: tuple[str, ...], pools: Mapping[str, tuple[str, int]] = POOLS
) -> tuple[Part, ...]:
    """One worker a queue, so that no queue's work stands in another's way."""
    pings = Pings(redis_url)
    return tuple(
        Part(
            name=queue,
            command=_celery(
                "worker", "-Q", queue, "-P", pool, "-c", str(size), "-n", f"{queue}@%h",
                # What neighbours know is in the journal; waiting for their answers costs a second.
                "--without-mingle", "--without-gossip",
            ),
            ready=partial(pings.answered, queue),
            after=after,
            # SIGTERM then lets running steps finish (worker_soft_shutdown_timeout).
            environment={"REMAP_SIGTERM": "SIGQUIT"},
            stop_seconds=25,
        )
        for queue, (pool, size) in pools.items()
    )  # fmt: skip


def beat_part(after: tuple[str, ...]) -> Part:
    """Beat answers no question. It ends where it cannot work, so that it stays is what counts."""
    return Part(name="beat", command=_celery("beat"), ready=None, after=after)


def flower_part(port: int, password: str, after: tuple[str, ...]) -> Part:
    """Its login is in the environment alone: a command line can be read by everybody."""
    return Part(
        name="flower",
        command=_celery("flower", f"--address={HOST}", f"--port={port}", "--max_tasks=10000"),
        ready=HttpProbe(flower_url(port), "/", login=(FLOWER_USER, password)),
        after=after,
    )


def flower_url(port: int) -> str:
    return f"http://{HOST}:{port}"


class Pings:
    """Which workers answer over Redis; all are asked at once, at most every `PING_SECONDS`."""

    def __init__(self, redis_url: str) -> None:
        self._app = Celery("openbell-pings", broker=redis_url, set_as_current=False)
        self._app.conf.broker_connection_timeout = 1
        self._answered: set[str] = set()
        self._asked = -PING_SECONDS

    def answered(self, queue: str) -> bool:
        if queue not in self._answered and monotonic() - self._asked > PING_SECONDS:
            self._ask()
            self._asked = monotonic()
        return queue in self._answered

    def _ask(self) -> None:
        try:
            replies = self._app.control.ping(timeout=PING_SECONDS, limit=len(POOLS))
        except (OperationalError, redis.RedisError, OSError):
            return  # not there yet, or another one than a moment ago
        self._answered |= {name.split("@")[0] for reply in replies for name in reply}


def _celery(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "celery", "-A", "worker", *arguments)
