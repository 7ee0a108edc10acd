"""The gateway's client as the runtime makes it, but for a pace that tests can see."""

from collections.abc import Callable
from typing import Any

from worker.clock import Clock, SystemClock
from worker.http import Tls, make_client
from worker.ibkr.client import GatewayReader
from worker.ibkr.gateway import Gateway
from worker.retry import Retry, RetryPolicy

QUICK = RetryPolicy(
    attempts=3, wait_initial_seconds=0.001, wait_max_seconds=0.002, total_seconds=30
)
ONCE = RetryPolicy(attempts=1)


class NoPace:
    """Lets everything pass at once and shares nothing; remembers what it was asked."""

    def __init__(self) -> None:
        self.waits: list[str] = []
        self.punishments = 0

    def wait(self, endpoint: str) -> None:
        self.waits.append(endpoint)

    def punished(self) -> None:
        self.punishments += 1

    def shared(self, key: str, seconds: float, read: Callable[[], Any]) -> Any:
        return read()


def make_gateway(
    base_url: str,
    *,
    tls: Tls | None = None,
    policy: RetryPolicy = QUICK,
    timeout_seconds: float = 5.0,
    limiter: NoPace | None = None,
) -> Gateway:
    """Close its client in the end: `close_gateway`."""
    client = make_client(base_url, tls=tls or Tls(), timeout_seconds=timeout_seconds)
    retry = Retry("broker_read", policy, SystemClock().sleep)
    return Gateway(client, limiter or NoPace(), retry)


def close_gateway(gateway: Gateway) -> None:
    gateway._client.close()


def make_reader(
    gateway: Gateway, account_id: str, clock: Clock, quote_wait_seconds: float = 3.0
) -> GatewayReader:
    return GatewayReader(gateway, account_id, clock, quote_wait_seconds)
