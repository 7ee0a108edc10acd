"""What a failed request to the gateway means: who has to do what next, in one sentence."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.support.fake_gateway import FakeGateway, Said
from tests.support.gateway import ONCE, NoPace, close_gateway, make_gateway
from tests.support.sandbox import ACCOUNT, RunningSandbox
from tests.support.tls_server import Peer, TlsServer
from worker.errors import (
    BrokerError,
    NeedsLogin,
    OpenbellError,
    PacingError,
    TemporaryError,
    Unreachable,
    UnreadableAnswer,
)  # fmt: skip
from worker.http import Tls, retry_after_seconds
from worker.ibkr.gateway import Gateway, NotPrimed

NO_BRIDGE = {"error": "Bad Request: no bridge", "statusCode": 400}
INIT_FIRST = {"error": "Init session first", "statusCode": 400}
ACCOUNTS_FIRST = {"error": "Please query /accounts first"}
ACCOUNTS_FIRST_400 = {"error": "Bad Request: Please query /accounts first", "statusCode": 400}
BAD_ACCOUNT = {"error": f"Bad Request: accountId is not valid: {ACCOUNT}", "statusCode": 400}
UNAVAILABLE = {"error": "Service Unavailable", "statusCode": 503}
LATER = "Wed, 27 Feb 2013 14:30:12 GMT"
DENIED_PAGE = "<html><h1>Access Denied</h1></html>"


@pytest.fixture
def gateway(fake_gateway: FakeGateway) -> Iterator[Gateway]:
    gateway = make_gateway(fake_gateway.base_url, policy=ONCE)
    yield gateway
    close_gateway(gateway)


@contextmanager
def open_gateway(base_url: str, **wishes: Any) -> Iterator[Gateway]:
    gateway = make_gateway(base_url, **wishes)
    try:
        yield gateway
    finally:
        close_gateway(gateway)


def failure(call: Callable[[], Any]) -> OpenbellError:
    with pytest.raises(OpenbellError) as raised:
        call()
    return raised.value


def said(body: Any, status: int = 200, **headers: str) -> Said:
    return Said(body if isinstance(body, str) else json.dumps(body), status, headers)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (said("", 401), NeedsLogin, "nobody is logged in"),
        (said("<html>log in</html>", 401), NeedsLogin, "log in"),
        (said(NO_BRIDGE, 400), NeedsLogin, "brokerage session is not open"),
        (said(NO_BRIDGE, 500), NeedsLogin, "brokerage session is not open"),
        (said(INIT_FIRST, 400), NeedsLogin, "brokerage session is not open"),
        (said(ACCOUNTS_FIRST, 500), NotPrimed, "accounts first"),
        (said(ACCOUNTS_FIRST_400, 400), NotPrimed, "accounts first"),
        (said(BAD_ACCOUNT, 400), BrokerError, "is not valid"),
        (said(UNAVAILABLE, 503), TemporaryError, "503 Service Unavailable"),
        (said("", 500), TemporaryError, "500"),
        (said("gone", 410), TemporaryError, "410"),
        (said("Access Denied", 404), BrokerError, "ips.allow"),
        (said(DENIED_PAGE, 403), BrokerError, "ips.allow"),
        (said("Length Required", 411), BrokerError, "411"),
        (said("not here", 404), BrokerError, "404"),
        (said("", 302, Location="/sso/Login"), BrokerError, "302"),
        (said({"error": "No data."}, 500), BrokerError, "no data"),
        (said("", 200), UnreadableAnswer, "nothing"),
        (said("  \n", 200), UnreadableAnswer, "nothing"),
        (said("<html>welcome</html>", 200), UnreadableAnswer, "a web page"),
        (said('{"accounts": ["DU', 200), UnreadableAnswer, "not JSON"),
        (said("[" * 100_000, 200), UnreadableAnswer, "not JSON"),
        (said("ok then", 200), UnreadableAnswer, "/v1/api"),
    ],
)
def test_each_failure_leads_to_what_must_be_done(
    gateway: Gateway, fake_gateway: FakeGateway, answer: Said, kind: type, words: str
) -> None:
    path = f"/iserver/account/{ACCOUNT}/summary"
    fake_gateway.says(f"GET {path}", answer)
    error = failure(lambda: gateway.get(path))
    assert type(error) is kind
    assert words in error.sentence
    assert ACCOUNT not in repr(error) + error.sentence


def test_too_many_requests_are_told_to_everyone(fake_gateway: FakeGateway) -> None:
    limiter = NoPace()
    fake_gateway.says("GET /tickle", said({"error": "Too many"}, 429))
    with open_gateway(fake_gateway.base_url, limiter=limiter) as gateway:
        error = failure(lambda: gateway.get("/tickle"))
    assert type(error) is PacingError
    assert error.retry_after_seconds == 15 * 60
    assert (limiter.punishments, fake_gateway.count("GET /tickle")) == (1, 1)


def test_a_pause_that_the_gateway_asks_for_is_known(
    gateway: Gateway, fake_gateway: FakeGateway
) -> None:
    fake_gateway.says("GET /tickle", Said("", 503, {"Retry-After": "12"}))
    error = failure(lambda: gateway.get("/tickle"))
    assert isinstance(error, TemporaryError)
    assert error.retry_after_seconds == 12


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "12"}, 12),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": LATER, "Date": "Wed, 27 Feb 2013 14:30:00 GMT"}, 12),
        ({"Retry-After": LATER}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_a_pause_is_read_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(httpx.Headers(headers)) == seconds


def test_a_read_is_repeated_until_it_answers(fake_gateway: FakeGateway) -> None:
    limiter = NoPace()
    fake_gateway.says("GET /tickle", said("", 500), said("", 503), {"session": "x"})
    with open_gateway(fake_gateway.base_url, limiter=limiter) as gateway:
        assert gateway.get("/tickle") == {"session": "x"}
    assert limiter.waits == ["GET /tickle"] * 3


def test_a_read_by_post_is_repeated_and_has_a_body(fake_gateway: FakeGateway) -> None:
    """A POST without one is answered 411."""
    fake_gateway.says("POST /tickle", said("", 500), {"session": "x"})
    with open_gateway(fake_gateway.base_url) as gateway:
        assert gateway.read("/tickle") == {"session": "x"}
        gateway.read("/tickle", {"publish": True})
    assert fake_gateway.bodies == ["{}", "{}", '{"publish":true}']


def test_a_get_has_a_query_and_no_body(fake_gateway: FakeGateway) -> None:
    fake_gateway.says("GET /x", {})
    with open_gateway(fake_gateway.base_url) as gateway:
        gateway.get("/x", conids="1,2", days=7)
        gateway.get("/x")
    assert fake_gateway.queries == [{"conids": "1,2", "days": "7"}, {}]
    assert fake_gateway.bodies == ["", ""]


def test_once_is_once(fake_gateway: FakeGateway) -> None:
    fake_gateway.says("POST /iserver/auth/ssodh/init", said("", 503), {"connected": True})
    with open_gateway(fake_gateway.base_url) as gateway:
        failure(lambda: gateway.once("POST", "/iserver/auth/ssodh/init", body={"publish": True}))
    assert fake_gateway.count("POST /iserver/auth/ssodh/init") == 1


def test_numbers_with_a_fraction_stay_exact(gateway: Gateway, fake_gateway: FakeGateway) -> None:
    fake_gateway.says("GET /x", said('{"price": 655.05, "size": 5, "nan": NaN}'))
    answer = gateway.get("/x")
    assert (answer["price"], answer["size"]) == (Decimal("655.05"), 5)


def test_a_request_that_the_pace_refuses_is_not_sent(fake_gateway: FakeGateway) -> None:
    class Full(NoPace):
        def wait(self, endpoint: str) -> None:
            raise PacingError("no room", retry_after_seconds=3)

    fake_gateway.says("GET /tickle", {})
    with open_gateway(fake_gateway.base_url, limiter=Full()) as gateway:
        failure(lambda: gateway.get("/tickle"))
    assert fake_gateway.requests == []


def test_a_gateway_that_is_down_is_unreachable_by_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"https://127.0.0.1:{listener.getsockname()[1]}/v1/api"
    with open_gateway(address, policy=ONCE, tls=Tls(verify=False)) as gateway:
        error = failure(lambda: gateway.get("/tickle"))
    assert type(error) is Unreachable
    assert address in error.sentence
    assert "refused" in error.sentence


def test_an_unknown_certificate_is_named_as_the_cause(tmp_path: Path) -> None:
    with (
        TlsServer(tmp_path, silent) as server,
        open_gateway(server.base_url, policy=ONCE, tls=Tls()) as gateway,
    ):
        error = failure(lambda: gateway.get("/tickle"))
    assert type(error) is Unreachable
    assert "CERTIFICATE_VERIFY_FAILED" in error.sentence


def cut(peer: Peer) -> None:
    peer.request()
    peer.reset()


def silent(peer: Peer) -> None:
    peer.request()
    peer.request()


@pytest.mark.parametrize(
    ("behave", "words"), [(cut, "broke"), (silent, "did not answer")], ids=["cut", "silent"]
)
def test_a_lost_answer_is_temporary(
    tmp_path: Path, behave: Callable[[Peer], None], words: str
) -> None:
    with TlsServer(tmp_path, behave) as server:
        tls = Tls(pinned_certificate=server.certificate)
        with open_gateway(server.base_url, policy=ONCE, tls=tls, timeout_seconds=0.3) as gateway:
            error = failure(lambda: gateway.get(f"/portfolio/{ACCOUNT}/summary"))
    assert type(error) is TemporaryError
    assert words in error.sentence
    assert ACCOUNT not in error.sentence


def test_accounts_are_in_no_log_of_a_retry(fake_gateway: FakeGateway) -> None:
    path = f"/portfolio/{ACCOUNT}/summary"
    fake_gateway.says(f"GET {path}", said(f"no {ACCOUNT}", 500), {})
    with capture_logs() as logged, open_gateway(fake_gateway.base_url) as gateway:
        gateway.get(path)
    assert len(logged) == 1
    assert ACCOUNT not in str(logged)


# The same of the sandbox, which is as the broker is


@pytest.fixture
def real(sandbox: RunningSandbox) -> Iterator[Gateway]:
    tls = Tls(pinned_certificate=sandbox.certificate)
    with open_gateway(sandbox.base_url, tls=tls, policy=ONCE) as gateway:
        yield gateway
    sandbox.faults(refuse_address=False)
    sandbox.session(sso=True, brokerage=True, competing=False)
    sandbox.prime()


def test_without_a_login_a_person_must_log_in(real: Gateway, sandbox: RunningSandbox) -> None:
    sandbox.session(sso=False)
    assert type(failure(lambda: real.get("/iserver/accounts"))) is NeedsLogin
    assert type(failure(lambda: real.get("/iserver/auth/status"))) is NeedsLogin


def test_without_a_brokerage_session_it_must_be_opened(
    real: Gateway, sandbox: RunningSandbox
) -> None:
    sandbox.session(brokerage=False)
    error = failure(lambda: real.get("/iserver/account/trades"))
    assert type(error) is NeedsLogin
    assert "brokerage session" in error.sentence


def test_a_new_brokerage_session_must_be_primed(real: Gateway, sandbox: RunningSandbox) -> None:
    sandbox.session(brokerage=False)
    sandbox.session(brokerage=True)
    assert type(failure(lambda: real.get("/iserver/account/trades"))) is NotPrimed
    real.get("/iserver/accounts")
    assert real.get("/iserver/account/trades") == []


def test_an_address_that_is_not_allowed_is_named(real: Gateway, sandbox: RunningSandbox) -> None:
    sandbox.faults(refuse_address=True)
    assert "ips.allow" in failure(lambda: real.get("/tickle")).sentence


def test_a_foreign_account_is_answered_like_a_missing_login(real: Gateway) -> None:
    error = failure(lambda: real.get("/portfolio/U1234567/summary"))
    assert type(error) is NeedsLogin
    assert "U1234567" not in error.sentence
