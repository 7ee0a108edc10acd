"""The append-only history beside each order's current state."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, update

from worker.journal.tables import order_events, orders
from worker.models.order import OrderState
from worker.version import code_version


def change_order(
    connection: Connection,
    row: RowMapping,
    now: datetime,
    state: OrderState,
    cause: str,
    changes: dict[str, Any],
) -> None:
    """Give an order a state and columns, and write down that it was so."""
    connection.execute(
        update(orders)
        .where(orders.c.coid == row["coid"])
        .values(state=state, updated_at=now, **changes)
    )
    append_event(connection, row["coid"], row["run_id"], now, state, cause)


def append_event(
    connection: Connection, coid: str, run_id: str, now: datetime, state: OrderState, cause: str
) -> None:
    connection.execute(
        insert(order_events).values(
            coid=coid, run_id=run_id, at=now, state=state, cause=cause, version=code_version()
        )
    )
