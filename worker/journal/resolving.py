"""Orders of unknown fate that a named person settles, and what the broker may still say of them.

A person's word is booked like any evidence, and gives way to the broker's own: the first execution
of such an order, or a listing that contradicts, takes back every share that was stated, and the
order is UNKNOWN again until evidence settles it. What was booked is reversed, never deleted.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, insert, select

from worker.clock import Clock
from worker.errors import Refused
from worker.journal.events import change_order
from worker.journal.ownership import ZERO
from worker.journal.tables import fills, orders
from worker.models.base import Value
from worker.models.order import DONE, OrderState

STATED = "manual:"
RESOLVED = "resolved by "
Found = Literal["filled", "cancelled", "not-sent"]


class Statement(Value):
    """What a person found out about an order of unknown fate. `quantity` shares filled at `price`
    on average, where it is `filled`; what is left of the order then came to nothing."""

    found: Found
    by: str
    reason: str
    quantity: Decimal = ZERO
    price: Decimal = ZERO

    @property
    def cause(self) -> str:
        shares = f", {self.quantity} at {self.price}" if self.quantity else ""
        return f"{RESOLVED}{self.by}: {self.reason} as {self.found}{shares}"

    def state_of(self, quantity: int, filled: Decimal) -> OrderState:
        """DENIED is what was never sent."""
        if self.found == "not-sent":
            return "DENIED"
        return "FILLED" if filled == quantity else "CANCELLED"


def book_statement(
    connection: Connection, row: RowMapping, statement: Statement, clock: Clock
) -> None:
    """The order's state, and its shares, as the person says. Raises Refused where the journal
    knows better."""
    _require_unknown(row, statement)
    fill = None
    if statement.quantity:
        fill = _book(connection, row, statement.quantity, statement.price, clock)
    counted = filled_by(connection, row["coid"])
    state = statement.state_of(row["quantity"], counted["filled_quantity"])
    changes = {**counted, "reasons": [statement.cause]}
    change_order(connection, row, clock.wall_now(), state, statement.cause, changes, fill=fill)


def is_resolved(row: RowMapping) -> bool:
    """Is the order over by a person's word?"""
    return row["state"] in DONE and any(each.startswith(RESOLVED) for each in row["reasons"])


def take_back(connection: Connection, row: RowMapping, why: str, clock: Clock) -> None:
    """The order is open again, with what the broker's own executions prove and no more."""
    cause = f"{why}, though it was {row['state']}: what was stated by hand counts no longer"
    now = clock.wall_now()
    for price, quantity in _stated(connection, row["coid"]).items():
        fill = _book(connection, row, -quantity, price, clock)
        counted = filled_by(connection, row["coid"])
        change_order(connection, row, now, row["state"], cause, counted, fill=fill)
    change_order(connection, row, now, "UNKNOWN", cause, {"reasons": [cause]})


def resolved_since(connection: Connection, account_id: str, since: datetime) -> list[RowMapping]:
    """Orders that are over by a person's word, given after `since`."""
    query = select(orders).where(
        orders.c.account_id == account_id,
        orders.c.state.in_(DONE),
        orders.c.updated_at >= since,
    )
    found = connection.execute(query.order_by(orders.c.updated_at)).mappings()
    return [row for row in found if is_resolved(row)]


def filled_by(connection: Connection, coid: str) -> dict[str, Any]:
    """How many shares an order's executions are, and at what average price."""
    of_order = select(fills.c.quantity, fills.c.price).where(fills.c.coid == coid)
    kept = connection.execute(of_order).all()
    filled = sum((quantity for quantity, _ in kept), ZERO)
    worth = sum((quantity * price for quantity, price in kept), ZERO)
    return {"filled_quantity": filled, "average_price": worth / filled if filled else None}


def _require_unknown(row: RowMapping, statement: Statement) -> None:
    coid, missing = row["coid"], row["quantity"] - row["filled_quantity"]
    if row["state"] != "UNKNOWN":
        raise Refused(
            f"order {coid} is {row['state']}; only an order whose fate is UNKNOWN is settled by a "
            "person"
        )
    if statement.found == "not-sent" and row["filled_quantity"]:
        raise Refused(
            f"order {coid} was sent: the journal has executions of {row['filled_quantity']} shares"
        )
    if statement.quantity > missing:
        raise Refused(f"of order {coid} at most {missing} shares more can have filled")
    limit, price = row["limit_price"], statement.price
    worse = price > limit if row["side"] == "BUY" else price < limit
    if statement.quantity and worse:
        raise Refused(
            f"order {coid} is a {row['side']} with the limit {limit}: it cannot have filled at "
            f"{price}"
        )


def _book(
    connection: Connection, row: RowMapping, quantity: Decimal, price: Decimal, clock: Clock
) -> dict[str, Any]:
    number = len(_manual(connection, row["coid"])) + 1
    kept = {
        "execution_id": f"{STATED}{row['coid']}:{number}",
        "account_id": row["account_id"],
        "coid": row["coid"],
        "strategy_id": row["strategy_id"],
        "symbol": row["symbol"],
        "side": row["side"],
        "quantity": quantity,
        "price": price,
        "commission_usd": None,
        "executed_at": clock.market_now(),
        "recorded_at": clock.wall_now(),
    }
    connection.execute(insert(fills).values(**kept))
    return kept


def _stated(connection: Connection, coid: str) -> dict[Decimal, Decimal]:
    """Shares that stand by a person's word, by price."""
    found: dict[Decimal, Decimal] = {}
    for row in _manual(connection, coid):
        found[row["price"]] = found.get(row["price"], ZERO) + row["quantity"]
    return {price: quantity for price, quantity in found.items() if quantity}


def _manual(connection: Connection, coid: str) -> Sequence[RowMapping]:
    by_hand = fills.c.execution_id.startswith(STATED, autoescape=True)
    query = select(fills).where(fills.c.coid == coid, by_hand)
    return connection.execute(query).mappings().all()
