"""How a command begins and ends: its arguments, one sentence for what goes wrong, an exit code."""

import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from typer.main import get_command

from scripts.console import err, fail
from worker.errors import ConfigurationError, OpenbellError

DEBUG = "OPENBELL_DEBUG"
FAILED, WRONG = 1, 2
# Typer keeps its click to itself; of click's errors this is the one that has a public name.
UsageError: type[Any] = typer.BadParameter.__bases__[0]
# Events that a person at a terminal should hear of.
TOLD = {"running_set_ignored"}


def run(
    command: typer.Typer | Callable[..., None], arguments: Sequence[str] | None = None
) -> NoReturn:
    """Run a command and exit: 0 done, 1 failed, 2 a person must correct the command line or the
    configuration. `--debug` anywhere shows the traceback of what went wrong."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or os.environ.get(DEBUG, "") not in ("", "0")
    given = [each for each in given if each != "--debug"]
    if not isinstance(command, typer.Typer):
        command = single(command)
    with _told(debug), _quiet(debug):
        code = get_command(command).main(given, standalone_mode=False)
    raise SystemExit(code or 0)


def single(function: Callable[..., None]) -> typer.Typer:
    """A program that is one command."""
    program = typer.Typer(add_completion=False)
    program.command()(function)
    return program


def group(help: str) -> typer.Typer:
    """A program that has commands; without one it says which."""
    program = typer.Typer(help=help, add_completion=False, invoke_without_command=True)

    @program.callback()
    def commands(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            print(context.get_help())

    commands.__doc__ = help
    return program


def print_json(value: Any) -> None:
    """One value for a script; Decimals as text, moments as ISO 8601."""
    from pydantic_core import to_jsonable_python

    print(json.dumps(to_jsonable_python(value), indent=2, ensure_ascii=False))


def note(sentence: str) -> None:
    """What a person should know, and a script that reads the answer should not stumble over."""
    err.print(f"note: {sentence}", style="yellow", markup=False, soft_wrap=True)


@contextmanager
def _told(debug: bool) -> Iterator[None]:
    """What goes wrong inside becomes one sentence on stderr."""
    try:
        yield
    except UsageError as error:
        fail(_usage(error), WRONG)
    except OpenbellError as error:
        if debug:
            traceback.print_exc()
        fail(error.sentence, WRONG if isinstance(error, ConfigurationError) else FAILED)
    except Exception as error:  # noqa: BLE001 - a person gets a sentence, whatever it is
        if debug:
            traceback.print_exc()
        lines = str(error).strip().splitlines() or [""]
        what = f"{type(error).__name__}: {lines[0][:200]}".rstrip(": ")
        fail(f"something went wrong that nobody foresaw ({what}); --debug shows where", FAILED)


def _usage(error: Any) -> str:
    """Typer's own words, as a sentence that ends in where help is."""
    words = str(error.format_message()).strip().rstrip(".").replace("\n", " ")
    command = error.ctx.command_path if error.ctx is not None else "the command"
    return f"{words[:1].lower()}{words[1:]}; see `{command} --help`"


@contextmanager
def _quiet(debug: bool) -> Iterator[None]:
    """A command speaks for itself: what the rooms log is for workers, and for --debug."""
    import structlog

    before = structlog.get_config()
    structlog.configure(
        processors=[_events_shown if debug else _events_told],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    silence = logging.NullHandler()  # without any handler Python would print warnings
    if not debug:
        logging.getLogger().addHandler(silence)
    with warnings.catch_warnings():
        if not debug and not sys.warnoptions:
            warnings.simplefilter("ignore")
        try:
            yield
        finally:
            structlog.configure(**before)
            logging.getLogger().removeHandler(silence)


def _events_told(_logger: Any, _level: str, event: MutableMapping[str, Any]) -> Any:
    import structlog

    if event.get("event") in TOLD:
        note(str(event["sentence"]))
    raise structlog.DropEvent


def _events_shown(_logger: Any, level: str, event: MutableMapping[str, Any]) -> str:
    fields = " ".join(f"{name}={value}" for name, value in event.items() if name != "event")
    return f"{level}: {event.get('event')} {fields}"
