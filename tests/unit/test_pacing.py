"""One pace for all processes: never more than the gateway takes, with Redis or without."""

import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
import redis

from tests.support.valkey import ValkeyServer, valkey_server
from worker.clock import SystemClock, monotonic
from worker.errors import PacingError
from worker.ibkr.pacing import RedisLimiter
from worker.settings import PROJECT_ROOT

__all__ = ["valkey_server"]

PER_SECOND = 8
GATEWAY = "https://127.0.0.1:5000"
ANY = "GET /trsrv/stocks"
ORDERS = "GET /iserver/account/orders"
WAITER = f"""
import sys, redis
from worker.clock import SystemClock
from worker.ibkr.pacing import RedisLimiter
client = redis.Redis.from_url(sys.argv[1])
limiter = RedisLimiter(client, {PER_SECOND}, SystemClock(), "{GATEWAY}")
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    limiter.wait("{ANY}")
client.close()
"""


def a_client(server: ValkeyServer) -> "redis.Redis":
    """As the runtime makes it, and closed with the server's fixture."""
    client = redis.Redis.from_url(server.url, socket_timeout=5, socket_connect_timeout=5)
    server._clients.append(client)
    return client


def a_limiter(server: ValkeyServer, per_second: int = PER_SECOND) -> RedisLimiter:
    return RedisLimiter(a_client(server), per_second, SystemClock(), GATEWAY)


@pytest.fixture
def limiter(valkey_server: ValkeyServer) -> RedisLimiter:
    return a_limiter(valkey_server.start())


def seconds(call: Callable[[], Any]) -> float:
    began = monotonic()
    call()
    return monotonic() - began


def ask(limiter: RedisLimiter, times: int = 1) -> float:
    """When it was let through, the last time."""
    for _ in range(times):
        limiter.wait(ANY)
    return monotonic()


class Grants:
    """Every slot that Redis gave, in milliseconds of its own clock."""

    def __init__(self, server: ValkeyServer) -> None:
        self._monitor = server.client().monitor()
        self._monitor.__enter__()

    def take(self, count: int) -> list[int]:
        found: list[int] = []
        while len(found) < count:
            command = self._monitor.next_command()["command"]
            if match := re.match(r"ZADD openbell:ibkr:\w+:pace (\d+) ", command):
                found.append(int(match[1]))
        self._monitor.__exit__(None, None, None)
        return found


@pytest.fixture
def grants(valkey_server: ValkeyServer) -> Grants:
    return Grants(valkey_server.start())


def busiest_second(grants: list[int]) -> int:
    return max(sum(end - 1000 < each <= end for each in grants) for end in grants)


def test_two_processes_at_once_never_have_more_than_the_pace(
    valkey_server: ValkeyServer, grants: Grants
) -> None:
    command = [sys.executable, "-c", WAITER, valkey_server.url, "11"]
    processes = [
        subprocess.Popen(
            command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    began = monotonic()
    for process in processes:
        process.communicate("go\n", timeout=30)
        assert process.returncode == 0
    given = grants.take(22)
    assert busiest_second(given) == PER_SECOND  # and it is used
    assert 2 <= monotonic() - began < 6


def test_threads_at_once_never_have_more_than_the_pace(
    limiter: RedisLimiter, grants: Grants
) -> None:
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: limiter.wait(ANY), range(20)))
    assert busiest_second(grants.take(20)) == PER_SECOND


def test_a_slow_endpoint_is_asked_once_in_its_interval(limiter: RedisLimiter) -> None:
    assert seconds(lambda: limiter.wait("POST /tickle")) < 0.5
    assert 0.9 < seconds(lambda: limiter.wait("POST /tickle")) < 2


def test_the_interval_holds_between_processes_and_not_between_endpoints(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    limiter.wait("POST /tickle")
    other = a_limiter(valkey_server)
    assert seconds(lambda: other.wait(ANY)) < 0.5
    assert seconds(lambda: other.wait("POST /tickle")) > 0.5


def test_a_pause_that_is_too_long_is_refused_at_once(limiter: RedisLimiter) -> None:
    limiter.wait("GET /sso/validate")
    with pytest.raises(PacingError) as raised:
        limiter.wait("GET /sso/validate")
    assert raised.value.retry_after_seconds is not None
    assert 55 < raised.value.retry_after_seconds <= 60


def test_waiting_for_an_interval_uses_up_no_slot_of_others(limiter: RedisLimiter) -> None:
    limiter.wait("GET /sso/validate")
    for _ in range(20):
        with pytest.raises(PacingError):
            limiter.wait("GET /sso/validate")
    assert seconds(lambda: ask(limiter, PER_SECOND - 1)) < 0.9


def test_after_a_429_nobody_asks(limiter: RedisLimiter, valkey_server: ValkeyServer) -> None:
    limiter.punished()
    for each in (limiter, a_limiter(valkey_server)):
        with pytest.raises(PacingError) as raised:
            each.wait(ANY)
        assert raised.value.retry_after_seconds is not None
        assert 14 * 60 < raised.value.retry_after_seconds <= 15 * 60


def test_without_redis_a_process_has_one_request_a_second(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    limiter.wait(ANY)
    valkey_server.kill()
    limiter.wait(ANY)
    moments = []
    for _ in range(2):
        limiter.wait(ANY)
        moments.append(monotonic())
    assert all(after - before >= 0.95 for before, after in pairwise(moments))


def test_without_redis_threads_share_their_processs_pace(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    valkey_server.kill()
    with ThreadPoolExecutor(4) as pool:
        moments = sorted(pool.map(lambda _: ask(limiter), range(3)))
    assert all(after - before >= 0.9 for before, after in pairwise(moments))


def test_without_redis_a_slow_endpoint_is_not_asked_at_all(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    """Another process may have asked it a moment ago, and nobody could know."""
    valkey_server.kill()
    for endpoint in (ORDERS, "GET /iserver/account/trades", "GET /portfolio/accounts"):
        with pytest.raises(PacingError) as raised:
            limiter.wait(endpoint)
        assert raised.value.retry_after_seconds == 5
        assert endpoint in raised.value.sentence


def test_a_penalty_outlives_redis(limiter: RedisLimiter, valkey_server: ValkeyServer) -> None:
    limiter.punished()
    valkey_server.kill()
    with pytest.raises(PacingError):
        limiter.wait(ANY)


def test_a_penalty_is_kept_where_redis_is_away(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    valkey_server.kill()
    limiter.punished()
    with pytest.raises(PacingError):
        limiter.wait(ANY)


def test_redis_that_is_back_gives_the_shared_pace_again(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    valkey_server.kill()
    limiter.wait(ANY)
    valkey_server.start()
    assert seconds(lambda: ask(limiter, 5)) < 0.9


def reading(value: Any) -> tuple[list[int], Callable[[], Any]]:
    calls = [0]

    def read() -> Any:
        calls[0] += 1
        return value

    return calls, read


def test_a_shared_value_is_read_once_for_all_processes(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    value = [{"accountId": "DU1", "type": "DEMO"}]
    calls, read = reading(value)
    other = a_limiter(valkey_server)
    assert [limiter.shared("a", 5, read), other.shared("a", 5, read)] == [value, value]
    assert other.shared("b", 5, read) == value
    assert calls == [2]


def test_two_gateways_on_one_redis_share_nothing(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    other = RedisLimiter(a_client(valkey_server), 1, SystemClock(), "https://another:5000")
    assert limiter.shared("a", 5, lambda: 1) == 1
    assert other.shared("a", 5, lambda: 2) == 2
    other.punished()
    limiter.wait(ANY)
    with pytest.raises(PacingError):
        other.wait(ANY)


def test_who_read_too_long_ends_nobody_elses_turn(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    client = a_client(valkey_server)

    def slow() -> Any:
        [key] = client.keys("*:reading")
        client.set(key, "another's by now")
        return 1

    limiter.shared("a", 0.05, slow)
    assert [client.get(key) for key in client.keys("*:reading")] == [b"another's by now"]


def test_a_shared_value_is_read_again_when_it_is_old(limiter: RedisLimiter) -> None:
    calls, read = reading({"x": 1})
    limiter.shared("a", 0.05, read)
    SystemClock().sleep(0.1)
    limiter.shared("a", 0.05, read)
    assert calls == [2]


def test_a_read_that_fails_is_not_shared(limiter: RedisLimiter) -> None:
    def failing() -> Any:
        raise PacingError("no")

    with pytest.raises(PacingError):
        limiter.shared("a", 5, failing)
    calls, read = reading({"x": 1})
    assert limiter.shared("a", 5, read) == {"x": 1}
    assert calls == [1]


def test_without_redis_a_shared_value_is_read_each_time(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    valkey_server.kill()
    calls, read = reading({"x": 1})
    assert [limiter.shared("a", 5, read) for _ in range(2)] == [{"x": 1}] * 2
    assert calls == [2]


def test_those_that_ask_at_once_share_one_read(
    limiter: RedisLimiter, valkey_server: ValkeyServer
) -> None:
    others = [limiter, a_limiter(valkey_server), a_limiter(valkey_server)]
    calls: list[int] = []

    def slow() -> Any:
        calls.append(1)
        SystemClock().sleep(0.3)
        return {"x": len(calls)}

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda each: each.shared("a", 5, slow), others))
    assert found == [{"x": 1}] * 3
