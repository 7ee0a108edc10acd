"""`openbell runs`: what ran, the whole story of one run, its log lines; and stopping one."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scripts.command import FAILED, group, note, print_json, run
from scripts.console import complain, openbell, out
from scripts.show.moments import moments_of, zone_of
from scripts.show.stacked import Stacked
from scripts.show.words import between, flat, styled, took

if TYPE_CHECKING:
    from worker.journal.runs import RunRow
    from worker.runtime import Services

app = group("What ran: a list, the whole story of one run, its log lines; cancel one.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Which = Annotated[str, typer.Argument(metavar="RUN", help="Its id, a beginning of it, or `last`.")]


@app.command("list")
def list_runs(
    strategy: Annotated[
        str | None, typer.Option(metavar="STRATEGY", help="Only this one's, by id or name.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List the newest runs.

    \b
    openbell runs list --strategy momentum-megacaps --limit 5
    """
    from scripts.access import open_services

    s = open_services()
    number = None if strategy is None else _strategy_id(s, strategy)
    rows = s.runs.recent(limit, number)
    if as_json:
        print_json([_listed(row) for row in rows])
    elif not rows:
        out.print(f"there is no run yet; start one with `{openbell()} trigger 1`", markup=False)
    else:
        _table(s, rows).print_on(out)


@app.command()
def show(run_id: Which, as_json: Json = False) -> None:
    """Tell the whole story of a run: steps, signals, checks, orders, fills, where to look further.

    \b
    openbell runs show last
    openbell runs show 20130227-143000-1-3fa2b1c4 --json
    """
    from scripts.access import find_run, open_services
    from scripts.show.page import print_story
    from scripts.show.story import story_of

    s = open_services()
    row = find_run(s, run_id)
    story = story_of(s, row)
    if as_json:
        print_json(story)
    else:
        print_story(s, moments_of(s, row), story)


@app.command()
def cancel(
    run_id: Which,
    with_orders: Annotated[
        bool, typer.Option("--orders", help="Also ask the broker to cancel its open orders.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Stop a run at its next step; one that waits ends now. Orders that were sent stay, unless
    --orders is given.

    \b
    openbell runs cancel last
    openbell runs cancel 20130227-143000-1-3fa2b1c4 --orders

    Exit code 0: it is cancelled, or was before. 1: it was over already, or the broker could not
    be asked for one of its orders.
    """
    from scripts.access import find_run, open_services
    from scripts.cancelling import cancel_run

    s = open_services()
    done = cancel_run(s, find_run(s, run_id), with_orders=with_orders)
    if as_json:
        print_json(done)
    else:
        for sentence in (done.sentence, *(order.sentence for order in done.orders)):
            out.print(sentence, markup=False, soft_wrap=True)
    for sentence in done.refused:
        complain(sentence)
    if done.refused:
        raise SystemExit(FAILED)


@app.command()
def logs(
    run_id: Which,
    step: Annotated[
        str | None, typer.Option(metavar="STEP", help="Only this step's, such as place_orders.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as they are.")] = False,
) -> None:
    """Print a run's log lines, from every worker. They are kept for a week.

    \b
    openbell runs logs last --step place_orders
    """
    from scripts.access import find_run, open_services
    from scripts.show.steps import STEP_NAMES
    from worker.errors import ConfigurationError

    if step is not None and step not in STEP_NAMES:
        raise ConfigurationError(f"--step {step!r} is no step; there are {', '.join(STEP_NAMES)}")
    s = open_services()
    row = find_run(s, run_id)
    lines = [line for line in _lines(s, row) if step is None or line.get("step") == step]
    if not lines:
        of_step = "" if step is None else f" for {step}"
        note(f"no log line of {row.run_id} is kept{of_step}; the workers' own logs may have them")
    for line in lines:
        if as_json:
            print(json.dumps(line, ensure_ascii=False))
        else:
            out.print(_line(line), soft_wrap=True)


def _lines(s: "Services", row: "RunRow") -> list[dict[str, Any]]:
    import redis

    from scripts.access import impatient_redis
    from worker.errors import Unreachable
    from worker.runlog import lines_of

    try:
        with impatient_redis(s) as client:
            return lines_of(client, row.run_id)
    except (redis.RedisError, OSError) as error:
        raise Unreachable(
            f"Redis, where log lines are kept, does not answer ({type(error).__name__}); "
            "check OPENBELL_REDIS_URL"
        ) from None


def _line(line: dict[str, Any]) -> Text:
    """Wall time, level, step, event, then its fields; a traceback below, as it is."""
    level = str(line.get("level", ""))
    known = ("timestamp", "level", "step", "event", "run_id", "logger", "exception")
    text = Text.assemble(
        (f"{str(line.get('timestamp', ''))[11:23]} UTC", "dim"),
        (f"  {level:<8}", {"warning": "yellow", "error": "bold red"}.get(level, "dim")),
        f"{line.get('step') or '':<21} ",
        (str(line.get("event", "")), "bold"),
    )
    for name, value in line.items():
        if name not in known and value is not None:
            text.append(f"  {name}=", "dim").append(flat(str(value)))
    if line.get("exception"):
        text.append(f"\n{line['exception']}", "red")
    return text


def _strategy_id(s: "Services", wanted: str) -> int:
    """A strategy whose file is gone is still found by its number."""
    return int(wanted) if wanted.isdecimal() else int(s.strategies.find(wanted).id)


def _listed(row: "RunRow") -> dict[str, Any]:
    names = ("run_id", "strategy_id", "strategy_name", "slot", "mode", "status", "outcome",
             "reason", "failed_step", "due_at", "not_after", "created_at", "closed_at")  # fmt: skip
    listed = {name: getattr(row, name) for name in names}
    return {**listed, "seconds": between(row.created_at, row.closed_at), "symbols": row.run.symbols}


def _table(s: "Services", rows: "Sequence[RunRow]") -> Stacked:
    table = Stacked("run", "mode", f"due, {zone_of(s)}", ">took", "outcome")
    for row in rows:
        word, why = _standing(s, row)
        table.add_row(
            row.run_id,
            row.mode,
            s.local(row.due_at)[:16],
            took(between(row.created_at, row.closed_at)),
            styled(word),
            below=[Text(": ".join([row.strategy_name, *map(flat, why)]), "dim")],
        )
    return table


def _standing(s: "Services", row: "RunRow") -> tuple[str, list[str]]:
    """How the run ended or how far it is, and why, or what it waits for."""
    from scripts.show.steps import standing, step_stories

    steps = () if row.outcome else step_stories(s.steps.of(row.run_id))
    why = row.reason or (steps[-1].waits_for if steps else None)
    return standing(row.status, row.outcome, steps), [why] if why else []


if __name__ == "__main__":
    run(app)
