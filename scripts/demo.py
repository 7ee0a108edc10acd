"""`openbell demo`: the main job on embedded parts and the sandbox, in about a minute."""

from typing import Annotated

import typer

from scripts.demonstration.home import forget_old_homes, fresh_home, homes_folder
from scripts.parts.ports import Ports
from scripts.parts.practice import moment_of
from scripts.parts.program import program


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
        with Ports() as ports:
            setting = set_the_stage(home, ports, moment)
            # Settings are read once a process, when this is imported: the stage must be set.
            from scripts.demonstration.play import play

            raise SystemExit(play(setting, stay=stay))


if __name__ == "__main__":
    typer.run(demo)
