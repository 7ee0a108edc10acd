"""One engine a process, made after fork; writes on SQLite begin at once and never upgrade."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError

from worker.errors import ConfigurationError, JournalUnavailable

BUSY_TIMEOUT_SECONDS = 10
_MIGRATIONS = Path(__file__).parent / "migrations"


def make_engine(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL. The address may hold a password: it is never shown."""
    try:
        if make_url(url).get_backend_name() != "sqlite":
            driver = url.replace("postgresql://", "postgresql+psycopg://", 1)
            return create_engine(driver, hide_parameters=True, pool_pre_ping=True)
    except (ArgumentError, ImportError, ValueError):
        raise ConfigurationError(
            "OPENBELL_DATABASE_URL is no database's address; write "
            "postgresql://user:password@host/name or sqlite:///path"  # pragma: allowlist secret
        ) from None
    path = make_url(url).database
    if path:
        _make_folder(Path(path).parent)
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the journal's folder {folder} cannot be made ({error.strerror}); "
            "check OPENBELL_HOME and OPENBELL_DATABASE_URL"
        ) from None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer in mid-transaction is refused at once, busy_timeout or not.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Journal:
    """The connection to the journal, shared by its books."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.engine = make_engine(url)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A short transaction that writes. Keep every HTTP call out of it."""
        with (
            _telling_unavailable(),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with _telling_unavailable(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read in which every query sees the same moment, however long it takes. It waits for
        nobody and keeps nobody waiting; on SQLite every read is such a one."""
        options: dict[str, Any] = {}
        if self.engine.dialect.name != "sqlite":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with (
            _telling_unavailable(),
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    def upgrade(self) -> None:
        """Bring the schema to this version's; safe to call by several processes in turn."""
        with (
            _telling_unavailable(),
            self.engine.connect().execution_options(writes=True) as connection,
        ):
            config = _alembic()
            config.attributes["connection"] = connection
            with connection.begin():
                command.upgrade(config, "head")

    def downgrade(self, revision: str) -> None:
        with self.engine.connect().execution_options(writes=True) as connection:
            config = _alembic()
            config.attributes["connection"] = connection
            with connection.begin():
                command.downgrade(config, revision)

    def require_schema(self) -> None:
        """Raises ConfigurationError where the journal cannot be used as it is."""
        try:
            with self.read() as connection:
                found = MigrationContext.configure(connection).get_current_revision()
        except JournalUnavailable as error:
            raise ConfigurationError(f"{error.sentence}; check OPENBELL_DATABASE_URL") from None
        head = ScriptDirectory.from_config(_alembic()).get_current_head()
        if found != head:
            raise ConfigurationError(
                f"the journal's schema is {found or 'missing'}, this version needs {head}; "
                "run `openbell journal upgrade`"
            )

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _telling_unavailable() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        # A file that is no database is a plain DatabaseError; the rest are mistakes of ours.
        if not isinstance(error, OperationalError) and type(error) is not DatabaseError:
            raise
        reason = str(error.orig).strip().splitlines()[0] if error.orig else "no connection"
        raise JournalUnavailable(f"the journal's database does not answer ({reason})") from None


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
