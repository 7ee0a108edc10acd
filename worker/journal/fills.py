"""Executions: each kept once, by the broker's own id, and counted in its order."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, RowMapping, and_, delete, insert, or_, select, update

from worker.clock import Clock
from worker.journal.events import change_order
from worker.journal.ownership import SIGN
from worker.journal.resolving import filled_by, is_resolved, take_back
from worker.journal.tables import fills, foreign_fills, foreign_positions, orders
from worker.models.order import DONE, Fill


def keep_fill(connection: Connection, account_id: str, fill: Fill, clock: Clock) -> bool:
    """Count an execution of one of the journal's orders; False where it is none, or known.

    It takes a person's word of the order back: the broker's own is the better one.
    """
    row = owner_of(connection, account_id, fill)
    known = connection.execute(
        select(fills.c.execution_id).where(fills.c.execution_id == fill.execution_id)
    ).scalar_one_or_none()
    if row is None or known is not None:
        return False
    if is_resolved(row):
        why = f"the broker shows an execution of it ({fill.execution_id})"
        take_back(connection, row, why, clock)
        row = owner_of(connection, account_id, fill) or row
    _reclaim(connection, account_id, fill, clock.wall_now())
    _keep(connection, row, fill, clock.wall_now())
    return True


def _reclaim(connection: Connection, account_id: str, fill: Fill, now: datetime) -> None:
    """Taken for somebody else's before its order was known: those shares were never foreign."""
    taken = connection.execute(
        delete(foreign_fills).where(
            foreign_fills.c.execution_id == fill.execution_id,
            foreign_fills.c.account_id == account_id,
            foreign_fills.c.in_baseline.is_(False),
        )
    )
    if taken.rowcount == 0:
        return
    mine = and_(
        foreign_positions.c.account_id == account_id, foreign_positions.c.conid == fill.conid
    )
    before = connection.execute(select(foreign_positions.c.quantity).where(mine)).scalar_one()
    quantity = before - SIGN[fill.side] * fill.quantity
    connection.execute(
        update(foreign_positions).where(mine).values(quantity=quantity, updated_at=now)
    )


def owner_of(connection: Connection, account_id: str, fill: Fill) -> RowMapping | None:
    """The row of the journal's order that was executed, locked; None where it is none of ours."""
    if fill.coid is None and fill.broker_order_id is None:
        return None
    keys = [orders.c.coid == fill.coid] if fill.coid else []
    if fill.broker_order_id and not fill.coid:
        keys.append(orders.c.broker_order_id == fill.broker_order_id)
    query = select(orders).where(
        or_(*keys),
        orders.c.account_id == account_id,
        orders.c.conid == fill.conid,
        orders.c.side == fill.side,
    )
    return connection.execute(query.with_for_update()).mappings().one_or_none()


def _keep(connection: Connection, row: RowMapping, fill: Fill, now: datetime) -> None:
    kept = {
        "execution_id": fill.execution_id,
        "account_id": row["account_id"],
        "coid": row["coid"],
        "strategy_id": row["strategy_id"],
        "symbol": row["symbol"],
        "side": fill.side,
        "quantity": fill.quantity,
        "price": fill.price,
        "commission_usd": fill.commission_usd,
        "executed_at": fill.executed_at,
        "recorded_at": now,
    }
    connection.execute(insert(fills).values(**kept))
    counted = filled_by(connection, row["coid"])
    state, reasons = row["state"], row["reasons"]
    why = _contradiction(row, counted["filled_quantity"])
    if why is not None:
        state, reasons = "UNKNOWN", [why]
    changes = {
        **counted,
        "reasons": reasons,
        # The answer that told it may have been lost.
        "broker_order_id": row["broker_order_id"] or fill.broker_order_id,
    }
    cause = f"{fill.quantity} filled at {fill.price} ({fill.execution_id})"
    change_order(connection, row, now, state, cause, changes, fill=kept)


def _contradiction(row: RowMapping, filled: Decimal) -> str | None:
    """Why an execution opens an order again: it came after an end without it, or is one too many.
    Until evidence or a person settles it, nothing is sent for the symbol."""
    if filled > row["quantity"]:
        return f"{filled} shares of {row['quantity']} were executed: was an execution corrected?"
    if row["state"] in DONE and row["state"] != "FILLED":
        return f"an execution came after it was {row['state']}"
    return None
