"""A run's log lines in Redis: complete while it is there, no burden while it is not."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import structlog

from tests.support.valkey import ValkeyServer, valkey_server
from worker import runlog
from worker.clock import SystemClock, monotonic
from worker.logs import configure_logging, log_context
from worker.runlog import RunLog, lines_of, stream_of

__all__ = ["valkey_server"]
RUN = "20130227-143000-1-aaaaaaaa"
NOWHERE = "redis://127.0.0.1:1/0"
MakeLog = Callable[[str, str], RunLog]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in root.handlers:
        if isinstance(handler, RunLog):
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.fixture
def make_log() -> Iterator[MakeLog]:
    """A run log whose lines are as the test says, without the rest of logging."""
    made: list[RunLog] = []

    def make(url: str, line: str) -> RunLog:
        log = RunLog(url)
        log.setFormatter(logging.Formatter(line, validate=False))
        made.append(log)
        return log

    yield make
    for log in made:
        log.close()


def wait_for(client: redis.Redis, count: int, run_id: str = RUN) -> list[dict[str, Any]]:
    end = monotonic() + 10
    while len(lines := lines_of(client, run_id)) < count:
        assert monotonic() < end, lines
        SystemClock().sleep(0.02)
    return lines


def test_events_of_a_run_are_kept_with_their_fields_and_others_are_not(
    valkey_server: ValkeyServer,
) -> None:
    configure_logging("info", "json", RunLog(valkey_server.url))
    log = structlog.get_logger("test")
    log.info("nobodys_event")
    with log_context(run_id=RUN, step="place_orders"):
        log.info("order_sent", coid="ob-1")
        logging.getLogger("library").warning("said %s", "so")
        log.debug("not_asked_for")
    log.warning("run_recovered", run_id=RUN)
    client = redis.Redis.from_url(valkey_server.url)
    lines = wait_for(client, 3)
    assert [(line.get("step"), line["level"], line["event"]) for line in lines] == [
        ("place_orders", "info", "order_sent"),
        ("place_orders", "warning", "said so"),
        (None, "warning", "run_recovered"),
    ]
    assert lines[0]["coid"] == "ob-1"
    assert {line["run_id"] for line in lines} == {RUN}
    assert 0 < int(str(client.ttl(stream_of(RUN)))) <= runlog.KEPT_SECONDS
    client.close()


def test_a_traceback_is_kept_and_a_secret_is_not(valkey_server: ValkeyServer) -> None:
    configure_logging("info", "json", RunLog(valkey_server.url, ["hunter2", ""]))
    try:
        raise ValueError("the password hunter2 is wrong")
    except ValueError:
        structlog.get_logger("test").exception("step_failed", run_id=RUN, url="redis://:hunter2@x")
    client = redis.Redis.from_url(valkey_server.url)
    [line] = wait_for(client, 1)
    assert "hunter2" not in str(line)
    assert "ValueError: the password *** is wrong" in line["exception"]
    client.close()


def test_a_stream_is_capped_and_keeps_the_newest(
    valkey_server: ValkeyServer, make_log: MakeLog
) -> None:
    log = make_log(valkey_server.url, '{"event": "%(n)s"}')
    count = runlog.MOST_LINES + 50
    for number in range(count):
        record = logging.makeLogRecord({"msg": {"run_id": RUN}, "n": number})
        log.emit(record)
        if number % 500 == 0:
            log.flush()
    client = redis.Redis.from_url(valkey_server.url)
    end = monotonic() + 10
    while (lines := lines_of(client, RUN))[-1:] != [{"event": str(count - 1)}]:
        assert monotonic() < end, lines[-1:]
        SystemClock().sleep(0.02)
    assert len(lines) <= runlog.MOST_LINES
    client.close()


def test_without_redis_nobody_waits_and_what_waits_is_bounded(make_log: MakeLog) -> None:
    log = make_log(NOWHERE, "{}")
    began = monotonic()
    for _ in range(5000):
        log.emit(logging.makeLogRecord({"msg": {"run_id": RUN}}))
    log.flush()
    assert monotonic() - began < 2.0
    assert len(log._waiting) <= runlog.MOST_WAITING


def test_what_waits_is_sent_when_redis_comes_back(
    valkey_server: ValkeyServer, make_log: MakeLog
) -> None:
    valkey_server.stop()
    log = make_log(valkey_server.url, '{"event": "kept"}')
    log.emit(logging.makeLogRecord({"msg": {"run_id": RUN}}))
    valkey_server.start()
    client = redis.Redis.from_url(valkey_server.url)
    assert wait_for(client, 1) == [{"event": "kept"}]
    client.close()


def test_a_line_that_cannot_be_made_costs_nobody_anything(make_log: MakeLog) -> None:
    log = make_log(NOWHERE, "%(there_is_no_such_field)s")
    log.emit(logging.makeLogRecord({"msg": {"run_id": RUN}}))
    assert len(log._waiting) == 0
