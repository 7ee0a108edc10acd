"""`openbell demo`: the main job on embedded parts and the sandbox, in about a minute."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.command import run
from scripts.console import complain, from_here, out
from scripts.demonstration.home import KEPT, forget_old_homes, fresh_home, homes_folder
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
    """Show the whole job: a dry run and a paper run, held until the bell, and one that Beat starts.

    \b
    openbell demo
    openbell demo --at 2013-02-23T12:00 --stay

    Everything is embedded and on loopback, in a fresh home under var/demo; of those the newest
    three are kept. Exits 0 when all that was promised happened; with --stay, after Ctrl-C.
    """
    with program():
        from scripts.demonstration.setting import set_the_stage  # slow: not for --help

        moment = moment_of(at) if at else None
        folder = homes_folder()
        home = fresh_home(folder)
        say_what_is_kept(folder, forget_old_homes(folder))
        with home_lock(home) as lock, Ports() as ports:
            play(set_the_stage(home, ports, moment), lock, stay=stay)


def say_what_is_kept(folder: Path, removed: int) -> None:
    """Nothing is removed in silence."""
    if removed:
        homes = "1 older home" if removed == 1 else f"{removed} older homes"
        where = from_here(folder)
        out.print(f"{homes} removed, the newest {KEPT} in {where} are kept", style="dim")


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
    if stay:
        out.print(f"everything has ended; its home is kept, {from_here(setting.parts.home)}")
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
