"""A real journal for each test: on SQLite, and on PostgreSQL where it is asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.journal.engine import Journal


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    journal = Journal(url)
    journal.upgrade()
    yield journal
    journal.close()
