"""What commands reach: the configured services, with a journal that can be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.console import openbell
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    import redis

    from worker.ibkr.client import GatewayReader
    from worker.journal.runs import RunRow
    from worker.models.order import OrderRecord
    from worker.runtime import Services

LAST = "last"


def open_services() -> "Services":
    """Raises ConfigurationError where the configuration is wrong or the journal cannot be used."""
    from worker.runtime import services

    s = services()
    require_journal(s)
    return s


def require_journal(s: "Services") -> None:
    """Raises ConfigurationError where the journal is not there or has another schema."""
    from sqlalchemy import make_url

    url = make_url(s.settings.journal_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        # Merely looking would leave an empty file behind.
        raise ConfigurationError(
            f"there is no journal yet at {url.database}; make it with "
            f"`{openbell()} journal upgrade`, or start everything with `{openbell()} up`"
        )
    s.journal.require_schema()


def find_run(s: "Services", wanted: str) -> "RunRow":
    """A run by its id, by a beginning of it that no other has, or the `last` one."""
    if wanted == LAST:
        newest = s.runs.recent(1)
        if not newest:
            raise ConfigurationError(f"there is no run yet; start one with `{openbell()} trigger`")
        return newest[0]
    found = s.runs.starting_with(wanted) if wanted else []
    exact = [row for row in found if row.run_id == wanted]
    if len(found) == 1 or exact:
        return (exact or found)[0]
    if found:
        raise ConfigurationError(
            f"several runs begin with {wanted!r}; write more of the id (`{openbell()} runs list`)"
        )
    raise ConfigurationError(f"there is no run {wanted!r}; see `{openbell()} runs list`")


def find_order(s: "Services", wanted: str) -> "OrderRecord":
    """An order by its client order id, or by a beginning of it that no other has."""
    found = s.orders.starting_with(wanted) if wanted else []
    exact = [order for order in found if order.intent.coid == wanted]
    if len(found) == 1 or exact:
        return (exact or list(found))[0]
    if found:
        raise ConfigurationError(
            f"several orders begin with {wanted!r}; write more of the id "
            "(`openbell orders list --json`)"
        )
    raise ConfigurationError(f"there is no order {wanted!r}; see `openbell orders list --json`")


def impatient_redis(s: "Services", seconds: float = 2.0) -> "redis.Redis":
    """For a person who waits: a server that does not answer is asked once."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    url = s.settings.redis_url.get_secret_value()
    return redis.Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 0)
    )


@contextmanager
def impatient_reader(s: "Services", timeout_seconds: float = 5.0) -> Iterator["GatewayReader"]:
    """A reader of the gateway for a person who waits: in the shared pace, but no read is repeated.
    Raises ConfigurationError where the configured certificate cannot be read."""
    from worker.http import make_client
    from worker.ibkr.client import GatewayReader
    from worker.ibkr.gateway import Gateway
    from worker.ibkr.pacing import RedisLimiter
    from worker.retry import Retry, RetryPolicy

    ibkr = s.settings.ibkr
    timeout = min(timeout_seconds, ibkr.timeout_seconds)
    once = Retry("broker_read", RetryPolicy(attempts=1), s.clock.sleep)
    with (
        make_client(ibkr.base_url, tls=ibkr.tls, timeout_seconds=timeout) as client,
        impatient_redis(s, 1.0) as redis,
    ):
        limiter = RedisLimiter(redis, ibkr.requests_per_second, s.clock, ibkr.base_url)
        wait = min(ibkr.quote_wait_seconds, timeout)
        yield GatewayReader(Gateway(client, limiter, once), s.account_id, s.clock, wait)


def short_account(account_id: str | None) -> str | None:
    """Enough to recognise an account by, and no more: DU9…01."""
    if not account_id:
        return None
    return account_id if len(account_id) < 6 else f"{account_id[:3]}…{account_id[-2:]}"
