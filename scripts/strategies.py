"""`openbell strategies`: the strategy files."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from scripts.command import WRONG, group, print_json, run
from scripts.console import complain, out
from scripts.show.words import NOTHING

if TYPE_CHECKING:
    from worker.models.strategy import Strategy
    from worker.runtime import Services
    from worker.settings import Settings

app = group("Strategy files: list them, show one, validate them.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SLOTS_SHOWN = 5


@app.command("list")
def list_strategies(as_json: Json = False) -> None:
    """List every strategy and when it starts next.

    \b
    openbell strategies list
    """
    from worker.runtime import services

    s = services()
    found = s.strategies.all()
    if as_json:
        print_json([{**one.to_json(), "next_start": _next(s, one)} for one in found])
    elif not found:
        out.print(f"there is no strategy in {s.settings.strategies_folder}", markup=False)
    else:
        out.print(_table(s, found))


@app.command()
def show(
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help="Its id or name.")],
    as_json: Json = False,
) -> None:
    """Show a strategy with every default filled in, and its next starts.

    \b
    openbell strategies show 1
    """
    import yaml

    from worker.runtime import services

    s = services()
    found = s.strategies.find(strategy)
    if as_json:
        print_json({**found.to_json(), "digest": found.digest, "next_start": _next(s, found)})
        return
    out.print(yaml.safe_dump(found.to_json(), sort_keys=False), markup=False, soft_wrap=True)
    for moment in _starts(s, found):
        out.print(Text(f"starts {s.local(moment)}", "dim"))


@app.command()
def validate(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Only this file; default: all.")
    ] = None,
) -> None:
    """Look whether the strategy files are right, and trade only what the account may. Exit code 2
    and a sentence each where not.

    \b
    openbell strategies validate config/strategies/01_momentum.yaml
    """
    problems, right = _look_at_all() if file is None else _look_at(file)
    for problem in problems:
        complain(problem)
    if problems:
        raise SystemExit(WRONG)
    out.print(right, markup=False, soft_wrap=True)


def denied_symbols(
    one: "Strategy", settings: "Settings", place: Callable[["Strategy", tuple[str, ...]], str]
) -> list[str]:
    """What the strategy trades and the account may not: each such order would be denied."""
    return [
        f"{place(one, ('symbols', str(number)))}: {symbol} is not in risk.allowed_symbols of the "
        "configuration, so each order in it would be denied; add it there, or remove it here"
        for number, symbol in enumerate(one.symbols)
        if symbol not in settings.risk.allowed_symbols
    ]


def _look_at_all() -> tuple[list[str], str]:
    """What is wrong, and what to say where nothing is."""
    from worker.runtime import services

    s = services()
    problems = [*s.strategies.problems()]
    found = () if problems else s.strategies.all()
    for one in found:
        problems += denied_symbols(one, s.settings, s.strategies.place_of)
    names = ", ".join(f"{one.id} {one.name}" for one in found) or "none"
    return problems, f"all are right: {names}"


def _look_at(file: Path) -> tuple[list[str], str]:
    """The same for one file, wherever it is."""
    from worker.models.strategy import Strategy
    from worker.runtime import settings
    from worker.yaml_file import place_of, read_yaml, validated

    data, node = read_yaml(file)
    one = validated(Strategy, data, file, node)
    problems = denied_symbols(one, settings(), lambda _, key: place_of(file, node, key))
    return problems, f"{file}: strategy {one.id} {one.name} is right"


def _table(s: "Services", found: "tuple[Strategy, ...]") -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("id", justify="right", no_wrap=True)
    for name in ("name", "enabled", "dry", "analyst"):
        table.add_column(name, no_wrap=True)
    table.add_column("symbols")
    table.add_column("starts next", no_wrap=True)
    for one in found:
        start = _next(s, one)
        table.add_row(
            str(one.id),
            Text(one.name, "bold" if one.enabled else "dim"),
            "yes" if one.enabled else Text("no", "yellow"),
            "yes" if one.dry_run else Text("no: orders", "yellow"),
            one.signal.analyst,
            ", ".join(one.symbols),
            s.local(start) if start is not None and one.enabled else NOTHING,
        )
    return table


def _next(s: "Services", one: "Strategy") -> datetime | None:
    from worker.schedule.slots import next_due

    return next_due(one, s.clock.market_now())


def _starts(s: "Services", one: "Strategy") -> list[datetime]:
    """The next few moments of its time table."""
    from worker.schedule.slots import next_due

    found: list[datetime] = []
    due = next_due(one, s.clock.market_now())
    while due is not None and len(found) < SLOTS_SHOWN:
        found.append(due)
        due = next_due(one, due)
    return found


if __name__ == "__main__":
    run(app)
