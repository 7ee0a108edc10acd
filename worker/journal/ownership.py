"""Who owns and sells what, summed from fills and open orders inside one transaction.

The sums are of Decimals kept as text, so they are made here and not by the database.
"""

from decimal import Decimal

from sqlalchemy import Connection, RowMapping, and_, select

from worker.journal.engine import Journal
from worker.journal.tables import adjustments, fills, orders
from worker.models.base import Value
from worker.models.order import ACTIVE

ZERO = Decimal(0)
SIGN = {"BUY": 1, "SELL": -1}


def owned_in(
    connection: Connection, account_id: str, symbol: str, strategy_id: int | None = None
) -> Decimal:
    """Shares that its own orders filled, or a person gave it: a strategy's, or all of them."""
    filled = select(fills.c.side, fills.c.quantity).where(
        fills.c.account_id == account_id, fills.c.symbol == symbol
    )
    given = select(adjustments.c.quantity).where(
        adjustments.c.account_id == account_id,
        adjustments.c.symbol == symbol,
        adjustments.c.strategy_id.is_not(None),
    )
    if strategy_id is not None:
        filled = filled.where(fills.c.strategy_id == strategy_id)
        given = given.where(adjustments.c.strategy_id == strategy_id)
    traded = sum((SIGN[side] * quantity for side, quantity in connection.execute(filled)), ZERO)
    return sum(connection.execute(given).scalars(), traded)


def owners_in(connection: Connection, account_id: str, symbol: str) -> list[int]:
    """The strategies that ever had shares of it."""
    found: set[int] = set()
    for table in (fills, adjustments):
        query = select(table.c.strategy_id).where(
            table.c.account_id == account_id,
            table.c.symbol == symbol,
            table.c.strategy_id.is_not(None),
        )
        found |= set(connection.execute(query.distinct()).scalars())
    return sorted(found)


def lock_shares(connection: Connection, account_id: str, symbol: str) -> None:
    """Until the transaction ends, nobody else counts these shares in order to sell them: what is
    sold was bought, or given, so there are rows to lock. SQLite lets one write at a time anyway."""
    bought = select(fills.c.execution_id).where(
        fills.c.account_id == account_id, fills.c.symbol == symbol
    )
    connection.execute(bought.order_by(fills.c.execution_id).with_for_update()).all()
    given = select(adjustments.c.id).where(
        adjustments.c.account_id == account_id, adjustments.c.symbol == symbol
    )
    connection.execute(given.order_by(adjustments.c.id).with_for_update()).all()


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
    """Shares of one symbol that one strategy owns. Cost: the average price of its buys, USD; None
    where a person gave it shares, of which nobody knows what they cost."""

    account_id: str
    strategy_id: int
    symbol: str
    quantity: Decimal
    average_cost_usd: Decimal | None = None


def holdings(journal: Journal) -> list[Holding]:
    """What every strategy owns, by account, strategy and symbol; nothing where it is zero."""
    with journal.read() as connection:
        traded = connection.execute(select(fills)).mappings().all()
        query = select(adjustments).where(adjustments.c.strategy_id.is_not(None))
        given = connection.execute(query).mappings().all()
    keys = sorted({_owner(row) for row in (*traded, *given)})
    found = (
        _holding(
            key,
            [row for row in traded if _owner(row) == key],
            [row for row in given if _owner(row) == key],
        )
        for key in keys
    )
    return [holding for holding in found if holding.quantity]


def _owner(row: RowMapping) -> tuple[str, int, str]:
    return row["account_id"], row["strategy_id"], row["symbol"]


def _holding(
    key: tuple[str, int, str], traded: list[RowMapping], given: list[RowMapping]
) -> Holding:
    buys = [row for row in traded if row["side"] == "BUY"]
    paid = sum((row["quantity"] * row["price"] for row in buys), ZERO)
    # A split makes more shares of what was paid.
    split = sum((row["quantity"] for row in given if row["kind"] == "split"), ZERO)
    bought = sum((row["quantity"] for row in buys), ZERO) + split
    quantity = sum((SIGN[row["side"]] * row["quantity"] for row in traded), ZERO)
    knows_cost = bought > 0 and all(row["kind"] == "split" for row in given)
    return Holding(
        account_id=key[0],
        strategy_id=key[1],
        symbol=key[2],
        quantity=sum((row["quantity"] for row in given), quantity),
        average_cost_usd=paid / bought if knows_cost else None,
    )
