"""The journal's connection: what is wrong with it is said in a sentence, without the password."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Executable, insert, select

from tests.support.clock import ManualClock
from tests.support.values import OPEN
from worker.errors import ConfigurationError, JournalUnavailable
from worker.journal.beacons import BeaconBook
from worker.journal.engine import Journal
from worker.journal.tables import beacons

SECRET = "hunter2-the-password"  # pragma: allowlist secret


def light(name: str) -> Executable:
    return insert(beacons).values(name=name, at=OPEN)


def names(journal: Journal) -> list[str]:
    with journal.read() as connection:
        return list(connection.execute(select(beacons.c.name).order_by(beacons.c.name)).scalars())


@pytest.mark.parametrize(
    "url",
    [
        "", "journal.db", f"postgres://user:{SECRET}@host/journal",
        f"postgresql+psycopg2://user:{SECRET}@host/journal",
        f"postgresql://user:{SECRET}@host:port/journal", f"oracle://user:{SECRET}@host/journal",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_a_mistake_in_the_configuration(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Journal(url)
    assert "OPENBELL_DATABASE_URL" in raised.value.sentence
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError) as raised:
        Journal(f"sqlite:///{tmp_path / 'file' / 'state' / 'journal.db'}")
    assert str(tmp_path / "file" / "state") in raised.value.sentence


def test_the_folder_of_a_new_journal_is_made(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path / 'home' / 'state' / 'journal.db'}")
    journal.upgrade()
    journal.require_schema()
    journal.close()


@pytest.mark.parametrize(
    "call",
    [Journal.upgrade, names, lambda journal: BeaconBook(journal, ManualClock(OPEN)).light("a")],
)
def test_a_server_that_is_away_is_unavailable_and_its_password_not_told(
    call: Callable[[Journal], object],
) -> None:
    journal = Journal(f"postgresql://user:{SECRET}@127.0.0.1:1/journal")
    with pytest.raises(JournalUnavailable) as raised:
        call(journal)
    assert SECRET not in str(raised.value)
    assert SECRET not in repr(journal.engine)
    journal.close()


def test_a_server_that_is_away_at_the_start_names_the_variable() -> None:
    journal = Journal(f"postgresql://user:{SECRET}@127.0.0.1:1/journal")
    with pytest.raises(ConfigurationError) as raised:
        journal.require_schema()
    assert "OPENBELL_DATABASE_URL" in raised.value.sentence
    assert SECRET not in raised.value.sentence
    journal.close()


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_text("a shopping list" * 1000)
    journal = Journal(f"sqlite:///{path}")
    with pytest.raises(ConfigurationError, match="file is not a database"):
        journal.require_schema()
    with pytest.raises(JournalUnavailable):
        journal.upgrade()
    assert path.read_text() == "a shopping list" * 1000
    journal.close()


def test_a_journal_without_its_schema_says_what_to_run(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}")
    with pytest.raises(ConfigurationError, match="openbell journal upgrade"):
        journal.require_schema()
    journal.close()


def test_an_upgrade_twice_is_an_upgrade_once(journal: Journal) -> None:
    with journal.write() as connection:
        connection.execute(light("kept"))
    journal.upgrade()
    journal.require_schema()
    assert names(journal) == ["kept"]


def test_a_transaction_that_raises_writes_nothing(journal: Journal) -> None:
    def fail() -> None:
        with journal.write() as connection:
            connection.execute(light("lost"))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        fail()
    assert names(journal) == []


def test_sqlite_is_as_safe_as_it_can_be(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}")
    journal.upgrade()
    with journal.read() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 10_000]
    journal.close()


def test_a_writer_waits_for_another_and_a_reader_for_none(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}")
    journal.upgrade()
    done = threading.Event()

    def write_too() -> None:
        with journal.write() as connection:
            connection.execute(light("b"))
        done.set()

    other = threading.Thread(target=write_too)
    with journal.write() as connection:
        connection.execute(light("a"))
        other.start()
        assert names(journal) == []
        assert not done.wait(0.2)
    other.join(10)
    assert names(journal) == ["a", "b"]
    journal.close()


def test_a_write_of_nothing_yet_keeps_others_from_writing(tmp_path: Path) -> None:
    """It begins at once: what it reads first is still true when it writes."""
    path = tmp_path / "journal.db"
    journal = Journal(f"sqlite:///{path}")
    journal.upgrade()
    with journal.write():
        other = sqlite3.connect(path, timeout=0.1)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    journal.close()
