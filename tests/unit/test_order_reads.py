"""Orders, trades and previews as the broker lists them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.conversing import always, never
from tests.support.fake_gateway import FakeGateway, Said
from tests.support.gateway import ONCE, close_gateway, make_gateway
from tests.support.sandbox import ACCOUNT, CONIDS, RunningSandbox
from tests.support.values import OPEN
from worker.clock import SystemClock
from worker.errors import NeedsLogin, OpenbellError, TemporaryError, UnreadableAnswer
from worker.http import Tls
from worker.ibkr.client import GatewayReader
from worker.ibkr.reads import OrderReader
from worker.models.order import BrokerOrder, Fill, LiveOrders, OrderIntent, Preview

PAPER = "DU1234567"
ORDERS, TRADES = "GET /iserver/account/orders", "GET /iserver/account/trades"
WHATIF = f"POST /iserver/account/{PAPER}/orders/whatif"
ROW = {
    "orderId": 602801486, "conid": 265598, "ticker": "AAPL", "side": "BUY", "status": "Submitted",
    "totalSize": 10.0, "filledQuantity": 4.0, "remainingQuantity": 6.0, "avgPrice": "444.50",
    "price": "445.00", "order_ref": "ob-1",
}  # fmt: skip
TRADE = {
    "execution_id": "0000e0d5.6576fd38.01.01", "symbol": "AAPL", "side": "B", "size": 4.0,
    "price": "444.50", "trade_time_r": 1361975520000, "order_ref": "ob-1", "commission": "1.01",
    "conid": 265598, "order_id": 602801486,
}  # fmt: skip


def intent(**changes: Any) -> OrderIntent:
    data: dict[str, Any] = {
        "run_id": "r-1", "strategy_id": 1, "account_id": PAPER, "symbol": "AAPL", "conid": 265598,
        "leg": "entry", "side": "BUY", "quantity": 10, "limit_price": Decimal("445.00"),
    }  # fmt: skip
    return OrderIntent(**(data | changes))


@pytest.fixture
def reads(fake_gateway: FakeGateway) -> Iterator[OrderReader]:
    gateway = make_gateway(fake_gateway.base_url, policy=ONCE)
    yield OrderReader(GatewayReader(gateway, PAPER, ManualClock(OPEN), 1.0), PAPER)
    close_gateway(gateway)


@pytest.fixture
def real(sandbox: RunningSandbox) -> Iterator[OrderReader]:
    gateway = make_gateway(sandbox.base_url, tls=Tls(pinned_certificate=sandbox.certificate))
    yield OrderReader(GatewayReader(gateway, ACCOUNT, SystemClock(), 1.0), ACCOUNT)
    close_gateway(gateway)


def test_a_listed_order_is_read_whole(reads: OrderReader, fake_gateway: FakeGateway) -> None:
    fake_gateway.says(ORDERS, {"orders": [ROW], "snapshot": True})
    expected = BrokerOrder(
        broker_order_id="602801486", coid="ob-1", conid=265598, symbol="AAPL", side="BUY",
        status="Submitted", quantity=Decimal(10), filled_quantity=Decimal(4),
        remaining_quantity=Decimal(6), average_price=Decimal("444.50"),
        limit_price=Decimal("445.00"),
    )  # fmt: skip
    assert reads.live_orders() == LiveOrders(orders=(expected,), snapshot=True)
    assert fake_gateway.queries == [{"accountId": PAPER}]


def test_an_order_without_our_id_or_figures_is_listed_all_the_same(
    reads: OrderReader, fake_gateway: FakeGateway
) -> None:
    bare = {"orderId": "5", "conid": "265598", "side": "S", "status": None, "price": ""}
    fake_gateway.says(ORDERS, {"orders": [bare], "snapshot": True})
    expected = BrokerOrder(
        broker_order_id="5", conid=265598, symbol="265598", side="SELL", status=""
    )
    assert reads.live_orders().orders == (expected,)


@pytest.mark.parametrize("snapshot", [False, None, "true", 1])
def test_a_list_that_is_no_snapshot_says_so(
    reads: OrderReader, fake_gateway: FakeGateway, snapshot: Any
) -> None:
    fake_gateway.says(ORDERS, {"orders": [], "snapshot": snapshot})
    assert reads.live_orders() == LiveOrders(orders=(), snapshot=False)
    assert fake_gateway.count(ORDERS) == 2


def test_the_first_list_of_a_session_is_asked_for_once_more(
    reads: OrderReader, fake_gateway: FakeGateway
) -> None:
    full = {"orders": [ROW], "snapshot": True}
    fake_gateway.says(ORDERS, {"orders": [], "snapshot": False}, full)
    assert [order.coid for order in reads.live_orders().orders] == ["ob-1"]


@pytest.mark.parametrize(
    "row",
    [None, [], "x", {}, {**ROW, "orderId": None}, {**ROW, "conid": None}, {**ROW, "side": "X"},
     {**ROW, "orderId": -1}],
)  # fmt: skip
def test_a_list_with_a_hole_proves_nothing_by_what_is_not_in_it(
    reads: OrderReader, fake_gateway: FakeGateway, row: Any
) -> None:
    fake_gateway.says(ORDERS, {"orders": [row, ROW], "snapshot": True})
    found = reads.live_orders()
    assert ([order.coid for order in found.orders], found.snapshot) == (["ob-1"], False)


@pytest.mark.parametrize("answer", [None, [], {}, {"orders": None}, {"orders": {}}, {"error": "x"}])
def test_orders_that_are_no_list_are_an_error(
    reads: OrderReader, fake_gateway: FakeGateway, answer: Any
) -> None:
    fake_gateway.says(ORDERS, answer)
    with pytest.raises(UnreadableAnswer):
        reads.live_orders()


def test_a_trade_is_read_whole(reads: OrderReader, fake_gateway: FakeGateway) -> None:
    fake_gateway.says(TRADES, [TRADE])
    expected = Fill(
        execution_id="0000e0d5.6576fd38.01.01", coid="ob-1", broker_order_id="602801486",
        conid=265598, symbol="AAPL", side="BUY", quantity=Decimal(4), price=Decimal("444.50"),
        commission_usd=Decimal("1.01"), executed_at=datetime(2013, 2, 27, 14, 32, tzinfo=UTC),
    )  # fmt: skip
    assert reads.fills().fills == (expected,)
    assert fake_gateway.queries == [{"days": "7", "accountId": PAPER}]


@pytest.mark.parametrize("side", ["S", "SLD", "SELL"])
def test_a_sale_is_a_sale(reads: OrderReader, fake_gateway: FakeGateway, side: str) -> None:
    fake_gateway.says(TRADES, [{**TRADE, "side": side}])
    assert reads.fills().fills[0].side == "SELL"


@pytest.mark.parametrize(
    "row",
    [
        None, [], "x", {}, {**TRADE, "execution_id": None}, {**TRADE, "conid": None},
        {**TRADE, "side": None}, {**TRADE, "size": "NaN"}, {**TRADE, "price": ""},
        {**TRADE, "trade_time_r": None},
    ],
)  # fmt: skip
def test_a_trade_that_cannot_be_read_hides_no_other_and_proves_nothing_by_what_is_not_there(
    reads: OrderReader, fake_gateway: FakeGateway, row: Any
) -> None:
    fake_gateway.says(TRADES, [TRADE, row])
    found = reads.fills()
    assert ([fill.execution_id for fill in found.fills], found.complete) == (
        [TRADE["execution_id"]], False,
    )  # fmt: skip


def test_somebody_elses_trade_that_cannot_be_read_is_no_hole(
    reads: OrderReader, fake_gateway: FakeGateway
) -> None:
    foreign = {**TRADE, "order_ref": "a person's", "price": "n/a"}
    fake_gateway.says(TRADES, [foreign, TRADE])
    found = reads.fills()
    assert (len(found.fills), found.complete) == (1, True)


def test_the_account_holds_what_its_rows_of_the_contract_add_up_to(real: OrderReader) -> None:
    assert real.position(CONIDS["AAPL"]) == real._reader.positions()[0].quantity
    assert real.position(1) == 0


@pytest.mark.parametrize("answer", [None, {}, {"error": "x"}, "[]"])
def test_trades_that_are_no_list_are_an_error(
    reads: OrderReader, fake_gateway: FakeGateway, answer: Any
) -> None:
    fake_gateway.says(TRADES, answer)
    with pytest.raises(UnreadableAnswer):
        reads.fills()


AMOUNT = {
    "amount": "1,977.60 USD (10 Shares)", "commission": "1.00 USD", "total": "1,978.60 USD",
}  # fmt: skip


def test_a_preview_says_what_the_order_would_cost(
    reads: OrderReader, fake_gateway: FakeGateway
) -> None:
    fake_gateway.says(WHATIF, {"amount": AMOUNT, "warn": "21/careful", "error": None})
    expected = Preview(
        amount_usd=Decimal("1977.60"), commission_usd=Decimal("1.00"),
        total_usd=Decimal("1978.60"), warnings=("21/careful",),
    )  # fmt: skip
    assert reads.preview(intent(), always) == expected


def test_a_commission_that_is_a_range_is_not_known(
    reads: OrderReader, fake_gateway: FakeGateway
) -> None:
    fake_gateway.says(WHATIF, {"amount": {**AMOUNT, "commission": "0.5 - 1 USD"}, "warns": ["a"]})
    found = reads.preview(intent(), always)
    assert (found.commission_usd, found.warnings) == (None, ("a",))


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "No trading permissions."},
        {"amount": AMOUNT, "error": "No trading permissions."},
        {"amount": AMOUNT, "error": None, "errors": ["No trading permissions.", "and more"]},
    ],
)
def test_a_preview_that_would_be_refused_says_why(
    reads: OrderReader, fake_gateway: FakeGateway, answer: Any
) -> None:
    fake_gateway.says(WHATIF, answer)
    assert reads.preview(intent(), always).error == "No trading permissions."


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"amount": None}, {"amount": {}}, {"amount": {"amount": "?"}}, "x"]
)
def test_a_preview_that_shows_nothing_is_no_preview(
    reads: OrderReader, fake_gateway: FakeGateway, answer: Any
) -> None:
    fake_gateway.says(WHATIF, answer)
    with pytest.raises(UnreadableAnswer):
        reads.preview(intent(), always)


@pytest.mark.parametrize("answer", [Said("", 401), Said("", 503), Said("<html>", 200)])
def test_a_preview_that_fails_is_asked_for_once_and_names_no_account(
    reads: OrderReader, fake_gateway: FakeGateway, answer: Said
) -> None:
    fake_gateway.says(WHATIF, answer)
    with pytest.raises(OpenbellError) as raised:
        reads.preview(intent(), always)
    assert PAPER not in str(raised.value)
    assert fake_gateway.count(WHATIF) == 1


def test_a_login_that_is_gone_is_told(reads: OrderReader, fake_gateway: FakeGateway) -> None:
    fake_gateway.says(ORDERS, Said('{"error":"Bad Request: no bridge"}', 400))
    with pytest.raises(NeedsLogin):
        reads.live_orders()


# The sandbox


def test_the_sandboxs_orders_are_found_though_its_first_list_is_empty(
    real: OrderReader, sandbox: RunningSandbox
) -> None:
    sandbox.session(brokerage=False)
    sandbox.session(brokerage=True)
    sandbox.prime()
    sandbox.order("MSFT", "BUY", 3, price=27.20, cOID="reads-1")
    found = real.live_orders()
    (order,) = [order for order in found.orders if order.coid == "reads-1"]
    assert (found.snapshot, order.side, order.quantity, order.limit_price) == (
        True, "BUY", 3, Decimal("27.20"),
    )  # fmt: skip


def test_the_sandboxs_trades_are_the_books(real: OrderReader, sandbox: RunningSandbox) -> None:
    (row,) = sandbox.order("MSFT", "BUY", 3, cOID="reads-2").json()
    sandbox.wait_for_status(row["order_id"], "Filled")
    (fill,) = [fill for fill in real.fills().fills if fill.coid == "reads-2"]
    (booked,) = [f for f in sandbox.book()["fills"] if f["execution_id"] == fill.execution_id]
    assert (fill.quantity, fill.price) == (3, Decimal(booked["price"]))
    assert (fill.conid, fill.broker_order_id) == (CONIDS["MSFT"], row["order_id"])


def test_the_sandboxs_preview_leaves_no_order(real: OrderReader, sandbox: RunningSandbox) -> None:
    before = sandbox.orders()
    found = real.preview(intent(account_id=ACCOUNT), always)
    assert (found.amount_usd, found.total_usd, found.error) == (
        Decimal("4450.00"), Decimal("4451.00"), None,
    )  # fmt: skip
    assert sandbox.orders() == before


def test_a_preview_whose_turn_is_over_is_not_asked_for(
    reads: OrderReader, fake_gateway: FakeGateway
) -> None:
    with pytest.raises(TemporaryError, match="turn to ask"):
        reads.preview(intent(), never)
    assert fake_gateway.bodies == []
