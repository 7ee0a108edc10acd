"""`openbell trigger`: start a run of a strategy now."""

import secrets
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.command import FAILED, note, print_json, run
from scripts.console import celery, complain, err, openbell, out
from scripts.trigger_wishes import EXAMPLE, Wanted, key_of, read_wishes, slot_of

if TYPE_CHECKING:
    from worker.journal.runs import RunRow
    from worker.models.run import Run
    from worker.models.strategy import Strategy
    from worker.runtime import Services


def trigger(
    strategy: Annotated[
        str | None, typer.Argument(metavar="STRATEGY", help="Its id or name.", show_default=False)
    ] = None,
    symbols: Annotated[
        str | None, typer.Option(metavar="AAPL,MSFT", help="Only these of the strategy's symbols.")
    ] = None,
    dry_run: Annotated[
        bool | None,
        typer.Option(
            "--dry-run/--no-dry-run",
            help="Decide and preview, order nothing; or order, where the configuration's mode "
            "allows it. Default: as the strategy says.",
            show_default=False,
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A parameter, recorded with the run; repeatable."),
    ] = None,
    conf: Annotated[
        str | None,
        typer.Option(metavar="JSON|FILE", help=f"The same as an object: {EXAMPLE}"),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Two triggers with one key are one run."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show each step until the end.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end instead.")
    ] = False,
) -> None:
    """Start a run of a strategy now, and print its id.

    \b
    openbell trigger 1
    openbell trigger momentum-megacaps --symbols AAPL,MSFT --dry-run --follow
    openbell trigger 1 --no-dry-run --key rebalance-2026-11-25

    The run waits for the exchange to open if the strategy says so. Exit code 0: it was started,
    or, with --follow, ended orderly, whatever it decided. 1: it failed, or was not started.
    2: something in the command line or the configuration must be corrected.
    """
    wanted = read_wishes(strategy, symbols, dry_run, param or (), conf)
    slot = slot_of(key, secrets.token_hex(4))

    from scripts.access import open_services

    s = open_services()
    asked = the_run(s, wanted, slot)
    row, is_new = begin(s, asked, as_json)
    if not as_json:
        print(row.run_id, flush=True)
    say_what_it_is(s, row, is_new, asked)
    nobody = warn_without_workers()
    if follow:
        see_it_through(s, row, as_json)
    elif as_json:
        print_json({**started(row, is_new), "queues_without_worker": sorted(nobody)})


def the_run(s: "Services", wanted: Wanted, slot: str) -> "Run":
    """The run as it will travel. Raises ConfigurationError where it may not be asked for."""
    import worker.celery  # noqa: F401 - the application whose tasks are published
    from tasks.start_run import Wishes, new_run
    from worker.errors import ConfigurationError

    strategy: Strategy = s.strategies.find(wanted.strategy)
    if wanted.confirmed is not None and wanted.confirmed != strategy.id:
        raise ConfigurationError(
            f"strategy {wanted.strategy} has the id {strategy.id}, --conf says strategy_id "
            f"{wanted.confirmed}; say it once"
        )
    wishes = Wishes(symbols=wanted.symbols, dry_run=wanted.dry_run, parameters=wanted.parameters)
    return new_run(s, strategy, slot, s.clock.market_now(), wishes)


def begin(s: "Services", asked: "Run", as_json: bool) -> tuple["RunRow", bool]:
    """Commit and publish it; ends the program where Redis does not take it."""
    from tasks.start_run import begin_run
    from worker.errors import JournalUnavailable, TemporaryError, Unreachable

    try:
        return begin_run(s, asked)
    except JournalUnavailable:
        raise
    except TemporaryError as error:
        row = s.runs.by_slot(asked.strategy.id, asked.slot)
        if as_json and row is not None:
            print_json({**started(row, row.run_id == asked.run_id), "error": error.sentence})
        if not isinstance(error, Unreachable) and row is not None:
            complain(
                f"{error.sentence}; `{openbell()} runs show {row.run_id}` shows whether it did. "
                f"The same --key starts it once, whatever happened: --key {key_of(asked.slot)}"
            )
            raise SystemExit(FAILED) from None
        again = f"{openbell()} trigger {asked.strategy.id} --key {key_of(asked.slot)}"
        complain(
            f"{error.sentence}. The run was not started; start `{openbell()} up` in another "
            f"terminal, then trigger again, the same --key may be used: {again}"
        )
        raise SystemExit(FAILED) from None


def say_what_it_is(s: "Services", row: "RunRow", is_new: bool, asked: "Run") -> None:
    """What was started, or that it was there before."""
    from scripts.show.steps import standing, step_stories

    if not is_new:
        word = standing(row.status, row.outcome, step_stories(s.steps.of(row.run_id)))
        note(f"the key {key_of(row.slot)} has a run already, {row.run_id} ({word})")
        different = _differences(row.run, asked)
        if different:
            note(f"it stays as it was asked for first; these are not changed: {different}")
        return
    what = f"{row.strategy_name} ({row.strategy_id}), {row.mode}, {', '.join(row.run.symbols)}"
    err.print(f"{row.status}: {what}", style="dim", markup=False, soft_wrap=True)


def warn_without_workers() -> set[str]:
    """The queues that nobody consumes; told to a person, and no reason to fail."""
    from scripts.consumers import queues_of_a_run, without_worker

    missing = without_worker(queues_of_a_run())
    if missing is None:
        note("whether a worker is there is not known: Redis does not answer any more")
        return set()
    if missing:
        names = ",".join(sorted(missing))
        note(
            f"no worker consumes {names.replace(',', ', ')}: the run stands still until one is "
            f"started, by `{openbell()} up` or `{celery()} -A worker worker -Q {names}`"
        )
    return missing


def see_it_through(s: "Services", row: "RunRow", as_json: bool) -> None:
    """Follow it to its end; exit 1 where it failed or nobody works on it."""
    from scripts.consumers import queues_of_a_run, without_worker
    from scripts.follow import FollowView, GivenUp, follow
    from scripts.show.moments import moments_of
    from scripts.show.page import print_result
    from scripts.show.story import story_of

    if as_json:
        err.print(row.run_id, style="dim")
    needed = queues_of_a_run()
    try:
        with FollowView(s, out, quiet=as_json) as view:
            row = follow(s, row.run_id, view, lambda: without_worker(needed))
    except GivenUp:
        if as_json:
            print_json(story_of(s, s.runs.get(row.run_id)))
        raise
    except KeyboardInterrupt:
        note(f"the run goes on; look at it with {openbell()} runs show {row.run_id}")
        raise
    story = story_of(s, row)
    if as_json:
        print_json(story)
    else:
        print_result(moments_of(s, row), story)
    if row.outcome == "failed":
        complain(f"the run failed: {row.reason}")
        raise SystemExit(FAILED)


def started(row: "RunRow", is_new: bool) -> dict[str, Any]:
    run = row.run
    return {
        "run_id": row.run_id,
        "new": is_new,
        "status": row.status,
        "outcome": row.outcome,
        "strategy": {"id": row.strategy_id, "name": row.strategy_name},
        "slot": row.slot,
        "key": key_of(row.slot),
        "mode": row.mode,
        "symbols": run.symbols,
        "parameters": run.parameters,
        "due_at": row.due_at,
        "task_ids": row.task_ids,
    }


def _differences(first: "Run", asked: "Run") -> str:
    """What is wished for otherwise than in the run that the key has."""
    pairs = (
        ("mode", first.mode, asked.mode),
        ("symbols", ",".join(first.symbols), ",".join(asked.symbols)),
        ("parameters", first.parameters, asked.parameters),
        ("the strategy file", first.strategy.digest, asked.strategy.digest),
    )
    changed = [
        name if name in ("parameters", "the strategy file") else f"{name} {mine} (not {theirs})"
        for name, mine, theirs in pairs
        if mine != theirs
    ]
    return ", ".join(changed)


if __name__ == "__main__":
    run(trigger)
