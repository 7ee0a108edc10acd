"""The events of an account become a hash chain; those that were there are chained in their order.

The event that tells of a fill gets the fill in its data, as later ones have it from the start.
Going down takes the chain away; what an event tells stays.
"""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from alembic import op

from worker.journal.chain import event_hash
from worker.models.chain import NO_HASH

revision = "0003"
down_revision = "0002"

ROWS_AT_ONCE = 1000
# "10 filled at 444.00 (e-1)"
FILLED = re.compile(r".* filled at .* \((.+)\)")
FILL = (
    "execution_id", "account_id", "coid", "strategy_id", "symbol", "side", "quantity", "price",
    "commission_usd", "executed_at", "recorded_at",
)  # fmt: skip
EVENT = ("id", "coid", "run_id", "at", "state", "cause", "data", "version")
LINK = ("account_id", "seq", "previous_hash", "hash")

# Without types of ours: values are read and written as they are stored.
events = sa.table("order_events", *map(sa.column, (*EVENT, *LINK)))
orders = sa.table("orders", sa.column("coid"), sa.column("account_id"))
fills = sa.table("fills", *map(sa.column, FILL))
heads = sa.table("chain_heads", *map(sa.column, ("account_id", "seq", "hash")))


def upgrade() -> None:
    op.create_table(
        "chain_heads",
        sa.Column("account_id", sa.String(length=24), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_chain_heads")),
    )
    op.add_column("order_events", sa.Column("account_id", sa.String(length=24)))
    op.add_column("order_events", sa.Column("seq", sa.BigInteger()))
    op.add_column("order_events", sa.Column("previous_hash", sa.String(length=64)))
    op.add_column("order_events", sa.Column("hash", sa.String(length=64)))
    _chain(op.get_bind())
    with op.batch_alter_table("order_events") as batch:
        for name in LINK:
            batch.alter_column(name, nullable=False)
        batch.create_unique_constraint(
            op.f("uq_order_events_account_id_seq"), ["account_id", "seq"]
        )


def downgrade() -> None:
    with op.batch_alter_table("order_events") as batch:
        batch.drop_constraint(op.f("uq_order_events_account_id_seq"), type_="unique")
        for name in reversed(LINK):
            batch.drop_column(name)
    op.drop_table("chain_heads")


def _chain(connection: sa.Connection) -> None:
    ends: dict[str, tuple[int, str]] = {}
    filled: dict[str, Decimal] = {}
    for rows in _batches(connection):
        links = []
        told = _fills_of(connection, rows)
        for row in rows:
            seq, previous = ends.get(row["account_id"], (0, NO_HASH))
            data = _data(told.get(row["id"]), filled)
            link = {**row, "data": row["data"] or data, "seq": seq + 1, "previous_hash": previous}
            link["hash"] = event_hash(link)
            ends[row["account_id"]] = (seq + 1, link["hash"])
            links.append({f"new_{name}": link[name] for name in ("id", "data", *LINK)})
        changed: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in ("data", *LINK)}
        update = sa.update(events).where(events.c.id == sa.bindparam("new_id")).values(changed)
        connection.execute(update, links)
    for account_id, (seq, digest) in ends.items():
        connection.execute(sa.insert(heads).values(account_id=account_id, seq=seq, hash=digest))


def _batches(connection: sa.Connection) -> Iterator[Sequence[Any]]:
    """Every event with its order's account, in the order in which they were written."""
    columns = [events.c[name] for name in EVENT]
    query = sa.select(*columns, orders.c.account_id).join(orders, orders.c.coid == events.c.coid)
    last = 0
    while rows := connection.execute(
        query.where(events.c.id > last).order_by(events.c.id).limit(ROWS_AT_ONCE)
    ).mappings().all():  # fmt: skip
        yield rows
        last = rows[-1]["id"]


def _fills_of(connection: sa.Connection, rows: Sequence[Any]) -> dict[int, dict[str, Any]]:
    """The fills that events tell of, by the event's id."""
    told = {row["id"]: FILLED.fullmatch(row["cause"]) for row in rows}
    executions = {event_id: found[1] for event_id, found in told.items() if found}
    query = sa.select(fills).where(fills.c.execution_id.in_(set(executions.values())))
    known = {row["execution_id"]: dict(row) for row in connection.execute(query).mappings()}
    return {event_id: known[each] for event_id, each in executions.items() if each in known}


def _data(fill: dict[str, Any] | None, filled: dict[str, Decimal]) -> str | None:
    if fill is None:
        return None
    coid = fill["coid"]
    filled[coid] = filled.get(coid, Decimal(0)) + Decimal(fill["quantity"])
    data = {"order": {"filled_quantity": format(filled[coid], "f")}, "fill": fill}
    return json.dumps(data, separators=(",", ":"))
