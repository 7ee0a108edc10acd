"""How often a client may ask. Beyond that is a violation; enforced, it costs the penalty box."""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager

GLOBAL_LIMIT = 10
PENALTY_SECONDS = 15 * 60
# Calls and the seconds they may fall into, by method and path. Everything else: the global limit.
LIMITS = {
    "GET /iserver/account/orders": (1, 5.0),
    "GET /iserver/account/trades": (1, 5.0),
    "GET /iserver/account/pnl/partitioned": (1, 5.0),
    "GET /portfolio/accounts": (1, 5.0),
    "GET /portfolio/subaccounts": (1, 5.0),
    "GET /tickle": (1, 1.0),
    "POST /tickle": (1, 1.0),
    "GET /sso/validate": (1, 60.0),
}
MOST_AT_ONCE = {"GET /iserver/marketdata/history": 5}
EVERYTHING = "*"


class Pacing:
    """Counts in wall time, as the broker does."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = defaultdict(deque)
        self._running: Counter[str] = Counter()
        self._boxed_until = 0.0

    @contextmanager
    def running(self, path: str) -> Iterator[None]:
        """Around a request, from its arrival to its answer."""
        self._running[path] += 1
        try:
            yield
        finally:
            self._running[path] -= 1

    def violated(self, path: str, wall: float) -> bool:
        """Notes one request; true when it was one too many. Every request counts."""
        over = self._over(EVERYTHING, wall, GLOBAL_LIMIT, 1.0)
        if path in LIMITS:
            over = self._over(path, wall, *LIMITS[path]) or over
        return over or self._running[path] > MOST_AT_ONCE.get(path, math.inf)

    def box(self, wall: float) -> None:
        self._boxed_until = wall + PENALTY_SECONDS

    def boxed(self, wall: float) -> bool:
        return wall < self._boxed_until

    def release(self) -> None:
        self._boxed_until = 0.0

    def _over(self, key: str, wall: float, limit: int, seconds: float) -> bool:
        seen = self._seen[key]
        while seen and seen[0] <= wall - seconds:
            seen.popleft()
        seen.append(wall)
        return len(seen) > limit
