"""Contracts and their trading hours: one US stock or none, and hours that can be read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.fake_gateway import FakeGateway
from tests.support.gateway import failure
from tests.support.sandbox import CONIDS
from worker.errors import (
    BrokerError,
    UnreadableAnswer,
)  # fmt: skip
from worker.ibkr.client import GatewayReader
from worker.models.market import Contract

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
        {"20130227": {"liquid_hours": [{"closing": 1361998800}]}},
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
