"""Does what the journal says now of orders and fills follow from their events?"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, or_, select, true

from worker.journal.tables import fills, order_events, orders
from worker.journal.types import stored_columns
from worker.models.chain import Finding

ORDERS_AT_ONCE = 500
# They hold the account's id, which is not shown.
HIDDEN = {"account_id", "intent"}
Row = Mapping[Any, Any]


def strayed(
    connection: Connection, account_id: str | None, tick: Callable[[], None]
) -> Iterator[Finding]:
    """Of one account, or of all; the rows are compared as the database holds them."""
    for rows in _batches(connection, account_id):
        coids = [row["coid"] for row in rows]
        events = _by_coid(connection, order_events, order_events.c.seq, coids)
        kept = _by_coid(connection, fills, fills.c.execution_id, coids)
        for row in rows:
            yield from _order(row, events.get(row["coid"], ()), kept.get(row["coid"], ()))
            tick()
    yield from _without_order(connection, account_id)


def _batches(connection: Connection, account_id: str | None) -> Iterator[Sequence[Row]]:
    """Orders of the account, those that events say were of it included."""
    of_account: ColumnElement[bool] = true()
    if account_id is not None:
        told = select(order_events.c.coid).where(order_events.c.account_id == account_id)
        of_account = or_(orders.c.account_id == account_id, orders.c.coid.in_(told))
    query = select(*stored_columns(orders)).where(of_account).order_by(orders.c.coid)
    last = ""
    while rows := connection.execute(
        query.where(orders.c.coid > last).limit(ORDERS_AT_ONCE)
    ).mappings().all():  # fmt: skip
        yield rows
        last = rows[-1]["coid"]


def _by_coid(
    connection: Connection, table: Table, then_by: ColumnElement[Any], coids: Sequence[str]
) -> dict[str, list[Row]]:
    query = select(*stored_columns(table)).where(table.c.coid.in_(coids))
    rows = connection.execute(query.order_by(table.c.coid, then_by)).mappings()
    return {coid: list(found) for coid, found in groupby(rows, lambda row: row["coid"])}


def _order(row: Row, events: Sequence[Row], kept: Sequence[Row]) -> Iterator[Finding]:
    if not events:
        yield Finding(
            what="state", account_id=row["account_id"], coid=row["coid"],
            sentence="it has no event",
        )  # fmt: skip
        return
    told: dict[str, Any] = {}
    told_fills: dict[str, Row] = {}
    for event in events:
        told |= _part(event, "order")
        told |= {name: event[name] for name in ("account_id", "run_id", "state")}
        if fill := _part(event, "fill"):
            told_fills[str(fill.get("execution_id"))] = fill
    place = {name: events[-1][name] for name in ("account_id", "seq", "coid")}
    for sentence in _differences("its", told, row):
        yield Finding(what="state", **place, sentence=sentence)
    for sentence in _fills(told_fills, {each["execution_id"]: each for each in kept}):
        yield Finding(what="fill", **place, sentence=sentence)


def _part(event: Row, name: str) -> dict[str, Any]:
    """What an event's data holds under a name. Where somebody put something else there, nothing:
    that the event was edited is found by its hash."""
    try:
        part = json.loads(event["data"] or "{}")[name]
    except (ValueError, LookupError, TypeError):
        return {}
    return part if isinstance(part, dict) else {}


def _differences(whose: str, told: Row, row: Row) -> Iterator[str]:
    for name in sorted(row.keys() & told.keys()):
        if row[name] == told[name]:
            continue
        if name in HIDDEN:
            yield f"{whose} {name} is not what its events say"
        else:
            yield f"{whose} {name} is {row[name]}, its events say {told[name]}"


def _fills(told: Mapping[str, Row], kept: Mapping[str, Row]) -> Iterator[str]:
    for execution_id in sorted(told.keys() | kept.keys()):
        name = f"the fill {execution_id}"
        if execution_id not in kept:
            yield f"{name} is gone"
        elif execution_id not in told:
            yield f"{name} has no event"
        else:
            yield from _differences(f"{name}'s", told[execution_id], kept[execution_id])


def _without_order(connection: Connection, account_id: str | None) -> Iterator[Finding]:
    for table, what in ((order_events, "event"), (fills, "fill")):
        query = select(table.c.account_id, table.c.coid, func.count().label("rows"))
        lost = query.where(table.c.coid.not_in(select(orders.c.coid)))
        if account_id is not None:
            lost = lost.where(table.c.account_id == account_id)
        grouped = lost.group_by(table.c.account_id, table.c.coid).order_by(table.c.coid)
        for row in connection.execute(grouped).mappings():
            yield Finding(
                what="state" if table is order_events else "fill",
                account_id=row["account_id"],
                coid=row["coid"],
                sentence=f"it is gone, and {row['rows']} {what}(s) of it are left",
            )
