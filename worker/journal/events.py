"""The append-only history beside each order's current state: one hash chain an account.

An event's `data` holds what was written with it: `order`, the columns that it gave the order, and
`fill`, the execution that it counts. So the current state can be told again from the history.

On PostgreSQL a transaction locks in one order, so that none waits for another in a circle: the
run, the order, the conversation, the foreign shares, the fills, and last of all the chain's head.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, insert, select, text, update

from worker.journal.chain import event_hash
from worker.journal.tables import chain_heads, fills, order_events, orders
from worker.journal.types import as_stored
from worker.models.chain import ChainHead
from worker.models.order import OrderState
from worker.version import code_version

# Both databases take it. Two first events at once: the second finds the first one's row.
_BEGIN_CHAIN = text(
    "INSERT INTO chain_heads (account_id, seq, hash) VALUES (:account_id, :seq, :hash) "
    "ON CONFLICT DO NOTHING"
)


def insert_order(connection: Connection, row: Mapping[str, Any]) -> None:
    """A new order, and its first event."""
    connection.execute(insert(orders).values(**row))
    data = {"order": as_stored(orders, row)}
    append_event(connection, row, row["created_at"], row["state"], "decided", data)


def change_order(
    connection: Connection,
    row: RowMapping,
    now: datetime,
    state: OrderState,
    cause: str,
    changes: dict[str, Any],
    fill: Mapping[str, Any] | None = None,
) -> None:
    """Give an order a state and columns, and write down that it was so; `fill`: and why."""
    given = {"updated_at": now, **changes}
    connection.execute(
        update(orders).where(orders.c.coid == row["coid"]).values(state=state, **given)
    )
    data: dict[str, Any] = {"order": as_stored(orders, given)}
    if fill is not None:
        data["fill"] = as_stored(fills, fill)
    append_event(connection, row, now, state, cause, data)


def append_event(
    connection: Connection,
    order: Mapping[Any, Any],
    now: datetime,
    state: OrderState,
    cause: str,
    data: Mapping[str, Any],
) -> None:
    """The next link of the account's chain. The head stays locked until the transaction ends, so
    it is the last thing that a transaction does, and none holds an HTTP call."""
    account_id = order["account_id"]
    head = _locked_head(connection, account_id)
    event = {
        "account_id": account_id,
        "seq": head.seq + 1,
        "coid": order["coid"],
        "run_id": order["run_id"],
        "at": now,
        "state": state,
        "cause": cause,
        "data": data,
        "version": code_version(),
        "previous_hash": head.hash,
    }
    digest = event_hash(as_stored(order_events, event))
    connection.execute(insert(order_events).values(**event, hash=digest))
    connection.execute(
        update(chain_heads)
        .where(chain_heads.c.account_id == account_id)
        .values(seq=event["seq"], hash=digest)
    )


def read_head(connection: Connection, account_id: str) -> ChainHead:
    row = connection.execute(_head_of(account_id)).mappings().one_or_none()
    return ChainHead(**row) if row is not None else ChainHead()


def _locked_head(connection: Connection, account_id: str) -> ChainHead:
    query = _head_of(account_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        connection.execute(_BEGIN_CHAIN, {"account_id": account_id, **dict(ChainHead())})
        row = connection.execute(query).mappings().one()
    return ChainHead(**row)


def _head_of(account_id: str) -> Select[tuple[int, str]]:
    of_account = chain_heads.c.account_id == account_id
    return select(chain_heads.c.seq, chain_heads.c.hash).where(of_account)
