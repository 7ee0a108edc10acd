"""A journal of an earlier version becomes one of this version, and goes back."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, Ledger
from tests.support.tampering import edit, rows
from worker.journal.engine import Journal
from worker.journal.tables import fills, metadata
from worker.journal.verify import verify

BEFORE = ("id", "coid", "run_id", "at", "state", "cause", "version")
CHAIN = {"account_id", "seq", "previous_hash", "hash"}


@pytest.fixture
def before(ledger: Ledger, journal: Journal) -> list[dict[str, Any]]:
    """Two orders with three fills, as version 0002 left them: its events had no data."""
    coid = ledger.order("WORKING", quantity=10).intent.coid
    ledger.order("DENIED", symbol="MSFT")
    ledger.fill(coid, 3, "444.10")
    ledger.fill(coid, 5, "444.250")
    ledger.fill(coid, 2, "444")
    journal.downgrade("0002")
    edit(journal, "order_events", "data = NULL")
    return _stored(journal)


def _stored(journal: Journal) -> list[dict[str, Any]]:
    with journal.read() as connection:
        query = text("SELECT * FROM order_events ORDER BY id")
        return [dict(row) for row in connection.execute(query).mappings()]


def _tables(journal: Journal) -> set[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if journal.engine.dialect.name == "postgresql":
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    with journal.read() as connection:
        return set(connection.execute(text(query)).scalars())


def test_the_migrations_make_the_tables_that_the_program_has(journal: Journal) -> None:
    with journal.read() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def test_the_events_of_an_earlier_version_are_chained_as_they_were_written(
    journal: Journal, ledger: Ledger, before: list[dict[str, Any]]
) -> None:
    journal.upgrade()
    journal.require_schema()
    after = rows(journal)
    assert [{name: row[name] for name in BEFORE} for row in after] == [
        {name: row[name] for name in BEFORE} for row in before
    ]
    found = verify(journal)
    assert (found.findings, found.events) == ((), 8)
    assert ledger.book.head().seq == 8


def test_a_fill_of_an_earlier_version_is_told_by_its_event(
    journal: Journal, before: list[dict[str, Any]]
) -> None:
    journal.upgrade()
    edit(journal, "fills", "price = '1.00' WHERE price = '444.250'")
    edit(journal, "orders", "filled_quantity = '11' WHERE filled_quantity = '10'")
    assert [each.sentence for each in verify(journal).findings] == [
        "its filled_quantity is 11, its events say 10",
        "the fill e-5's price is 1.00, its events say 444.250",
    ]


def test_a_journal_that_went_back_and_forth_goes_on(
    journal: Journal, ledger: Ledger, clock: ManualClock
) -> None:
    coid = ledger.order("WORKING", quantity=10).intent.coid
    ledger.fill(coid, 3)
    told = rows(journal)
    journal.downgrade("0002")
    assert "chain_heads" not in _tables(journal)
    assert not CHAIN & _stored(journal)[0].keys()
    journal.upgrade()
    assert rows(journal) == told
    ledger.fill(coid, 7)
    assert ledger.book.settle(coid, "WORKING", "FILLED", "done")
    assert verify(journal).findings == ()
    with journal.read() as connection:
        assert len(connection.execute(select(fills)).all()) == 2
    assert ledger.book.account_id == ACCOUNT


def test_more_events_than_are_read_at_once_are_one_chain(journal: Journal, ledger: Ledger) -> None:
    coid = ledger.order("INTENDED").intent.coid
    journal.downgrade("0002")
    copy = text(
        "INSERT INTO order_events (coid, run_id, at, state, cause, version) "
        "SELECT coid, run_id, at, state, :cause, version FROM order_events LIMIT 1"
    )
    with journal.write() as connection:
        connection.execute(copy, [{"cause": f"time {number}"} for number in range(2100)])
    journal.upgrade()
    found = verify(journal)
    assert (found.findings, found.events) == ((), 2101)
    assert rows(journal)[-1]["coid"] == coid


def test_all_migrations_go_down_and_up_again(journal: Journal, ledger: Ledger) -> None:
    ledger.order("FILLED")
    journal.downgrade("base")
    assert _tables(journal) == {"alembic_version"}
    journal.upgrade()
    journal.require_schema()
