"""`openbell demo`: the main job on embedded parts and the sandbox, in about a minute."""

from typing import TYPE_CHECKING, Annotated

import typer

from scripts.command import run
from scripts.console import complain, from_here, out
from scripts.demonstration.home import forget_old_homes, fresh_home, homes_folder
from scripts.parts.ports import Ports
from scripts.parts.practice import moment_of
from scripts.parts.program import program
from scripts.parts.running import running
from scripts.parts.running_set import home_lock
from scripts.parts.starting import StartList
from scripts.up import until_stopped

if TYPE_CHECKING:
    from scripts.demonstration.setting import Setting

# At the end nothing is under way any more: whoever takes longer to stop is ended.
STOP_SECONDS = 3.0


def demo(
    at: Annotated[
        str | None,
        typer.Option(
            metavar="DATETIME",
            help="The moment in the sandbox's data, in New York time, from 2000-03-01 to"
            " 2013-03-01. Default: shortly before the open of 2013-02-27.",
        ),
    ] = None,
    stay: Annotated[
        bool, typer.Option("--stay", help="Keep everything running until Ctrl-C.")
    ] = False,
) -> None:
    """Show the whole job: a dry run, a paper run and one that Beat starts, held until the bell.

    Everything is embedded and on loopback, in a fresh home under var/demo. Exits 0 when all that
    was promised happened.
    """
    with program():
        from scripts.demonstration.setting import set_the_stage  # slow: not for --help

        moment = moment_of(at) if at else None
        folder = homes_folder()
        home = fresh_home(folder)
        forget_old_homes(folder)
        with home_lock(home) as lock, Ports() as ports:
            play(set_the_stage(home, ports, moment), lock, stay=stay)


def play(setting: "Setting", lock: int, *, stay: bool) -> None:
    """Start everything, let the runs happen, sum up, stop. Exits 1 where a promise was broken."""
    where = f"Openbell's demonstration, in {from_here(setting.parts.home)}"
    out.print(where, style="bold", soft_wrap=True)
    starting = StartList(out, [part.name for part in setting.parts.parts])
    with running(
        setting.parts, lock, lambda: get_ready(setting), starting, STOP_SECONDS
    ) as started:
        from scripts.demonstration.play import play_runs  # read by get_ready

        broken = play_runs(setting, started, stay=stay)
        if stay:
            until_stopped(started)
    for sentence in broken:
        complain(sentence)
    raise SystemExit(1 if broken else 0)


def get_ready(setting: "Setting") -> None:
    """While the first parts start: the imports, and the journal's schema.

    Settings are read once a process, when worker.celery is imported: the stage must be set.
    """
    from scripts.demonstration.play import services_of

    services_of(setting).journal.upgrade()


if __name__ == "__main__":
    run(demo)
