"""Reads an order ticket as the broker does: malformed ones are a 400, unsupported ones an error."""

from decimal import Decimal, InvalidOperation
from typing import Any

from scripts.sandbox.gateway.call import Answer, Call, bad_request, whole_number
from scripts.sandbox.instruments import BY_CONID, Instrument
from scripts.sandbox.prices import CENT
from scripts.sandbox.records import Ticket
from scripts.sandbox.sandbox import ACCOUNT

UNSUPPORTED = ("parentId", "cashQty", "fxQty", "auxPrice", "trailingAmt", "strategy", "isCcyConv")
TIFS = ("DAY", "GTC", "IOC")


class Malformed(Exception):
    """The request is not an order: HTTP 400."""


class Refused(Exception):
    """An order the sandbox does not take: HTTP 200 with an error."""


def read_ticket(call: Call) -> Ticket | Answer:
    """The one order in the request's body, or the answer that refuses it."""
    try:
        return _ticket(_only_order(call.body))
    except Malformed as problem:
        return bad_request(str(problem))
    except Refused as problem:
        return Answer({"error": str(problem)})


def _only_order(body: Any) -> dict[str, Any]:
    orders = body.get("orders") if isinstance(body, dict) else None
    if not isinstance(orders, list) or not orders or not isinstance(orders[0], dict):
        raise Malformed("orders is missing")
    if len(orders) > 1:
        raise Refused("Unrelated orders must not share a request. (sandbox: one order at a time)")
    order: dict[str, Any] = orders[0]
    return order


def _ticket(order: dict[str, Any]) -> Ticket:
    if order.get("acctId", ACCOUNT) != ACCOUNT:
        raise Malformed(f"accountId is not valid: {order['acctId']}")
    instrument = _instrument(order)
    side, order_type, tif = (_word(order, name) for name in ("side", "orderType", "tif"))
    if side not in ("BUY", "SELL"):
        raise Malformed(f"side is not valid: {side}")
    unsupported = [name for name in UNSUPPORTED if order.get(name)]
    if unsupported or order_type not in ("LMT", "MKT") or tif not in TIFS:
        what = ", ".join(unsupported) or f"{order_type} {tif}"
        raise Refused(f"invalid order attribute : {what} (not in the sandbox)")
    if order.get("outsideRTH"):
        raise Refused("invalid order attribute : Outside Regular Trading Hours")
    return Ticket(
        conid=instrument.conid,
        symbol=instrument.symbol,
        side=side,
        order_type=order_type,
        quantity=_quantity(order),
        limit_price=_limit(order) if order_type == "LMT" else None,
        tif=tif,
        coid=_coid(order),
    )


def _coid(order: dict[str, Any]) -> str | None:
    given = order.get("cOID")
    if given is None or given == "":
        return None
    if not isinstance(given, str) or not given.isprintable():
        raise Malformed("cOID is not valid")
    return given


def _instrument(order: dict[str, Any]) -> Instrument:
    given = order.get("conid") or str(order.get("conidex", "")).split("@")[0]
    conid = whole_number(given)
    if conid not in BY_CONID:
        raise Malformed("conid is not valid")
    return BY_CONID[conid]


def _word(order: dict[str, Any], name: str) -> str:
    if not isinstance(order.get(name), str):
        raise Malformed(f"{name} is missing")
    return str(order[name])


def _quantity(order: dict[str, Any]) -> Decimal:
    quantity = _number(order, "quantity")
    if quantity != quantity.to_integral_value():
        raise Refused("invalid order attribute : fractional quantity")
    return quantity.quantize(Decimal(1))


def _limit(order: dict[str, Any]) -> Decimal:
    price = _number(order, "price")
    if price != price.quantize(CENT):
        raise Refused("invalid order price fields")
    return price.quantize(CENT)


def _number(order: dict[str, Any], name: str) -> Decimal:
    given = order.get(name)
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise Malformed(f"{name} is missing")
    try:
        number = Decimal(str(given))
    except InvalidOperation:
        raise Malformed(f"{name} is not a number") from None
    if not number.is_finite() or number <= 0 or number > 10**9:
        raise Malformed(f"{name} is not valid: {given}")
    return number
