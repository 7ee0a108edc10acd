"""Who waits for workers to answer outlives the server in between."""

from scripts.parts.celery_parts import POOLS, Pings
from tests.support.valkey import ValkeyServer, valkey_server

__all__ = ["valkey_server"]


def test_a_valkey_that_was_restarted_is_asked_again(valkey_server: ValkeyServer) -> None:
    first = Pings(valkey_server.url)
    assert not any(first.answered(queue) for queue in POOLS)
    valkey_server.restart()
    assert not any(Pings(valkey_server.url).answered(queue) for queue in POOLS)
