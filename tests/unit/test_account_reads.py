"""The account's positions and figures: whole, or an error."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.fake_gateway import FakeGateway, Said
from tests.support.gateway import PAPER, NoPace, failure
from tests.support.sandbox import CONIDS
from tests.support.values import OPEN
from worker.errors import (
    UnreadableAnswer,
)  # fmt: skip
from worker.ibkr.client import GatewayReader
from worker.models.market import AccountFigures, Position


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
