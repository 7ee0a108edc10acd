"""What the client reads, of the sandbox, and of gateways stranger than the sandbox can be."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.fake_gateway import FakeGateway, Said
from tests.support.gateway import ONCE, NoPace, close_gateway, make_gateway
from tests.support.sandbox import ACCOUNT, CONIDS, RunningSandbox
from tests.support.values import OPEN
from worker.clock import SystemClock
from worker.errors import (
    BrokerError,
    NeedsLogin,
    NotProved,
    OpenbellError,
    TemporaryError,
    UnreadableAnswer,
)  # fmt: skip
from worker.http import Tls
from worker.ibkr.client import GatewayReader
from worker.ibkr.quotes import FIELDS
from worker.models.market import AccountFigures, Bar, BrokerSession, Contract, Position, Quote

PAPER, LIVE = "DU1234567", "U1234567"
HEALTHY = {"authenticated": True, "connected": True, "competing": False, "established": True}
AAPL = Contract(symbol="AAPL", conid=265598, exchange="NASDAQ")
STATUS, INIT = "GET /iserver/auth/status", "POST /iserver/auth/ssodh/init"
ACCOUNTS, SNAPSHOT = "GET /iserver/accounts", "GET /iserver/marketdata/snapshot"
FULL = {
    "conid": 265598, "conidEx": "265598", "_updated": 1361975520000, "31": "444.57",
    "84": "444.50", "86": "444.60", "7762": "1234567", "7741": "448.97", "6509": "RpB",
    "7184": "1",
}  # fmt: skip


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(OPEN)


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
    """Of the sandbox, as it was at its start."""
    gateway = make_gateway(sandbox.base_url, tls=Tls(pinned_certificate=sandbox.certificate))
    yield GatewayReader(gateway, ACCOUNT, SystemClock(), quote_wait_seconds=5.0)
    close_gateway(gateway)
    sandbox.faults(delayed_data=False)
    sandbox.session(sso=True, brokerage=True, competing=False)
    sandbox.prime()


def failure(call: Callable[[], Any]) -> OpenbellError:
    with pytest.raises(OpenbellError) as raised:
        call()
    assert PAPER not in str(raised.value)
    assert LIVE not in str(raised.value)
    return raised.value


# The session


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


def test_the_sandboxs_session_is_opened_again(
    real: GatewayReader, sandbox: RunningSandbox
) -> None:
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


# The account


class Nature:
    """What a gateway says of an account; each part can be changed or left out."""

    def __init__(self, gateway: FakeGateway, account: str, paper: bool) -> None:
        self.gateway, self.account = gateway, account
        self.accounts: dict[str, Any] = {
            "accounts": [account], "selectedAccount": account, "isPaper": paper,
            "serverInfo": {"serverName": "Jifz1"},
        }  # fmt: skip
        self.portfolio: Any = [{"accountId": account, "type": "DEMO" if paper else "INDIVIDUAL"}]
        self.login: Any = {"LOGIN_TYPE": 2 if paper else 1}

    def tell(self) -> None:
        self.gateway.says(ACCOUNTS, self.accounts)
        self.gateway.says("GET /portfolio/accounts", self.portfolio)
        self.gateway.says("GET /sso/validate", self.login)


@pytest.fixture
def paper(fake_gateway: FakeGateway) -> Nature:
    return Nature(fake_gateway, PAPER, paper=True)


@pytest.fixture
def live(fake_gateway: FakeGateway) -> Nature:
    return Nature(fake_gateway, LIVE, paper=False)


ALL_PAPER = {"isPaper": "paper", "type": "paper", "account id": "paper", "login": "paper"}


@pytest.mark.parametrize("mode", ["paper", None])
def test_a_paper_account_is_proved_by_every_signal(
    reader: GatewayReader, paper: Nature, mode: Any
) -> None:
    paper.tell()
    proof = reader.prove_account(PAPER, mode)
    assert (proof.kind, proof.signals, proof.sandbox) == ("paper", ALL_PAPER, False)
    assert PAPER not in repr(proof)


@pytest.mark.parametrize("mode", ["live", None])
def test_a_live_account_is_proved_by_every_signal(
    reader: GatewayReader, live: Nature, mode: Any
) -> None:
    live.tell()
    proof = reader.prove_account(LIVE, mode)
    assert (proof.kind, set(proof.signals.values())) == ("live", {"live"})


def test_an_account_of_the_other_nature_is_refused(
    reader: GatewayReader, paper: Nature, live: Nature
) -> None:
    live.tell()
    error = failure(lambda: reader.prove_account(LIVE, "paper"))
    assert (type(error), "the account is live" in error.sentence) == (NotProved, True)
    paper.tell()
    assert type(failure(lambda: reader.prove_account(PAPER, "live"))) is NotProved


def is_live(nature: Nature) -> None:
    nature.accounts["isPaper"] = False


def is_not_said(nature: Nature) -> None:
    del nature.accounts["isPaper"]


def is_a_word(nature: Nature) -> None:
    nature.accounts["isPaper"] = "true"


def type_is_live(nature: Nature) -> None:
    nature.portfolio[0]["type"] = "INDIVIDUAL"


def login_is_live(nature: Nature) -> None:
    nature.login = {"LOGIN_TYPE": 1}


def login_is_live_as_text(nature: Nature) -> None:
    nature.login = {"loginType": "1"}


def not_among_the_accounts(nature: Nature) -> None:
    nature.accounts["accounts"] = ["DU7654321"]


def another_is_selected(nature: Nature) -> None:
    nature.accounts["selectedAccount"] = "DU7654321"


def none_is_selected(nature: Nature) -> None:
    del nature.accounts["selectedAccount"]


def not_in_the_portfolio(nature: Nature) -> None:
    nature.portfolio = [{"accountId": "DU7654321", "type": "DEMO"}]


def empty_portfolio(nature: Nature) -> None:
    nature.portfolio = []


@pytest.mark.parametrize(
    "change",
    [
        is_live, is_not_said, is_a_word, type_is_live, login_is_live, login_is_live_as_text,
        not_among_the_accounts, another_is_selected, none_is_selected, not_in_the_portfolio,
        empty_portfolio,
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["paper", None])
def test_one_signal_that_is_wrong_or_missing_proves_nothing(
    reader: GatewayReader, paper: Nature, mode: Any, change: Callable[[Nature], None]
) -> None:
    change(paper)
    paper.tell()
    assert type(failure(lambda: reader.prove_account(PAPER, mode))) is NotProved


def test_a_live_id_on_a_gateway_that_says_paper_proves_nothing(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    Nature(fake_gateway, LIVE, paper=True).tell()
    assert type(failure(lambda: reader.prove_account(LIVE, "paper"))) is NotProved


def without_login_type(nature: Nature) -> None:
    nature.login = {}


def without_account_type(nature: Nature) -> None:
    del nature.portfolio[0]["type"]


@pytest.mark.parametrize("change", [without_login_type, without_account_type])
def test_a_signal_that_some_gateways_lack_may_be_missing(
    reader: GatewayReader, paper: Nature, change: Callable[[Nature], None]
) -> None:
    change(paper)
    paper.tell()
    assert reader.prove_account(PAPER, "paper").kind == "paper"


@pytest.mark.parametrize("answer", [Said("", 401), Said("", 503), Said("<html>", 200)])
def test_a_login_that_cannot_be_looked_at_proves_nothing(
    reader: GatewayReader, paper: Nature, answer: Said
) -> None:
    paper.login = answer
    paper.tell()
    failure(lambda: reader.prove_account(PAPER, "paper"))


def test_the_sandboxs_account_is_paper_and_the_sandboxs(real: GatewayReader) -> None:
    proof = real.prove_account(ACCOUNT, "paper")
    assert (proof.kind, proof.signals, proof.sandbox) == ("paper", ALL_PAPER, True)


# Contracts


def listing(*contracts: Any, **changes: Any) -> dict[str, Any]:
    return {"name": "APPLE INC", "assetClass": "STK", "contracts": list(contracts)} | changes


def us(conid: Any, exchange: str = "NASDAQ") -> dict[str, Any]:
    return {"conid": conid, "exchange": exchange, "isUS": True}


MEXICAN = {"conid": 38708077, "exchange": "MEXI", "isUS": False}


def tell_contract(gateway: FakeGateway, *listings: Any) -> None:
    gateway.says("GET /trsrv/stocks", {"AAPL": list(listings)})
    details = {"con_id": 265598, "currency": "USD", "instrument_type": "STK"}
    gateway.says("GET /iserver/contract/265598/info", details)


def test_the_us_listing_is_chosen_and_kept(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    tell_contract(fake_gateway, listing(us(265598), MEXICAN), listing(MEXICAN, name="APPLE CDR"))
    expected = Contract(
        symbol="AAPL", conid=265598, exchange="NASDAQ", currency="USD", security_type="STK",
        name="APPLE INC",
    )  # fmt: skip
    assert [reader.contract("AAPL"), reader.contract("AAPL")] == [expected, expected]
    assert len(fake_gateway.requests) == 2


@pytest.mark.parametrize(
    ("listings", "words"),
    [
        ((listing(us(265598), us(1)),), "several US contracts"),
        ((listing(us(265598)), listing(us(1))), "several US contracts"),
        ((), "not known"),
        ((listing(),), "not known"),
        ((listing(MEXICAN),), "not known"),
        ((listing({"conid": 265598, "exchange": "NASDAQ"}),), "not known"),
        ((listing({"conid": 265598, "exchange": "NASDAQ", "isUS": "true"}),), "not known"),
        ((listing(us(265598), assetClass="OPT"),), "not known"),
        ((listing(us(None)),), "not known"),
        ((listing(us("AAPL")),), "not known"),
        ((listing(contracts=None),), "not known"),
        ((listing("AAPL"), "AAPL", None), "not known"),
    ],
)
def test_a_symbol_that_is_not_one_us_stock_is_refused(
    reader: GatewayReader, fake_gateway: FakeGateway, listings: Any, words: str
) -> None:
    tell_contract(fake_gateway, *listings)
    error = failure(lambda: reader.contract("AAPL"))
    assert (type(error), words in error.sentence) == (BrokerError, True)
    assert "AAPL" in error.sentence


@pytest.mark.parametrize("answer", [{}, {"AAPL": None}, {"AAPL": {}}, {"error": "no"}])
def test_a_symbol_that_is_not_answered_is_not_known(
    reader: GatewayReader, fake_gateway: FakeGateway, answer: Any
) -> None:
    fake_gateway.says("GET /trsrv/stocks", answer)
    assert type(failure(lambda: reader.contract("AAPL"))) is BrokerError


def test_a_currency_that_is_not_said_is_not_known(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    tell_contract(fake_gateway, listing(us("265598")))
    fake_gateway.says("GET /iserver/contract/265598/info", {})
    contract = reader.contract("AAPL")
    assert (contract.conid, contract.currency, contract.security_type) == (265598, None, None)


def test_the_sandboxs_contract_is_its_us_listing(real: GatewayReader) -> None:
    contract = real.contract("AAPL")
    assert (contract.conid, contract.currency, contract.security_type) == (
        CONIDS["AAPL"], "USD", "STK",
    )  # fmt: skip
    assert type(failure(lambda: real.contract("NOPE"))) is BrokerError


# Trading hours


def test_trading_hours_are_the_liquid_ones(real: GatewayReader) -> None:
    hours = real.trading_hours(CONIDS["AAPL"])
    day = datetime(2013, 2, 27, tzinfo=UTC)
    assert hours.sessions[0] == (
        day + timedelta(hours=14, minutes=30), day + timedelta(hours=21),
    )  # fmt: skip
    assert len(hours.sessions) > 1


@pytest.mark.parametrize(
    "schedules",
    [
        None, [], "closed", {},
        {"20130227": None}, {"20130227": {}}, {"20130227": {"liquid_hours": None}},
        {"20130227": {"liquid_hours": ["09:30"]}},
        {"20130227": {"liquid_hours": [{"opening": 1361975400}]}},
        {"20130227": {"liquid_hours": [{"opening": "?", "closing": "?"}]}},
        {"20130227": {"liquid_hours": [{"opening": 1361975400000, "closing": 1361998800000}]}},
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_read_has_no_sessions(
    reader: GatewayReader, fake_gateway: FakeGateway, schedules: Any
) -> None:
    fake_gateway.says("GET /contract/trading-schedule", {"schedules": schedules})
    try:
        assert reader.trading_hours(265598).sessions == ()
    except UnreadableAnswer:
        assert not isinstance(schedules, dict)


# Quotes


def test_a_quote_is_asked_for_until_it_is_whole(
    reader: GatewayReader, fake_gateway: FakeGateway, clock: ManualClock
) -> None:
    first = {"conid": 265598, "conidEx": "265598"}
    partial = {**first, "_updated": 1361975519000, "31": "444.50", "6509": "RpB"}
    fake_gateway.says(SNAPSHOT, [first], [partial], [FULL])
    expected = Quote(
        symbol="AAPL", conid=265598, as_of=datetime(2013, 2, 27, 14, 32, tzinfo=UTC),
        bid=Decimal("444.50"), ask=Decimal("444.60"), last=Decimal("444.57"),
        previous_close=Decimal("448.97"), tradable=True, availability="RpB",
        volume=Decimal(1234567),
    )  # fmt: skip
    assert reader.quotes([AAPL]) == (expected,)
    assert clock.slept == [0.5, 0.5]
    query = fake_gateway.queries[0]
    assert (query["conids"], query["fields"].split(",")) == ("265598", list(FIELDS))


def test_a_field_that_never_comes_is_none_within_the_time_allowed(
    reader: GatewayReader, fake_gateway: FakeGateway, clock: ManualClock
) -> None:
    fake_gateway.says(SNAPSHOT, [{name: FULL[name] for name in ("conid", "_updated", "31")}])
    (quote,) = reader.quotes([AAPL])
    assert (quote.last, quote.bid, quote.ask, quote.mid) == (Decimal("444.57"), None, None, None)
    assert (quote.tradable, quote.availability, quote.previous_close) == (None, None, None)
    assert sum(clock.slept) == 3.0


@pytest.mark.parametrize("answer", [[], [{}], [{"conid": 1, "31": "5"}], ["x"], [None]])
def test_a_contract_without_a_row_has_an_empty_quote(
    reader: GatewayReader, fake_gateway: FakeGateway, answer: Any
) -> None:
    fake_gateway.says(SNAPSHOT, answer)
    assert reader.quotes([AAPL]) == (Quote(symbol="AAPL", conid=265598),)


def test_an_old_row_lends_nothing_to_a_newer_one(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    newer = {"conid": 265598, "_updated": 1361975529000, "31": "444.00"}
    without_bid = {name: value for name, value in FULL.items() if name != "84"}
    fake_gateway.says(SNAPSHOT, [without_bid], [newer])
    (quote,) = reader.quotes([AAPL])
    assert (quote.last, quote.ask) == (Decimal("444.00"), None)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("C448.97", (Decimal("448.97"), True, False)),
        ("H444.57", (Decimal("444.57"), False, True)),
        ("444.57", (Decimal("444.57"), False, False)),
    ],
)
def test_a_prefix_of_the_last_price_is_taken_off_and_understood(
    reader: GatewayReader, fake_gateway: FakeGateway, last: str, expected: Any
) -> None:
    fake_gateway.says(SNAPSHOT, [{**FULL, "31": last}])
    (quote,) = reader.quotes([AAPL])
    assert (quote.last, quote.last_is_close, quote.halted) == expected


def test_a_close_is_not_waited_with_for_a_bid(
    reader: GatewayReader, fake_gateway: FakeGateway, clock: ManualClock
) -> None:
    fake_gateway.says(SNAPSHOT, [{"conid": 265598, "31": "C448.97", "6509": "RpB"}])
    assert reader.quotes([AAPL])[0].last_is_close
    assert clock.slept == []


@pytest.mark.parametrize("bid", ["-1", "0", "", None, "?", "NaN"])
def test_a_side_that_nobody_offers_is_none(
    reader: GatewayReader, fake_gateway: FakeGateway, bid: Any
) -> None:
    fake_gateway.says(SNAPSHOT, [{**FULL, "84": bid}])
    (quote,) = reader.quotes([AAPL])
    assert (quote.bid, quote.mid) == (None, None)


def test_each_quote_belongs_to_its_contract(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    msft = Contract(symbol="MSFT", conid=272093, exchange="NASDAQ")
    other = {**FULL, "conid": "272093", "31": "27.80", "84": "27.79", "86": "27.81"}
    fake_gateway.says(SNAPSHOT, [FULL, other])
    quotes = reader.quotes([msft, AAPL])
    assert [(quote.symbol, quote.last) for quote in quotes] == [
        ("MSFT", Decimal("27.80")), ("AAPL", Decimal("444.57")),
    ]  # fmt: skip


def test_the_sandboxs_quotes_are_whole_though_the_first_calls_are_not(
    real: GatewayReader, sandbox: RunningSandbox
) -> None:
    contracts = [real.contract(symbol) for symbol in ("AAPL", "MSFT")]
    for quote in real.quotes(contracts):
        assert quote.mid is not None
        assert quote.last is not None
        assert (quote.availability, quote.tradable, quote.last_is_close) == ("RpB", True, False)
        assert quote.as_of is not None
        assert abs(quote.as_of - sandbox.market_now()) < timedelta(seconds=5)


def test_delayed_data_says_so(real: GatewayReader, sandbox: RunningSandbox) -> None:
    sandbox.faults(delayed_data=True)
    assert real.quotes([real.contract("IBM")])[0].availability == "DPB"


# Bars


def bar_row(**changes: Any) -> dict[str, Any]:
    return {"t": 1361889000000, "o": 1.5, "h": 3, "l": 1, "c": 2, "v": 10} | changes


def test_bars_are_oldest_first_and_their_volume_in_shares(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    rows = [bar_row(t=1361975400000), bar_row()]
    fake_gateway.says("GET /iserver/marketdata/history", {"volumeFactor": 100, "data": rows})
    first, second = reader.bars(AAPL, 30)
    assert first == Bar(
        time=datetime(2013, 2, 26, 14, 30, tzinfo=UTC), open=Decimal("1.5"), high=Decimal(3),
        low=Decimal(1), close=Decimal(2), volume=Decimal(1000),
    )  # fmt: skip
    assert second.time == datetime(2013, 2, 27, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(("said", "volume"), [(1, 10), (40, 400), (None, 10), (0, 10)])
def test_a_volume_factor_that_is_not_said_is_one(
    reader: GatewayReader, fake_gateway: FakeGateway, said: Any, volume: int
) -> None:
    answer = {"volumeFactor": said, "data": [bar_row()]}
    fake_gateway.says("GET /iserver/marketdata/history", answer)
    assert reader.bars(AAPL, 30)[0].volume == volume


@pytest.mark.parametrize(
    "row",
    [
        None, [], "bar", {}, bar_row(t=None), bar_row(o=None), bar_row(h="?"), bar_row(l=0),
        bar_row(c=-1), bar_row(c="NaN"),
    ],
)  # fmt: skip
def test_a_bar_that_cannot_be_read_is_left_out(
    reader: GatewayReader, fake_gateway: FakeGateway, row: Any
) -> None:
    fake_gateway.says("GET /iserver/marketdata/history", {"data": [row, bar_row()], "points": 9})
    assert len(reader.bars(AAPL, 30)) == 1
    fake_gateway.says("GET /iserver/marketdata/history", {"data": [row]})
    assert type(failure(lambda: reader.bars(AAPL, 30))) is BrokerError


@pytest.mark.parametrize(("count", "period"), [(30, "1y"), (240, "1y"), (241, "2y"), (500, "3y")])
def test_the_period_is_long_enough_and_the_newest_bars_are_kept(
    reader: GatewayReader, fake_gateway: FakeGateway, count: int, period: str
) -> None:
    day = 86_400_000
    rows = [bar_row(t=1361889000000 + day * number) for number in range(count + 5)]
    fake_gateway.says("GET /iserver/marketdata/history", {"data": rows})
    found = reader.bars(AAPL, count)
    assert len(found) == count
    assert found[-1].time.timestamp() * 1000 == rows[-1]["t"]
    assert fake_gateway.queries[-1] == {"conid": "265598", "period": period, "bar": "1d"}


def test_the_sandboxs_bars_end_with_the_running_day(real: GatewayReader) -> None:
    bars = real.bars(real.contract("AAPL"), 120)
    assert len(bars) == 120
    assert list(bars) == sorted(bars, key=lambda bar: bar.time)
    assert f"{bars[-1].time:%Y-%m-%d}" == "2013-02-27"


# Positions and figures


def tell_positions(gateway: FakeGateway, *pages: Any) -> None:
    gateway.says("GET /portfolio/accounts", [{"accountId": PAPER}])
    gateway.says(f"POST /portfolio/{PAPER}/positions/invalidate", {"message": "success"})
    for number, page in enumerate(pages):
        gateway.says(f"GET /portfolio/{PAPER}/positions/{number}", page)


def held(conid: Any, position: Any, **more: Any) -> dict[str, Any]:
    return {"conid": conid, "position": position, "contractDesc": "AAPL"} | more


def test_positions_are_read_page_by_page_after_the_cache_was_emptied(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    full = [held(number, 1.0) for number in range(100)]
    tell_positions(fake_gateway, full, full, [held(265598, 3.5, mktPrice="444.57", avgCost=400)])
    found = reader.positions()
    assert len(found) == 201
    assert found[-1] == Position(
        conid=265598, symbol="AAPL", quantity=Decimal("3.5"), average_cost=Decimal(400),
        market_price=Decimal("444.57"),
    )  # fmt: skip
    paths = [each.split("/")[-1] for each in fake_gateway.requests]
    assert paths == ["accounts", "invalidate", "0", "1", "2"]


def test_a_full_last_page_is_followed_by_an_empty_one(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    tell_positions(fake_gateway, [held(number, 1) for number in range(100)], [])
    assert len(reader.positions()) == 100


@pytest.mark.parametrize(
    "page",
    [
        [held(None, 5)], [held(265598, None)], [held(265598, "many")], [held("x", 5)], [None],
        ["AAPL"], [held(1, 5), {}], {}, None, {"error": "no"},
    ],
)  # fmt: skip
def test_positions_with_a_hole_are_not_positions(
    reader: GatewayReader, fake_gateway: FakeGateway, page: Any
) -> None:
    tell_positions(fake_gateway, page)
    assert type(failure(reader.positions)) is UnreadableAnswer


def test_positions_that_never_end_are_not_positions(
    reader: GatewayReader, fake_gateway: FakeGateway
) -> None:
    tell_positions(fake_gateway, *[[held(number, 1) for number in range(100)]] * 50)
    assert type(failure(reader.positions)) is UnreadableAnswer


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_failed_read_of_the_account_names_no_account(
    reader: GatewayReader, fake_gateway: FakeGateway, status: int
) -> None:
    tell_positions(fake_gateway, Said(f"<html>{PAPER}</html>", status))
    fake_gateway.says(f"GET /portfolio/{PAPER}/summary", Said(f"<html>{PAPER}</html>", status))
    failure(reader.positions)
    failure(reader.figures)


def test_figures_are_dollars_or_nothing(
    reader: GatewayReader, fake_gateway: FakeGateway, clock: ManualClock
) -> None:
    usd = {"currency": "USD", "isNull": False}
    summary = {
        "netliquidation": {**usd, "amount": 1000000.5},
        "totalcashvalue": {**usd, "amount": 5, "currency": "EUR"},
        "availablefunds": {**usd, "amount": 0.0, "isNull": True},
        "buyingpower": {**usd, "amount": "NaN"},
    }
    tell_positions(fake_gateway)
    fake_gateway.says(f"GET /portfolio/{PAPER}/summary", summary)
    expected = AccountFigures(as_of=OPEN, net_liquidation_usd=Decimal("1000000.5"))
    assert reader.figures() == expected
    fake_gateway.says(f"GET /portfolio/{PAPER}/summary", {})
    assert reader.figures() == AccountFigures(as_of=OPEN)


def test_the_sandboxs_account_is_read(real: GatewayReader) -> None:
    held = {each.symbol: each for each in real.positions()}
    assert {symbol: each.quantity for symbol, each in held.items()} == {"AAPL": 100, "IBM": 50}
    assert held["AAPL"].conid == CONIDS["AAPL"]
    assert real.figures().total_cash_usd == 1_000_000


def test_every_request_is_paced(
    reader: GatewayReader, fake_gateway: FakeGateway, pace: NoPace
) -> None:
    tell_positions(fake_gateway, [])
    reader.positions()
    assert len(pace.waits) == len(fake_gateway.requests)
    assert PAPER not in json.dumps(pace.waits)
