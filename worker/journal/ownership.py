"""Who owns and sells what, summed from fills and open orders inside one transaction.

The sums are of Decimals kept as text, so they are made here and not by the database.
"""

from decimal import Decimal

from sqlalchemy import Connection, RowMapping, and_, select

from worker.journal.engine import Journal
from worker.journal.tables import fills, orders
from worker.models.base import Value
from worker.models.order import ACTIVE

ZERO = Decimal(0)
SIGN = {"BUY": 1, "SELL": -1}


def owned_in(
    connection: Connection, account_id: str, symbol: str, strategy_id: int | None = None
) -> Decimal:
    """Shares filled for a strategy, or for all of them."""
    query = select(fills.c.side, fills.c.quantity).where(
        fills.c.account_id == account_id, fills.c.symbol == symbol
    )
    if strategy_id is not None:
        query = query.where(fills.c.strategy_id == strategy_id)
    return sum((SIGN[side] * quantity for side, quantity in connection.execute(query)), ZERO)


def lock_shares(connection: Connection, account_id: str, symbol: str) -> None:
    """Until the transaction ends, nobody else counts these shares in order to sell them: what is
    sold was bought, so there are fills to lock. SQLite lets one write at a time anyway."""
    query = select(fills.c.execution_id).where(
        fills.c.account_id == account_id, fills.c.symbol == symbol
    )
    connection.execute(query.order_by(fills.c.execution_id).with_for_update()).all()


def working_in(connection: Connection, account_id: str, symbol: str, strategy_id: int) -> Decimal:
    rows = _open(connection, account_id, symbol, strategy_id)
    return sum((SIGN[row["side"]] * _remaining(row) for row in rows), ZERO)


def selling_in(
    connection: Connection, account_id: str, symbol: str, strategy_id: int | None = None
) -> Decimal:
    rows = _open(connection, account_id, symbol, strategy_id)
    return sum((_remaining(row) for row in rows if row["side"] == "SELL"), ZERO)


def _open(
    connection: Connection, account_id: str, symbol: str, strategy_id: int | None
) -> list[RowMapping]:
    condition = and_(
        orders.c.account_id == account_id, orders.c.symbol == symbol, orders.c.state.in_(ACTIVE)
    )
    if strategy_id is not None:
        condition = and_(condition, orders.c.strategy_id == strategy_id)
    return list(connection.execute(select(orders).where(condition)).mappings())


def _remaining(row: RowMapping) -> Decimal:
    filled: Decimal = row["filled_quantity"]
    return max(ZERO, Decimal(row["quantity"]) - filled)


class Holding(Value):
    """Shares of one symbol that one strategy owns; cost is the average price of its buys, USD."""

    account_id: str
    strategy_id: int
    symbol: str
    quantity: Decimal
    average_cost_usd: Decimal | None = None


def holdings(journal: Journal) -> list[Holding]:
    """What every strategy owns, by account, strategy and symbol; nothing where it is zero."""
    with journal.read() as connection:
        rows = connection.execute(select(fills)).mappings().all()
    keys = sorted({(row["account_id"], row["strategy_id"], row["symbol"]) for row in rows})
    found = []
    for key in keys:
        mine = [r for r in rows if (r["account_id"], r["strategy_id"], r["symbol"]) == key]
        quantity = sum((SIGN[row["side"]] * row["quantity"] for row in mine), ZERO)
        bought = sum((row["quantity"] for row in mine if row["side"] == "BUY"), ZERO)
        paid = sum((row["quantity"] * row["price"] for row in mine if row["side"] == "BUY"), ZERO)
        if quantity:
            found.append(
                Holding(
                    account_id=key[0], strategy_id=key[1], symbol=key[2], quantity=quantity,
                    average_cost_usd=paid / bought if bought else None,
                )
            )  # fmt: skip
    return found
