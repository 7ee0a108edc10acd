"""A real journal for each test: on SQLite, and on PostgreSQL where it is asked for."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.journal.engine import Journal


@pytest.fixture(scope="session")
def new_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty journal file, made once: its migrations take longer than most tests."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    journal = Journal(f"sqlite:///{path}")
    journal.upgrade()
    journal.close()
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
def journal(request: pytest.FixtureRequest, tmp_path: Path, new_journal: Path) -> Iterator[Journal]:
    if request.param == "postgresql":
        journal = Journal(request.getfixturevalue("postgres_url"))
        journal.upgrade()
    else:
        shutil.copy(new_journal, tmp_path / "journal.db")
        journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}")
    yield journal
    journal.close()
