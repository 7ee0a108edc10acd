"""A run's log lines where any machine can read them: a short stream in Redis for each run.

They are for people, and nothing depends on them: while Redis is away the newest lines wait in the
process, older ones are dropped, and nobody is held up.
"""

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

import redis
import structlog

MOST_LINES = 2000
KEPT_SECONDS = 7 * 24 * 3600
MOST_WAITING = 1000
BATCH = 100
FLUSH_SECONDS = 0.2
PAUSE_SECONDS = 1.0


def stream_of(run_id: str) -> str:
    return f"openbell:log:{run_id}"


class RunLog(logging.Handler):
    """Sends each record that has a `run_id` to its run's stream, from a thread of its own.

    It needs a formatter that makes one JSON object of a record. `secrets` are in no line.
    """

    def __init__(self, redis_url: str, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._url = redis_url
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 4)
        self._begin()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            run_id = _run_of(record)
            if run_id is None:
                return
            line = self.format(record)
            for secret in self._secrets:
                line = line.replace(secret, "***")
            if self._pid != os.getpid():
                self._begin()  # a fork has no threads, and its lines are not its parent's
            self._waiting.append((run_id, line))
            self._idle.clear()
            self._wake.set()
            self._start()
        except Exception:  # noqa: BLE001 - a line that is lost must not cost the step
            return

    def flush(self) -> None:
        """Give the thread a moment to send what waits. Called when a process ends."""
        if self._thread is not None and self._pid == os.getpid():
            self._idle.wait(FLUSH_SECONDS)

    def close(self) -> None:
        self._ended.set()
        self._wake.set()
        super().close()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._waiting: deque[tuple[str, str]] = deque(maxlen=MOST_WAITING)
        self._wake, self._idle, self._ended = (threading.Event() for _ in range(3))
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_all, name="runlog", daemon=True)
            self._thread.start()

    def _send_all(self) -> None:
        with redis.Redis.from_url(self._url, socket_timeout=2, socket_connect_timeout=2) as client:
            while self._wake.wait() and not self._ended.is_set():
                self._wake.clear()
                while batch := self._next_batch():
                    while not _send(client, batch):
                        if self._ended.wait(PAUSE_SECONDS):
                            return
                if not self._waiting:
                    self._idle.set()

    def _next_batch(self) -> list[tuple[str, str]]:
        return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]


def lines_of(client: "redis.Redis", run_id: str) -> list[dict[str, Any]]:
    """What is kept of the run, by time. Raises redis.RedisError."""
    found: Any = client.xrange(stream_of(run_id))
    lines = [json.loads(fields[b"line"]) for _, fields in found]
    return sorted(lines, key=lambda line: str(line.get("timestamp", "")))


def _run_of(record: logging.LogRecord) -> str | None:
    """From the event itself, or, for other libraries' records, from the step they come from."""
    fields = record.msg if isinstance(record.msg, dict) else structlog.contextvars.get_contextvars()
    run_id = fields.get("run_id")
    return str(run_id) if run_id else None


def _send(client: "redis.Redis", batch: list[tuple[str, str]]) -> bool:
    """False: Redis is away. What it refuses is not sent again."""
    pipeline = client.pipeline(transaction=False)
    for run_id, line in batch:
        pipeline.xadd(stream_of(run_id), {"line": line}, maxlen=MOST_LINES, approximate=False)
    for run_id in {run_id for run_id, _ in batch}:
        pipeline.expire(stream_of(run_id), KEPT_SECONDS)
    try:
        pipeline.execute(raise_on_error=False)
    except (redis.ConnectionError, redis.TimeoutError, OSError):
        return False
    except redis.RedisError:
        return True
    return True
