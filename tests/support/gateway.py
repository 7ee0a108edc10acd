"""The gateway's client as the runtime makes it, but for a pace that tests can see."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.fake_gateway import FakeGateway
from tests.support.sandbox import ACCOUNT as SANDBOX_ACCOUNT
from tests.support.sandbox import RunningSandbox
from worker.clock import SystemClock
from worker.errors import OpenbellError
from worker.http import Tls, make_client
from worker.ibkr.client import GatewayReader
from worker.ibkr.gateway import Gateway
from worker.retry import Retry, RetryPolicy

QUICK = RetryPolicy(
    attempts=3, wait_initial_seconds=0.001, wait_max_seconds=0.002, total_seconds=30
)
ONCE = RetryPolicy(attempts=1)
PAPER = "DU1234567"
ACCOUNTS = re.compile(r"\b[DUF][A-Z]{0,2}\d{7}\b")


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
    client = make_client(base_url, tls=tls or Tls(verify=False), timeout_seconds=timeout_seconds)
    retry = Retry("broker_read", policy, SystemClock().sleep)
    return Gateway(client, limiter or NoPace(), retry)


def close_gateway(gateway: Gateway) -> None:
    gateway._client.close()


def failure(call: Callable[[], Any]) -> OpenbellError:
    """What the call raises; it names no account."""
    with pytest.raises(OpenbellError) as raised:
        call()
    assert not ACCOUNTS.search(str(raised.value))
    return raised.value


@pytest.fixture
def pace() -> NoPace:
    return NoPace()


@pytest.fixture
def reader(fake_gateway: FakeGateway, clock: ManualClock, pace: NoPace) -> Iterator[GatewayReader]:
    """Of the fake gateway, which says nothing yet."""
    gateway = make_gateway(fake_gateway.base_url, policy=ONCE, limiter=pace)
    yield GatewayReader(gateway, PAPER, clock, quote_wait_seconds=3.0)
    close_gateway(gateway)


@pytest.fixture
def real(sandbox: RunningSandbox) -> Iterator[GatewayReader]:
    """Of the module's sandbox, which is afterwards as it was at its start."""
    gateway = make_gateway(sandbox.base_url, tls=Tls(pinned_certificate=sandbox.certificate))
    yield GatewayReader(gateway, SANDBOX_ACCOUNT, SystemClock(), quote_wait_seconds=5.0)
    close_gateway(gateway)
    sandbox.faults(delayed_data=False)
    sandbox.session(sso=True, brokerage=True, competing=False)
    sandbox.prime()
