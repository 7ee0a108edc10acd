"""One pace for all processes, kept in Redis; without Redis a strict share of one's own.

The gateway takes 10 requests a second and punishes an address that sends more with a quarter of
an hour of silence, so every process waits here before it asks.
"""

import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import redis
import structlog

from worker.clock import Clock, monotonic
from worker.errors import PacingError

PENALTY_SECONDS = 15 * 60
_TURN_MILLISECONDS = 30_000
LONGEST_WAIT_SECONDS = 20.0
# Seconds between two requests, by method and path; everything else has the global pace alone.
INTERVALS = {
    "GET /iserver/account/orders": 5.0,
    "GET /iserver/account/trades": 5.0,
    "GET /portfolio/accounts": 5.0,
    "GET /sso/validate": 60.0,
    "POST /tickle": 1.0,
}
# A slot is given or refused in one step, by Redis's own clock: processes need not agree on time.
_TAKE = """
local now = redis.call('TIME'); local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local box = redis.call('PTTL', KEYS[3]); if box > 0 then return -box end
if tonumber(ARGV[2]) > 0 then
  local held = redis.call('PTTL', KEYS[2]); if held > 0 then return held end
end
local floor = ms - 1000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', floor)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return math.max(1, tonumber(oldest[2]) - floor)
end
redis.call('ZADD', KEYS[1], ms, ARGV[3]); redis.call('PEXPIRE', KEYS[1], 2000)
if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[2], '1', 'PX', ARGV[2]) end
return 0
"""
# A turn that ran out may be another's by now.
_END_MINE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
log = structlog.get_logger(__name__)


class Limiter(Protocol):
    def wait(self, endpoint: str) -> None:
        """Return when `endpoint` (method and path) may be asked. Raises PacingError instead of
        waiting for long."""

    def punished(self) -> None:
        """The gateway answered 429: nobody asks until the penalty is over."""

    def shared(self, key: str, seconds: float, read: Callable[[], Any]) -> Any:
        """The JSON value that any process read under `key` within `seconds`, else `read()`: one
        process reads, the others wait for it."""


class RedisLimiter:
    """`gateway`: the address whose pace it keeps; two gateways on one Redis share nothing."""

    def __init__(self, client: "redis.Redis", per_second: int, clock: Clock, gateway: str) -> None:
        self._redis, self._per_second, self._clock = client, per_second, clock
        self._prefix = f"openbell:ibkr:{hashlib.sha256(gateway.encode()).hexdigest()[:12]}"
        self._take = client.register_script(_TAKE)
        self._end_mine = client.register_script(_END_MINE)
        self._local = threading.Lock()
        self._next_local = 0.0

    def wait(self, endpoint: str) -> None:
        end = monotonic() + LONGEST_WAIT_SECONDS
        while (pause := self._ask(endpoint)) > 0:
            if monotonic() + pause > end:
                raise PacingError(
                    f"the gateway's pace leaves no room for {endpoint}", retry_after_seconds=pause
                )
            self._clock.sleep(min(pause, 1.0))

    def punished(self) -> None:
        log.error("penalty_box", seconds=PENALTY_SECONDS)
        self._next_local = monotonic() + PENALTY_SECONDS  # should Redis go away meanwhile
        try:
            self._redis.set(f"{self._prefix}:penalty", "1", px=PENALTY_SECONDS * 1000)
        except redis.RedisError:
            log.warning("penalty_not_shared")

    def shared(self, key: str, seconds: float, read: Callable[[], Any]) -> Any:
        name = f"{self._prefix}:shared:{key}"
        turn = uuid.uuid4().hex
        try:
            kept = self._kept_or_turn(name, turn)
        except redis.RedisError:
            return read()
        if kept is not None:
            return json.loads(kept)
        try:
            value = read()
            self._share(name, seconds, value)
        finally:
            self._end_turn(name, turn)
        return value

    def _kept_or_turn(self, name: str, turn: str) -> str | bytes | None:
        """What another process read; None when it is this one's turn to read."""
        end = monotonic() + LONGEST_WAIT_SECONDS
        while True:
            kept = self._redis.get(name)
            if isinstance(kept, bytes | str):
                return kept
            mine = self._redis.set(f"{name}:reading", turn, nx=True, px=_TURN_MILLISECONDS)
            if mine or monotonic() > end:
                return None
            self._clock.sleep(0.1)

    def _share(self, name: str, seconds: float, value: Any) -> None:
        try:
            self._redis.set(name, json.dumps(value), px=int(seconds * 1000))
        except redis.RedisError:
            log.warning("not_shared", name=name)

    def _end_turn(self, name: str, turn: str) -> None:
        with suppress(redis.RedisError):  # it ends by itself as well
            self._end_mine(keys=[f"{name}:reading"], args=[turn])

    def _ask(self, endpoint: str) -> float:
        """0: go. Otherwise seconds until it is worth asking again."""
        interval = INTERVALS.get(endpoint, 0.0)
        keys = [f"{self._prefix}:{each}" for each in ("pace", f"pace:{endpoint}", "penalty")]
        ticket = uuid.uuid4().hex
        try:
            answer = int(
                self._take(keys=keys, args=[self._per_second, int(interval * 1000), ticket])
            )
        except redis.RedisError:
            return self._ask_locally(endpoint)
        if answer < 0:
            raise PacingError(
                "the gateway punishes this address for too many requests",
                retry_after_seconds=-answer / 1000,
            )
        return answer / 1000

    def _ask_locally(self, endpoint: str) -> float:
        """Redis is away: one request a second and process, and the slow endpoints none."""
        interval = INTERVALS.get(endpoint, 0.0)
        if interval > 1:
            raise PacingError(
                f"Redis does not answer, and without it {endpoint} has no pace",
                retry_after_seconds=interval,
            )
        with self._local:
            now = monotonic()
            if now < self._next_local:
                return self._next_local - now
            self._next_local = now + 1.0
            return 0.0
