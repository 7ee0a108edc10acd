"""What became of orders: live orders, one order's status, trades."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.faults.listed import listed_fills, listed_orders
from scripts.sandbox.gateway.call import (
    UNAVAILABLE,
    Answer,
    Call,
    Endpoint,
    Needs,
    bad_request,
    whole_number,
)
from scripts.sandbox.instruments import BY_CONID
from scripts.sandbox.prices import CENT
from scripts.sandbox.records import Fill, Order, Status
from scripts.sandbox.sandbox import ACCOUNT

FILTERS = {
    "inactive": "Inactive",
    "pending_submit": "PendingSubmit",
    "pre_submitted": "PreSubmitted",
    "submitted": "Submitted",
    "filled": "Filled",
    "pending_cancel": "PendingCancel",
    "pre_cancelled": "PreCancelled",
    "cancelled": "Cancelled",
    "warn_state": "WarnState",
}
TYPES = {"LMT": ("LIMIT", "Limit"), "MKT": ("MARKET", "Market")}
MOST_DAYS = 7
NOTHING = Answer({"orders": [], "snapshot": False})


def orders(call: Call) -> Answer:
    """Working orders and those done today. Emptiness proves nothing, as with the broker: the
    first call of a session, `force`, and a call without `accountId` are empty in any case."""
    inside = call.sandbox.inside
    forced = call.query.get("force") == "true"
    if forced or not inside.orders_primed:
        inside.orders_primed = True
        return NOTHING
    if call.query.get("accountId") != ACCOUNT:
        return NOTHING
    names = [name.lower() for name in call.query.get("filters", "").split(",") if name]
    wanted = {FILTERS[name] for name in names if name in FILTERS}
    shown = [order for order in call.sandbox.book.orders() if _shown(order, call.sandbox.now)]
    found = listed_orders(call.sandbox, shown)
    rows = [_row(order) for order in found if not wanted or order.status in wanted]
    return Answer({"orders": rows, "snapshot": True})


def status(call: Call) -> Answer:
    order_id = whole_number(call.params["order"])
    if not order_id:
        return bad_request("order id is not valid")
    order = call.sandbox.book.order(order_id)
    if order is None or not _shown(order, call.sandbox.now):
        return UNAVAILABLE
    (listed,) = listed_orders(call.sandbox, [order])
    return Answer(_status(listed))


def trades(call: Call) -> Answer:
    """Fills of the last days; they outlive sessions and midnight for up to a week."""
    inside = call.sandbox.inside
    if call.sandbox.switches.trades_empty_first and not inside.trades_primed:
        inside.trades_primed = True
        return Answer([])
    days = min(max(whole_number(call.query.get("days")) or 1, 1), MOST_DAYS)
    if call.query.get("accountId", ACCOUNT) != ACCOUNT:
        return Answer([])
    today = call.sandbox.now.astimezone(NEW_YORK).date()
    first = today - timedelta(days=days - 1)
    found = [f for f in call.sandbox.book.fills() if f.time.astimezone(NEW_YORK).date() >= first]
    return Answer([_trade(fill) for fill in listed_fills(call.sandbox, found)])


def _shown(order: Order, now: datetime) -> bool:
    """Working, or done since midnight in New York."""
    changed, today = (moment.astimezone(NEW_YORK).date() for moment in (order.changed_at, now))
    return not order.done or changed == today


def _row(order: Order) -> dict[str, Any]:
    upper, title = TYPES[order.order_type]
    average = order.average
    changed = order.changed_at
    row: dict[str, Any] = {
        "acct": ACCOUNT,
        "account": ACCOUNT,
        "conid": order.conid,
        "conidex": str(order.conid),
        "orderId": order.order_id,
        "cashCcy": "USD",
        "sizeAndFills": _size_and_fills(order),
        "orderDesc": _description(order),
        "description1": order.symbol,
        "ticker": order.symbol,
        "secType": "STK",
        "listingExchange": BY_CONID[order.conid].exchange,
        "remainingQuantity": float(order.remaining),
        "filledQuantity": float(order.filled),
        "totalSize": float(order.quantity),
        "companyName": f"{BY_CONID[order.conid].company} (sandbox)",
        "status": order.status.value,
        "order_ccp_status": _ccp(order),
        "origOrderType": upper,
        "orderType": title,
        "supportsTaxOpt": "1",
        "lastExecutionTime": f"{changed:%y%m%d%H%M%S}",
        "lastExecutionTime_r": round(changed.timestamp() * 1000),
        "bgColor": "#FFFFFF",
        "fgColor": "#000000",
        "isEventTrading": "0",
        "price": str(order.limit_price) if order.limit_price is not None else "",
        "timeInForce": "CLOSE" if order.done else order.tif,
        "side": order.side,
    }
    if average is not None:
        row["avgPrice"] = _plain(average)
    if order.coid:
        row["order_ref"] = order.coid
    if order.status is Status.CANCELLED and order.reason:
        row["order_cancellation_by_system_reason"] = order.reason
    return row


def _status(order: Order) -> dict[str, Any]:
    """Snake case, numbers as text, and no order_ref: an order cannot be recognised by it."""
    average = order.average
    row: dict[str, Any] = {
        "sub_type": None,
        "request_id": "1",
        "server_id": "0",
        "order_id": order.order_id,
        "conid": order.conid,
        "conidex": str(order.conid),
        "symbol": order.symbol,
        "side": order.side[0],
        "contract_description_1": order.symbol,
        "listing_exchange": BY_CONID[order.conid].exchange,
        "option_acct": "c",
        "company_name": f"{BY_CONID[order.conid].company} (sandbox)",
        "size": str(order.remaining),
        "total_size": str(order.quantity),
        "currency": "USD",
        "account": ACCOUNT,
        "order_type": TYPES[order.order_type][0],
        "cum_fill": str(order.filled),
        "order_status": order.status.value,
        "order_ccp_status": "2" if order.status is Status.FILLED else "0",
        "order_status_description": _ccp(order),
        "tif": order.tif,
        "fg_color": "#000000",
        "bg_color": "#FFFFFF",
        "order_not_editable": order.done,
        "editable_fields": "\u001e",
        "cannot_cancel_order": order.done,
        "deactivate_order": False,
        "sec_type": "STK",
        "available_chart_periods": "#R|1",
        "order_description": _description(order),
        "order_description_with_contract": f"{_description(order)} (sandbox)",
        "alert_active": 1,
        "child_order_type": "0",
        "order_clearing_account": ACCOUNT,
        "size_and_fills": _size_and_fills(order),
        "allowed_duplicate_opposite": True,
        "outside_rth": False,
        "all_or_none": False,
        "clearing_id": "IB",
        "clearing_name": "IB",
        "order_time": f"{order.accepted_at:%y%m%d%H%M%S}",
    }
    if order.limit_price is not None:
        row["limit_price"] = str(order.limit_price)
    if average is not None:
        row["average_price"] = _plain(average)
    return row


def _trade(fill: Fill) -> dict[str, Any]:
    company = f"{BY_CONID[fill.conid].company} (sandbox)"
    exchange = BY_CONID[fill.conid].exchange
    verb = "Bot" if fill.side == "BUY" else "Sold"
    row: dict[str, Any] = {
        "execution_id": fill.execution_id,
        "symbol": fill.symbol,
        "supports_tax_opt": "1",
        "side": fill.side[0],
        "order_description": f"{verb} {fill.quantity} @ {fill.price} on {exchange}",
        "trade_time": f"{fill.time:%Y%m%d-%H:%M:%S}",
        "trade_time_r": round(fill.time.timestamp() * 1000),
        "size": float(fill.quantity),
        "price": str(fill.price),
        "submitter": "sandbox",
        "exchange": exchange,
        "commission": str(fill.commission),
        "net_amount": float(fill.price * fill.quantity),
        "account": ACCOUNT,
        "accountCode": ACCOUNT,
        "account_allocation_name": ACCOUNT,
        "company_name": company,
        "contract_description_1": fill.symbol,
        "sec_type": "STK",
        "listing_exchange": exchange,
        "conid": fill.conid,
        "conidEx": str(fill.conid),
        "clearing_id": "IB",
        "clearing_name": "IB",
        "liquidation_trade": "0",
        "is_event_trading": "0",
        "order_id": fill.order_id,
    }
    return row | ({"order_ref": fill.coid} if fill.coid else {})


def _size_and_fills(order: Order) -> str:
    if order.status is Status.FILLED:
        return str(order.quantity)
    return f"{order.filled}/{order.quantity}"


def _description(order: Order) -> str:
    verb = {"BUY": "Buy", "SELL": "Sell"}[order.side]
    if order.status is Status.FILLED:
        verb = {"BUY": "Bought", "SELL": "Sold"}[order.side]
    price = f" {order.limit_price}" if order.limit_price is not None else ""
    tif = {"DAY": "Day"}.get(order.tif, order.tif)
    return f"{verb} {order.quantity} {order.symbol} {TYPES[order.order_type][1]}{price}, {tif}"


def _ccp(order: Order) -> str:
    words = {Status.PENDING_SUBMIT: "Pending Submit", Status.PENDING_CANCEL: "Pending Cancel"}
    return words.get(order.status, order.status.value)


def _plain(price: Decimal) -> str:
    """In cents where it is whole cents, with eight decimals at most where it is not."""
    cents = price.quantize(CENT)
    return str(cents) if cents == price else f"{price:.8f}".rstrip("0")


ENDPOINTS = (
    Endpoint("GET", "/iserver/account/orders", Needs.ACCOUNTS, orders),
    Endpoint("GET", "/iserver/account/order/status/{order}", Needs.ACCOUNTS, status),
    Endpoint("GET", "/iserver/account/trades", Needs.ACCOUNTS, trades),
)
