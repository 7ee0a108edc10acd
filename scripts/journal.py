"""`openbell journal`: the journal's schema, and whether anybody changed what it holds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.command import FAILED, group, print_json, run
from scripts.console import err, out

if TYPE_CHECKING:
    from worker.journal.engine import Journal
    from worker.models.chain import ChainHead, Finding, Verified

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


@app.command("verify")
def verify_journal(
    account: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only this account; DU1…67, as it is shown, will do."),
    ] = None,
    noted: Annotated[
        str | None,
        typer.Option(
            "--head", metavar="SEQ:HASH", help="A head that was noted before; it must be there."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find out whether anybody changed the journal behind the program's back.

    \b
    openbell journal verify
    openbell journal verify --head 1042:9f86d081...

    The events of an account are a chain of hashes, and orders and fills
    must follow from them. An edit, a gap, a cut-off end are named, with
    their place. It changes nothing and may run at any time. Exit code 0:
    the chain is whole. 1: something was changed.

    Somebody who may write to this database can cut off its end, or write
    all of it anew, so that everything in it agrees. Only a head from
    elsewhere shows that: note the one that is printed here, or take a
    run's tags in MLflow, openbell.journal_seq and openbell.journal_head,
    as --head SEQ:HASH.
    """
    from scripts.access import open_services
    from worker.journal.verify import chained_accounts, verify

    head = _parsed(noted)
    s = open_services()
    known = chained_accounts(s.journal)
    chosen = _chosen(account, known, head is not None, s.account_id)
    with _progress() as progress:
        found = verify(s.journal, chosen, head, progress)
    if as_json:
        print_json(_listed(found))
    else:
        _print(found)
    if found.findings:
        raise SystemExit(FAILED)


def _parsed(noted: str | None) -> "ChainHead | None":
    from worker.models.chain import ChainHead

    try:
        return None if noted is None else ChainHead.parse(noted)
    except ValueError as error:
        raise typer.BadParameter(f"{noted!r} is no head; {error}", param_hint="--head") from None


def _chosen(
    account: str | None, known: Sequence[str], has_head: bool, configured: str
) -> str | None:
    """None: every account. A head is of one account; where all of a chain is gone, of the one
    that is configured."""
    from scripts.access import short_account
    from worker.errors import ConfigurationError

    shown = ", ".join(str(short_account(each)) for each in known) or "none"
    if account is not None:
        fitting = [each for each in known if account in (each, short_account(each))]
        if len(fitting) == 1:
            return fitting[0]
        if has_head and account == configured:
            return configured
        raise ConfigurationError(f"the journal has no account {account}; it has: {shown}")
    if has_head and len(known) > 1:
        raise ConfigurationError(f"--head is of one account; add --account, one of: {shown}")
    return (known[0] if known else configured) if has_head else None


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Shown on a terminal alone, and gone when it is done."""
    from rich.progress import Progress

    with Progress(console=err, transient=True, disable=not err.is_terminal) as shown:
        task = shown.add_task("reading the journal", total=None)
        yield lambda done, rows: shown.update(task, completed=done, total=rows)


def _print(found: "Verified") -> None:
    from scripts.access import short_account

    for each in found.findings:
        out.print(_sentence(each), markup=False, soft_wrap=True)
    whole = f"{len(found.findings)} finding(s)" if found.findings else "chain whole"
    total = f"{_count(found.events, 'event')} of {_count(len(found.chains), 'account')}, {whole}"
    if len(found.chains) == 1:
        total += f", head {found.chains[0].head}"
    out.print(total, markup=False, soft_wrap=True)
    if len(found.chains) > 1:
        for chain in found.chains:
            line = f"{short_account(chain.account_id)}: {_count(chain.events, 'event')}, "
            out.print(f"{line}head {chain.head}", markup=False, soft_wrap=True)


def _sentence(finding: "Finding") -> str:
    from scripts.access import short_account

    place = [str(short_account(finding.account_id))]
    if finding.seq is not None:
        place.append(f"event {finding.seq}")
    if finding.coid is not None:
        place.append(f"order {finding.coid}")
    return f"{', '.join(place)}: {finding.what.replace('_', ' ')}: {finding.sentence}"


def _listed(found: "Verified") -> dict[str, Any]:
    from scripts.access import short_account

    return {
        "whole": not found.findings,
        "events": found.events,
        "accounts": [
            {
                "account": short_account(chain.account_id),
                "events": chain.events,
                "head": str(chain.head),
            }
            for chain in found.chains
        ],
        "findings": [
            {"account": short_account(each.account_id), **each.model_dump(exclude={"account_id"})}
            for each in found.findings
        ],
    }


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


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
