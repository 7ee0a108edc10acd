"""Somebody with the database's password, and what they do with it."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import text

from tests.support.ledger import ACCOUNT
from worker.journal.chain import event_hash
from worker.journal.engine import Journal
from worker.journal.tables import order_events
from worker.journal.types import stored_columns


def tamper(journal: Journal, *statements: str, **values: Any) -> None:
    """Run statements behind the program's back; no foreign key stands in their way."""
    if journal.engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(str(journal.engine.url.database))) as file, file:
            for statement in statements:
                file.execute(statement, values)
        return
    with journal.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement), values)


def edit(journal: Journal, table: str, change: str, **values: Any) -> None:
    tamper(journal, f"UPDATE {table} SET {change}", **values)  # noqa: S608 - as intruders do


def rewrite_chain(journal: Journal) -> None:
    """Hash every event anew and put the head right: who knows the rule can."""
    for row in rows(journal):
        before = [each for each in rows(journal) if each["seq"] == row["seq"] - 1]
        event = {**row, "previous_hash": before[0]["hash"] if before else "0" * 64}
        tamper(
            journal,
            "UPDATE order_events SET previous_hash = :previous, hash = :hash WHERE id = :id",
            previous=event["previous_hash"], hash=event_hash(event), id=event["id"],
        )  # fmt: skip
    put_head_right(journal)


def put_head_right(journal: Journal) -> None:
    last = rows(journal)[-1]
    tamper(
        journal,
        "UPDATE chain_heads SET seq = :seq, hash = :hash",
        seq=last["seq"], hash=last["hash"],
    )  # fmt: skip


def rows(journal: Journal) -> Sequence[dict[str, Any]]:
    """The account's events as the database holds them."""
    query = order_events.select().with_only_columns(*stored_columns(order_events))
    mine = query.where(order_events.c.account_id == ACCOUNT).order_by(order_events.c.seq)
    with journal.read() as connection:
        return [dict(row) for row in connection.execute(mine).mappings()]
