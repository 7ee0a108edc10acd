"""The journal on the database of production."""

import pytest

from worker.journal.engine import Journal


@pytest.mark.needs_postgres
def test_the_journal_is_made_and_unmade_on_postgresql(postgres_url: str) -> None:
    journal = Journal(postgres_url)
    journal.upgrade()
    journal.upgrade()
    journal.require_schema()
    journal.downgrade("base")
    journal.close()
