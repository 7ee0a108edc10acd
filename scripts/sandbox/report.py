"""The book for people and tests: everything the sandbox knows of orders, in plain JSON.

Decimals are text, so nothing is rounded on the way.
"""

from collections import Counter
from typing import Any

from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.records import Fill, Order, Position
from scripts.sandbox.sandbox import ACCOUNT, Sandbox
from scripts.sandbox.wishes import Page


def health(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "sandbox": True,
        "account": ACCOUNT,
        "market_time": sandbox.now.isoformat(),
        "new_york": f"{sandbox.now.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S %Z}",
        "rate": sandbox.clock.rate,
        "open": sandbox.market.sessions.at(sandbox.now) is not None,
    }


def book(sandbox: Sandbox) -> dict[str, Any]:
    kept = sandbox.book
    return {
        "sandbox": True,
        "account": ACCOUNT,
        "market_time": sandbox.now.isoformat(),
        "orders": [_order(order) for order in kept.orders()],
        "fills": [_fill(fill) for fill in kept.fills()],
        "positions": [_position(position) for position in kept.positions()],
        "cash": str(kept.cash()),
        "requests": kept.requests(),
        "violations": kept.violations(),
        "faults_fired": kept.notes.fired(),
    }


def book_page(sandbox: Sandbox, page: Page) -> dict[str, Any]:
    """The book, with requests of order conversations; `more`: whether others follow."""
    found = sandbox.book.notes.requests(page.after, page.limit + 1)
    noted = {"order_requests": found[: page.limit], "more": len(found) > page.limit}
    return book(sandbox) | noted


def faults(sandbox: Sandbox) -> dict[str, Any]:
    """Every switch, each armed fault with what is left of it, and how often which kind fired."""
    fired = sandbox.book.notes.fired()
    by_id = {row["id"]: row["count"] for row in fired}
    by_kind: Counter[str] = Counter()
    for row in fired:
        by_kind[row["kind"]] += row["count"]
    armed = [
        fault.wish.model_dump()
        | {"id": fault.id, "left": fault.left, "fired": by_id.get(fault.id, 0)}
        for fault in sandbox.faults.armed
    ]
    return sandbox.switches.model_dump() | {"faults": armed, "fired": by_kind}


def session(sandbox: Sandbox) -> dict[str, Any]:
    login = sandbox.login
    return {
        "sso": login.sso,
        "brokerage": login.brokerage,
        "established": login.established,
        "competing": login.competing,
        "primed": login.inside.primed,
        "waiting_replies": sorted(login.inside.pending),
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "cOID": order.coid,
        "conid": order.conid,
        "symbol": order.symbol,
        "side": order.side,
        "order_type": order.order_type,
        "quantity": str(order.quantity),
        "limit_price": _text(order.limit_price),
        "tif": order.tif,
        "status": order.status.value,
        "filled": str(order.filled),
        "avg_price": _text(order.average),
        "commission": str(order.commission),
        "reason": order.reason,
        "accepted_at": order.accepted_at.isoformat(),
        "changed_at": order.changed_at.isoformat(),
        "expires_at": order.expires_at.isoformat() if order.expires_at else None,
    }


def _fill(fill: Fill) -> dict[str, Any]:
    return {
        "execution_id": fill.execution_id,
        "order_id": fill.order_id,
        "cOID": fill.coid,
        "symbol": fill.symbol,
        "side": fill.side,
        "quantity": str(fill.quantity),
        "price": str(fill.price),
        "commission": str(fill.commission),
        "time": fill.time.isoformat(),
    }


def _position(position: Position) -> dict[str, Any]:
    return {
        "symbol": position.symbol,
        "quantity": str(position.quantity),
        "average_cost": str(position.cost),
        "realized": str(position.realized),
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
