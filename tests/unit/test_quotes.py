"""Quotes and bars: waited for, understood, and never made up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.fake_gateway import FakeGateway
from tests.support.gateway import failure
from tests.support.sandbox import RunningSandbox
from worker.errors import (
    BrokerError,
)  # fmt: skip
from worker.ibkr.client import GatewayReader
from worker.ibkr.quotes import FIELDS
from worker.models.market import Bar, Contract, Quote

AAPL = Contract(symbol="AAPL", conid=265598, exchange="NASDAQ")
ACCOUNTS, SNAPSHOT = "GET /iserver/accounts", "GET /iserver/marketdata/snapshot"
FULL = {
    "conid": 265598, "conidEx": "265598", "_updated": 1361975520000, "31": "444.57",
    "84": "444.50", "86": "444.60", "7762": "1234567", "7741": "448.97", "6509": "RpB",
    "7184": "1",
}  # fmt: skip


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
