"""Orders and trades as the broker lists them, and its preview of an order."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

from worker.errors import UnreadableAnswer
from worker.ibkr import decode
from worker.ibkr.client import GatewayReader
from worker.ibkr.orders import ticket
from worker.models.order import (
    COID_PREFIX,
    BrokerOrder,
    Fill,
    LiveOrders,
    OrderIntent,
    Preview,
    Trades,
)  # fmt: skip

TRADE_DAYS = 7
# Just under the pace at which the broker may be asked for them.
SHARED_SECONDS = 4.5


class OrderReader:
    """Reads about orders; like the other reads they may be repeated."""

    def __init__(self, reader: GatewayReader, account_id: str) -> None:
        self._reader, self._account_id = reader, account_id

    def live_orders(self) -> LiveOrders:
        """GET /iserver/account/orders, unfiltered and with the account (1 in 5 s, one read for all
        processes). Empty is no proof of absence unless `snapshot` is true; the first call of a
        session is always empty, so it is asked once more."""
        limiter = self._reader.gateway.limiter
        key = f"orders:{self._account_id}"
        return LiveOrders.from_json(limiter.shared(key, SHARED_SECONDS, self._read_orders))

    def _read_orders(self) -> dict[str, Any]:
        path = "/iserver/account/orders"
        for _ in range(2):
            answer = self._reader.primed(
                lambda: self._reader.gateway.get(path, accountId=self._account_id)
            )
            rows = answer.get("orders") if isinstance(answer, dict) else None
            if not isinstance(rows, list):
                raise UnreadableAnswer("the broker's list of orders is no list")
            found = [_order(row) for row in rows]
            live = LiveOrders(
                orders=tuple(order for order in found if order is not None),
                # A list with a hole shows what is in it and proves nothing by what is not.
                snapshot=answer.get("snapshot") is True and None not in found,
            )
            if live.snapshot:
                break
        return live.to_json()

    def fills(self) -> Trades:
        """GET /iserver/account/trades of the last 7 days (1 in 5 s, one read for all processes)."""
        limiter = self._reader.gateway.limiter
        key = f"trades:{self._account_id}"
        return Trades.from_json(limiter.shared(key, SHARED_SECONDS, self._read_fills))

    def position(self, conid: int) -> Decimal:
        """The account's shares of one contract, as just read."""
        held = [each.quantity for each in self._reader.positions() if each.conid == conid]
        return sum(held, Decimal(0))

    def _read_fills(self) -> dict[str, Any]:
        answer = self._reader.primed(
            lambda: self._reader.gateway.get(
                "/iserver/account/trades", days=TRADE_DAYS, accountId=self._account_id
            )
        )
        if not isinstance(answer, list):
            raise UnreadableAnswer("the broker's list of trades is no list")
        found = [(row, _fill(row)) for row in answer]
        return Trades(
            fills=tuple(fill for _, fill in found if fill is not None),
            complete=not any(fill is None and _may_be_ours(row) for row, fill in found),
        ).to_json()

    def preview(self, intent: OrderIntent, in_time: Callable[[], bool]) -> Preview:
        """POST .../orders/whatif: what the order would cost. Nothing is kept at the broker."""
        path = f"/iserver/account/{self._account_id}/orders/whatif"
        # The preview takes no client id: it must not use up the order's.
        order = {name: value for name, value in ticket(intent).items() if name != "cOID"}
        answer = self._reader.primed(
            lambda: self._reader.gateway.once(
                "POST", path, body={"orders": [order]}, in_time=in_time
            )
        )
        if not isinstance(answer, dict):
            raise UnreadableAnswer("the broker's preview is no object")
        found = answer.get("amount")
        amount = found if isinstance(found, dict) else {}
        warnings = [answer.get("warn"), *_list(answer.get("warns"))]
        errors = [answer.get("error"), *_list(answer.get("errors"))]
        error = next((str(each) for each in errors if each), None)
        if error is None and decode.number(amount.get("amount")) is None:
            raise UnreadableAnswer("the broker's preview does not say what the order would cost")
        return Preview(
            amount_usd=decode.number(amount.get("amount")),
            commission_usd=decode.number(amount.get("commission")),
            total_usd=decode.number(amount.get("total")),
            warnings=tuple(str(each) for each in warnings if each),
            error=error,
        )


def _order(row: Any) -> BrokerOrder | None:
    if not isinstance(row, dict):
        return None
    order_id, conid = decode.order_id(row.get("orderId")), decode.whole(row.get("conid"))
    side = _side(row.get("side"))
    if order_id is None or conid is None or side is None:
        return None
    return BrokerOrder(
        broker_order_id=order_id,
        coid=decode.identifier(row.get("order_ref")),
        conid=conid,
        symbol=str(row.get("ticker") or conid),
        side=side,
        status=str(row.get("status") or ""),
        quantity=decode.number(row.get("totalSize")),
        filled_quantity=decode.number(row.get("filledQuantity")),
        remaining_quantity=decode.number(row.get("remainingQuantity")),
        average_price=decode.number(row.get("avgPrice")),
        limit_price=decode.number(row.get("price")),
        cancel_reason=decode.identifier(row.get("order_cancellation_by_system_reason")),
    )


def _may_be_ours(row: Any) -> bool:
    """A trade of an order with a foreign client id is not."""
    coid = decode.identifier(row.get("order_ref")) if isinstance(row, dict) else None
    return coid is None or coid.startswith(COID_PREFIX)


def _fill(row: Any) -> Fill | None:
    row = row if isinstance(row, dict) else {}
    execution, conid = decode.identifier(row.get("execution_id")), decode.whole(row.get("conid"))
    side, time = _side(row.get("side")), decode.moment_ms(row.get("trade_time_r"))
    quantity, price = decode.number(row.get("size")), decode.number(row.get("price"))
    if None in (execution, conid, side, time, quantity, price):
        return None
    return Fill.model_validate(
        {
            "execution_id": execution,
            "coid": decode.identifier(row.get("order_ref")),
            "broker_order_id": decode.order_id(row.get("order_id")),
            "conid": conid,
            "symbol": str(row.get("symbol") or conid),
            "side": side,
            "quantity": quantity,
            "price": price,
            "commission_usd": decode.number(row.get("commission")),
            "executed_at": time,
        }
    )


def _side(value: Any) -> Literal["BUY", "SELL"] | None:
    return {"B": "BUY", "S": "SELL"}.get(str(value or "")[:1].upper())  # type: ignore[return-value]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
