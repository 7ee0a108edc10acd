"""`openbell drill`: harm done to runs on purpose, and a count of what came of it."""

import math
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from scripts.command import print_json, run
from scripts.console import complain, err, from_here, openbell, out
from scripts.parts.ports import Ports
from scripts.parts.program import program
from scripts.parts.running_set import home_lock
from scripts.parts.stopping import Stopped
from worker.clock import monotonic
from worker.errors import ConfigurationError

# As many sessions as there are prices for, a little over half of them.
MOST_RUNS = 4000
MOST_SEED = 10**6


def drill(
    runs: Annotated[int, typer.Option(min=1, max=MOST_RUNS, help="How many runs.")] = 20,
    seed: Annotated[
        int | None,
        typer.Option(help="Which harm is done when. Default: any; it is printed."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Begin no further runs after so long.")
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(help="A new folder, which is kept. Default: a temporary one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The count for a script.")] = False,
) -> None:
    """See the promise kept: one decision, at most one order, whatever is killed, cut or doubled.

    \b
    openbell drill
    openbell drill --runs 300 --seed 7

    On embedded parts of its own and the sandbox, strategies that share symbols trade on paper,
    while their workers, Valkey, the journal and the broker's answers are harmed by a plan: the
    same seed and number of runs, the same plan. Then the sandbox's own book is compared with the
    journal. Exits 0 where nothing was sent twice, lost from sight or sold without being owned, and
    everything came to its end; else 1, and the home is kept. Takes about four minutes for 20 runs.
    """
    chosen = secrets.randbelow(MOST_SEED) if seed is None else seed
    with program(), _home(home) as folder, home_lock(folder) as lock, Ports() as ports:
        from scripts.drilling.plan import plan_of
        from scripts.drilling.setting import set_the_stage

        console = err if as_json else out
        console.print(f"Openbell's drill: {runs} runs, seed {chosen}, in {from_here(folder)}",
                      style="bold", soft_wrap=True)  # fmt: skip
        setting = set_the_stage(folder, ports)
        # Settings are read when worker.celery is imported: the stage must be set.
        from scripts.drilling.play import Drill
        from scripts.drilling.report import as_json as told
        from scripts.drilling.report import show
        from scripts.drilling.view import View

        plan = plan_of(chosen, runs)
        ends_at = monotonic() + 60 * minutes if minutes else math.inf
        result = Drill(setting, plan, lock, View(console), ends_at).play()
        show(console, plan, result)
        console.print(f"again: {openbell()} drill --runs {runs} --seed {chosen}", soft_wrap=True)
        if as_json:
            print_json(told(plan, result))
        if result.count.findings:
            complain(f"the promise was broken; {folder} is kept, its logs are in run/logs")
            raise SystemExit(1)


@contextmanager
def _home(chosen: Path | None) -> Iterator[Path]:
    """A fresh folder. A temporary one stays where something went wrong, for its logs."""
    if chosen is None:
        folder = Path(tempfile.mkdtemp(prefix="openbell-drill-"))
    else:
        folder = chosen.expanduser().resolve()
        if folder.exists() and any(folder.iterdir()):
            raise ConfigurationError(f"{folder} is not empty; choose a new folder with --home")
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except Stopped:
        _forget(folder, chosen)
        raise
    _forget(folder, chosen)


def _forget(folder: Path, chosen: Path | None) -> None:
    if chosen is None:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    run(drill)
