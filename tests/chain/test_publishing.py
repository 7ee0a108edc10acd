"""A publication gives up within 5 s wherever Redis stops answering, and says what is known."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tasks.chain import publish
from tests.support.freezing import freezing_way
from tests.support.stack import Stack
from worker.clock import monotonic
from worker.errors import TemporaryError, Unreachable

StartStack = Callable[..., Stack]
PATIENCE_SECONDS = 5.5


@pytest.mark.parametrize(
    ("word", "error"),
    [
        (b"AUTH", Unreachable),
        (b"SELECT", Unreachable),
        (b"PING", Unreachable),
        (b"LPUSH", TemporaryError),
    ],
)
def test_a_server_that_freezes_is_given_up_in_time(
    start_stack: StartStack, word: bytes, error: type[TemporaryError]
) -> None:
    stack = start_stack(workers=False)
    run_id = stack.trigger()
    address = urlsplit(stack.redis_url)
    run = stack.services.runs.get(run_id).run
    with freezing_way(address.port or 0, word) as way:
        stack.environment["OPENBELL_REDIS_URL"] = stack.redis_url = stack.redis_url.replace(
            f":{address.port}/", f":{way.port}/"
        )
        stack.enter()
        began = monotonic()
        with pytest.raises(TemporaryError) as raised:
            publish(run)
        took_seconds = monotonic() - began
        assert way.is_frozen
    assert type(raised.value) is error
    assert took_seconds < PATIENCE_SECONDS
    said = "it may have started" if error is TemporaryError else "Redis does not take the run"
    assert said in raised.value.sentence
