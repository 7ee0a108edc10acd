"""What the steps ask of the broker: a healthy session, the right account, the same hours."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.fake_gateway import FakeGateway, Said
from tests.support.gateway import ONCE, close_gateway, make_gateway
from tests.support.sandbox import ACCOUNT, RunningSandbox
from tests.support.values import OPEN
from worker.clock import SystemClock
from worker.errors import NeedsLogin, NotProved, OpenbellError, TemporaryError
from worker.http import Tls
from worker.ibkr.client import GatewayReader
from worker.joined.broker import Broker
from worker.models.run import Session

CLOSE = OPEN + timedelta(hours=6, minutes=30)
SESSION = Session(opens_at=OPEN, closes_at=CLOSE, release_at=OPEN + timedelta(minutes=2))
NOW = OPEN + timedelta(minutes=5)
SCHEDULE = "GET /contract/trading-schedule"
STATUS, INIT = "GET /iserver/auth/status", "POST /iserver/auth/ssodh/init"
HEALTHY = {"authenticated": True, "connected": True, "competing": False, "established": True}


@pytest.fixture
def broker(fake_gateway: FakeGateway) -> Iterator[Broker]:
    gateway = make_gateway(fake_gateway.base_url, policy=ONCE)
    clock = ManualClock(OPEN)
    yield Broker(GatewayReader(gateway, ACCOUNT, clock, 1.0), ACCOUNT, clock)
    close_gateway(gateway)


@pytest.fixture
def real(sandbox: RunningSandbox) -> Iterator[Broker]:
    gateway = make_gateway(sandbox.base_url, tls=Tls(pinned_certificate=sandbox.certificate))
    clock = SystemClock()
    yield Broker(GatewayReader(gateway, ACCOUNT, clock, 1.0), ACCOUNT, clock)
    close_gateway(gateway)
    sandbox.session(sso=True, brokerage=True, competing=False)
    sandbox.prime()


def sentence(call: Any) -> str:
    with pytest.raises(OpenbellError) as raised:
        call()
    assert ACCOUNT not in str(raised.value)
    return f"{type(raised.value).__name__}: {raised.value.sentence}"


# The session


def test_a_healthy_session_is_all_that_is_asked_for(real: Broker) -> None:
    real.require_session()


def test_a_brokerage_session_that_is_all_that_is_missing_is_opened(
    real: Broker, sandbox: RunningSandbox
) -> None:
    sandbox.session(brokerage=False)
    real.require_session()
    assert real.tickle().healthy


def test_another_users_session_is_not_taken_away(real: Broker, sandbox: RunningSandbox) -> None:
    sandbox.session(competing=True)
    assert "TWS" in sentence(real.require_session)
    assert sandbox.control("session")["competing"] is True


def test_a_session_that_is_anothers_is_named_even_while_nobody_is_logged_in_here(
    broker: Broker, fake_gateway: FakeGateway
) -> None:
    fake_gateway.says(STATUS, {**HEALTHY, "authenticated": False, "competing": True})
    assert "NeedsLogin: another program holds" in sentence(broker.require_session)
    assert fake_gateway.count(INIT) == 0


def test_without_a_login_a_person_is_asked_for(real: Broker, sandbox: RunningSandbox) -> None:
    sandbox.session(sso=False)
    assert "NeedsLogin" in sentence(real.require_session)


@pytest.mark.parametrize(
    "status",
    [
        {"authenticated": False, "connected": False, "competing": False},
        {**HEALTHY, "established": False},
        {"authenticated": True},
        {},
    ],
)
def test_a_session_that_is_not_healthy_is_none_and_not_reopened(
    broker: Broker, fake_gateway: FakeGateway, status: Any
) -> None:
    fake_gateway.says(STATUS, status)
    assert sentence(broker.require_session).startswith("NeedsLogin")
    assert fake_gateway.count(INIT) == 0


def test_a_session_that_does_not_open_needs_a_person(
    broker: Broker, fake_gateway: FakeGateway
) -> None:
    fake_gateway.says(STATUS, {**HEALTHY, "authenticated": False})
    fake_gateway.says(INIT, {})
    assert "log in at the gateway's page" in sentence(broker.require_session)
    assert fake_gateway.count(INIT) == 1


# The account


@pytest.mark.parametrize("mode", ["dry", "paper"])
def test_the_sandboxs_account_serves_dry_and_paper(real: Broker, mode: Any) -> None:
    assert real.prove_account(mode).kind == "paper"


def test_the_sandboxs_account_does_not_serve_live(real: Broker) -> None:
    assert sentence(lambda: real.prove_account("live")).startswith("NotProved")


def test_an_account_that_is_not_named_is_not_proved(sandbox: RunningSandbox) -> None:
    gateway = make_gateway(sandbox.base_url, tls=Tls(pinned_certificate=sandbox.certificate))
    broker = Broker(GatewayReader(gateway, "", SystemClock(), 1.0), None, SystemClock())
    with pytest.raises(NotProved):
        broker.prove_account("dry")
    close_gateway(gateway)


# The hours


def tell_hours(gateway: FakeGateway, *hours: tuple[Any, Any]) -> None:
    gateway.says(
        "GET /trsrv/stocks",
        {"AAPL": [{"assetClass": "STK", "contracts": [{"conid": 265598, "isUS": True}]}]},
    )
    gateway.says("GET /iserver/contract/265598/info", {})
    liquid = [
        {"opening": int(opens.timestamp()), "closing": int(closes.timestamp())}
        for opens, closes in hours
    ]
    gateway.says(SCHEDULE, {"schedules": {"20130227": {"liquid_hours": liquid}}})


def disagreement(broker: Broker, now: Any = NOW, session: Session = SESSION) -> str | None:
    return broker.hours_disagreement(("AAPL",), session, now)


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("hours", "agrees"),
    [
        ([(OPEN, CLOSE)], True),
        ([(OPEN, CLOSE + MINUTE)], True),
        ([(OPEN, CLOSE - MINUTE)], True),
        ([(OPEN, CLOSE - 2 * MINUTE)], False),
        ([(OPEN, CLOSE - timedelta(hours=3))], False),
        ([(OPEN, CLOSE + timedelta(hours=4))], False),
        ([(NOW + MINUTE, CLOSE)], False),
        ([(OPEN - timedelta(days=1), CLOSE - timedelta(days=1))], False),
        ([(OPEN - timedelta(days=1), CLOSE - timedelta(days=1)), (OPEN, CLOSE)], True),
        ([], False),
    ],
)
def test_the_brokers_hours_must_bear_the_calendar_out(
    broker: Broker, fake_gateway: FakeGateway, hours: Any, agrees: bool
) -> None:
    tell_hours(fake_gateway, *hours)
    found = disagreement(broker)
    assert (found is None) is agrees
    if not agrees:
        assert found == "the broker's trading schedule for AAPL disagrees with the calendar"


@pytest.mark.parametrize("now", [OPEN - MINUTE, CLOSE, CLOSE + MINUTE])
def test_a_moment_out_of_the_brokers_hours_is_a_disagreement(
    broker: Broker, fake_gateway: FakeGateway, now: Any
) -> None:
    tell_hours(fake_gateway, (OPEN, CLOSE))
    assert disagreement(broker, now) is not None


def test_hours_that_may_be_read_later_are_asked_for_again(
    broker: Broker, fake_gateway: FakeGateway
) -> None:
    tell_hours(fake_gateway, (OPEN, CLOSE))
    fake_gateway.says(SCHEDULE, Said("", 500))
    with pytest.raises(TemporaryError):
        disagreement(broker)


@pytest.mark.parametrize("answer", [Said("<html>"), {"schedules": None}])
def test_hours_that_cannot_be_read_are_a_disagreement_with_the_reason(
    broker: Broker, fake_gateway: FakeGateway, answer: Any
) -> None:
    tell_hours(fake_gateway, (OPEN, CLOSE))
    fake_gateway.says(SCHEDULE, answer)
    assert str(disagreement(broker)).startswith(
        "the broker's trading schedule for AAPL cannot be read: "
    )


def test_a_login_that_is_gone_is_no_disagreement(broker: Broker, fake_gateway: FakeGateway) -> None:
    tell_hours(fake_gateway, (OPEN, CLOSE))
    fake_gateway.says(SCHEDULE, Said("", 401))
    with pytest.raises(NeedsLogin):
        disagreement(broker)


def test_the_sandbox_agrees_in_its_session(real: Broker, sandbox: RunningSandbox) -> None:
    now = sandbox.market_now()
    assert real.hours_disagreement(("AAPL", "MSFT"), SESSION, now) is None
    short = SESSION.evolve(closes_at=CLOSE - timedelta(hours=3))
    assert "disagrees" in str(real.hours_disagreement(("AAPL",), short, now))
    assert "NOPE" in str(real.hours_disagreement(("AAPL", "NOPE"), SESSION, now))
