"""`openbell journal`: the journal's schema."""

from typing import TYPE_CHECKING

from scripts.command import group, run
from scripts.console import out

if TYPE_CHECKING:
    from worker.journal.engine import Journal

app = group("The journal: the database of runs, steps, orders and fills.")


@app.command()
def upgrade() -> None:
    """Bring the journal's schema to this version's; make the journal where there is none.

    \b
    openbell journal upgrade

    Safe to call again, and by several machines at once. `openbell up` does it by itself.
    """
    from sqlalchemy import make_url

    from worker.runtime import services

    s = services()
    url = make_url(s.settings.journal_url)
    upgrade_journal(s.journal)
    place = url.database if url.get_backend_name() == "sqlite" else url.render_as_string()
    out.print(f"the journal is ready: {place}", markup=False, soft_wrap=True)


def upgrade_journal(journal: "Journal") -> None:
    """Raises ConfigurationError where the database is not there or may not be changed."""
    from sqlalchemy.exc import SQLAlchemyError

    from worker.errors import ConfigurationError, JournalUnavailable

    try:
        journal.upgrade()
    except JournalUnavailable as error:
        raise ConfigurationError(f"{error.sentence}; check OPENBELL_DATABASE_URL") from None
    except (SQLAlchemyError, OSError) as error:
        lines = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
        raise ConfigurationError(
            f"the journal cannot be upgraded ({lines[0]}); check OPENBELL_DATABASE_URL, "
            "or the folder OPENBELL_HOME"
        ) from None
    journal.require_schema()


if __name__ == "__main__":
    run(app)
