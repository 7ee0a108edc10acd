"""`openbell`: every command under one name. A command is imported when it is called, not before."""

import importlib
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from scripts.command import run, single

WATCH, WORK, KEEP = "Start here", "Runs", "Upkeep"


@dataclass(frozen=True)
class Entry:
    """Where a command is: `module:name`, a typer app or the function of a single command."""

    place: str
    help: str
    panel: str

    def load(self) -> Any:
        module, name = self.place.split(":")
        found = getattr(importlib.import_module(module), name)
        app = found if isinstance(found, typer.Typer) else single(found)
        return typer.main.get_command(app)


ENTRIES = {
    "demo": Entry("scripts.demo:demo", "The main job on embedded parts, in one minute.", WATCH),
    "drill": Entry(
        "scripts.drill:drill", "Harm done on purpose; one decision, at most one order.", WATCH
    ),
    "up": Entry("scripts.up:up", "Everything on this machine, until Ctrl-C.", WATCH),
    "sandbox": Entry(
        "scripts.sandbox.command:sandbox", "A gateway and an exchange to practise on.", WATCH
    ),
    "trigger": Entry("scripts.trigger:trigger", "Start a run of a strategy now.", WORK),
    "runs": Entry(
        "scripts.runs:app", "What ran: list, the whole story of one, its log; cancel one.", WORK
    ),
    "orders": Entry(
        "scripts.orders:app", "Orders as the journal knows them: list, cancel, resolve.", WORK
    ),
    "positions": Entry(
        "scripts.positions:positions", "What each strategy owns, beside the account.", WORK
    ),
    "reconcile": Entry(
        "scripts.reconcile:reconcile", "The account against the journal, in words.", WORK
    ),
    "strategies": Entry("scripts.strategies:app", "Strategy files: list, show, validate.", WORK),
    "doctor": Entry("scripts.doctor:doctor", "Look at every part and say what to mend.", KEEP),
    "journal": Entry("scripts.journal:app", "The journal's schema: upgrade.", KEEP),
}


class Commands(TyperGroup):
    """For a list of the commands their names and sentences are enough."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(ENTRIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = ENTRIES.get(cmd_name)
        return entry and TyperCommand(cmd_name, help=entry.help, rich_help_panel=entry.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        if name in ENTRIES:
            found = ENTRIES[name].load()
            found.name = name
        return name, found, rest


app = typer.Typer(cls=Commands, add_completion=False, invoke_without_command=True)


@app.callback()
def openbell(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Say the version.")] = False,
    debug: Annotated[  # noqa: ARG001 - scripts.command takes it wherever it stands
        bool, typer.Option("--debug", help="With any command: show tracebacks and log events.")
    ] = False,
) -> None:
    """Run trading strategies on an Interactive Brokers account, on a schedule, unattended.

    Every command has an example in its own help, such as: openbell trigger --help
    """
    if version:
        from worker.version import code_version

        print(f"openbell {code_version()}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()
