"""The gateway's session: healthy when all four say so, and primed before it is used."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.fake_gateway import FakeGateway, Said
from tests.support.gateway import PAPER, failure
from tests.support.sandbox import ACCOUNT, RunningSandbox
from worker.errors import (
    BrokerError,
    NeedsLogin,
    TemporaryError,
)  # fmt: skip
from worker.ibkr.client import GatewayReader
from worker.models.market import BrokerSession, Contract

HEALTHY = {"authenticated": True, "connected": True, "competing": False, "established": True}
STATUS, INIT = "GET /iserver/auth/status", "POST /iserver/auth/ssodh/init"
ACCOUNTS, SNAPSHOT = "GET /iserver/accounts", "GET /iserver/marketdata/snapshot"
AAPL = Contract(symbol="AAPL", conid=265598, exchange="NASDAQ")
FULL = {
    "conid": 265598, "conidEx": "265598", "_updated": 1361975520000, "31": "444.57",
    "84": "444.50", "86": "444.60", "7762": "1234567", "7741": "448.97", "6509": "RpB",
    "7184": "1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "healthy"),
    [
        (HEALTHY, True),
        ({name: value for name, value in HEALTHY.items() if name != "established"}, True),
        ({**HEALTHY, "established": None}, True),
        ({**HEALTHY, "authenticated": False}, False),
        ({**HEALTHY, "connected": False}, False),
        ({**HEALTHY, "competing": True}, False),
        ({**HEALTHY, "established": False}, False),
        ({**HEALTHY, "established": "true"}, False),
        ({**HEALTHY, "authenticated": "true"}, False),
        ({**HEALTHY, "connected": 1}, False),
        ({**HEALTHY, "competing": None}, False),
        ({"authenticated": True, "connected": True}, False),
        ({"connected": True, "competing": False}, False),
        ({"authenticated": True, "competing": False}, False),
        ({"authenticated": False, "competing": False, "connected": False, "MAC": "x"}, False),
        ({"error": "no session"}, False),
        ({}, False),
        ([], False),
    ],
)
def test_a_session_is_healthy_when_all_four_say_so(
    reader: GatewayReader, fake_gateway: FakeGateway, status: Any, healthy: bool
) -> None:
    fake_gateway.says(STATUS, status)
    assert reader.session().healthy is healthy


@pytest.mark.parametrize("authenticated", [True, False])
def test_another_user_of_the_session_is_seen_whoever_is_logged_in(
    reader: GatewayReader, fake_gateway: FakeGateway, authenticated: bool
) -> None:
    fake_gateway.says(STATUS, {**HEALTHY, "authenticated": authenticated, "competing": True})
    assert reader.session().competing is True


def test_a_refusal_is_the_sessions_message(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    fake_gateway.says(STATUS, {"fail": "Force compete needed", "message": "other"})
    assert reader.session().message == "Force compete needed"


@pytest.mark.parametrize(
    ("answer", "session"),
    [
        (
            {"session": "5f", "iserver": {"authStatus": {**HEALTHY, "message": "hello"}}},
            BrokerSession(**HEALTHY, message="hello"),
        ),
        (
            {"error": "no session"},
            BrokerSession(
                authenticated=False, connected=False, competing=False, message="no session"
            ),
        ),
        (
            {"session": "5f", "hmds": {"error": "no bridge"}},
            BrokerSession(authenticated=False, connected=False, competing=False),
        ),
        (
            {"session": "5f", "iserver": None},
            BrokerSession(authenticated=False, connected=False, competing=False),
        ),
    ],
)
def test_a_tickle_says_how_the_session_is(
    reader: GatewayReader, fake_gateway: FakeGateway, answer: Any, session: BrokerSession
) -> None:
    fake_gateway.says("POST /tickle", answer)
    assert reader.tickle() == session
    assert "5f" not in repr(reader.tickle())


def test_a_tickle_without_a_login_needs_a_person(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    fake_gateway.says("POST /tickle", Said("", 401))
    assert type(failure(reader.tickle)) is NeedsLogin


def test_the_brokerage_session_is_opened_once_and_waited_for(
    reader: GatewayReader, fake_gateway: FakeGateway, clock: ManualClock
) -> None:
    fake_gateway.says(INIT, {"passed": True, "established": False})
    fake_gateway.says(STATUS, *[{**HEALTHY, "established": False}] * 2, HEALTHY)
    assert reader.reopen_brokerage(compete=False).healthy
    assert fake_gateway.count(INIT) == 1
    assert clock.slept == [0.5, 0.5]


def test_a_brokerage_session_that_never_comes_is_given_up(
    reader: GatewayReader, fake_gateway: FakeGateway, clock: ManualClock
) -> None:
    fake_gateway.says(INIT, {})
    fake_gateway.says(STATUS, {**HEALTHY, "authenticated": False})
    assert not reader.reopen_brokerage(compete=False).healthy
    assert sum(clock.slept) <= 10


def test_a_brokerage_session_that_is_anothers_is_not_waited_for(
    reader: GatewayReader, fake_gateway: FakeGateway, clock: ManualClock
) -> None:
    fake_gateway.says(INIT, {})
    fake_gateway.says(STATUS, {**HEALTHY, "authenticated": False, "competing": True})
    assert reader.reopen_brokerage(compete=False).competing
    assert clock.slept == []


def test_the_sandboxs_session_is_opened_again(real: GatewayReader, sandbox: RunningSandbox) -> None:
    assert real.session().healthy
    assert real.tickle().healthy
    sandbox.session(brokerage=False)
    assert not real.session().healthy
    assert real.reopen_brokerage(compete=False).healthy
    assert real.prime()["selectedAccount"] == ACCOUNT


@pytest.mark.parametrize("answer", [{}, {"accounts": []}, {"accounts": None}, {"accounts": "DU1"}])
def test_accounts_that_are_not_loaded_yet_are_asked_for_later(
    reader: GatewayReader, fake_gateway: FakeGateway, answer: Any
) -> None:
    fake_gateway.says(ACCOUNTS, answer)
    assert type(failure(reader.prime)) is TemporaryError


def test_what_was_not_primed_is_primed_and_read_once_more(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    fake_gateway.says(ACCOUNTS, {"accounts": [PAPER]})
    fake_gateway.says(SNAPSHOT, Said('{"error":"Please query /accounts first"}', 500), [FULL])
    assert reader.quotes([AAPL])[0].last == Decimal("444.57")
    assert fake_gateway.count(ACCOUNTS) == 1


def test_what_stays_unprimed_is_an_error_and_no_endless_circle(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    fake_gateway.says(ACCOUNTS, {"accounts": [PAPER]})
    fake_gateway.says(SNAPSHOT, Said('{"error":"Please query /accounts first"}', 500))
    assert isinstance(failure(lambda: reader.quotes([AAPL])), BrokerError)
    assert (fake_gateway.count(ACCOUNTS), fake_gateway.count(SNAPSHOT)) == (1, 2)
