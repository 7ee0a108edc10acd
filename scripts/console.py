"""How programs speak to a person: tables and colour on a terminal, plain lines elsewhere."""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.text import Text

PLAIN_WIDTH = 100  # without a terminal, and without COLUMNS


def make_console(*, stderr: bool = False) -> Console:
    """Without a terminal nothing is coloured, and lines are as wide as on a common one."""
    console = Console(stderr=stderr, highlight=False)
    if console.is_terminal or "COLUMNS" in os.environ:
        return console
    return Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


out = make_console()
err = make_console(stderr=True)


def complain(sentence: str) -> None:
    """One sentence on stderr: what is wrong, and what to do."""
    err.print(Text.assemble(("error: ", "bold red"), sentence), soft_wrap=True)


def fail(sentence: str, code: int = 2) -> NoReturn:
    """End the program with one sentence on stderr."""
    complain(sentence)
    raise SystemExit(code)


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and what they stand for, in two columns; never wrapped, so that it can be copied."""
    rows = list(pairs)
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        out.print(Text.assemble((name.ljust(width), "dim"), "  ", value), soft_wrap=True)


def openbell() -> str:
    return _typed("openbell")


def openbell_anywhere() -> str:
    """As it can be typed in any folder."""
    word = openbell()
    return str(Path(word).absolute()) if "/" in word else word


def celery() -> str:
    return _typed("celery")


def _typed(name: str) -> str:
    """A program of this environment as this person can type it here: by name where the shell finds
    it, else by path."""
    ours = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    return name if found and Path(found).samefile(ours) else from_here(ours)


def from_here(path: Path) -> str:
    """Relative to the current folder where it lies below it: shorter to read and to copy."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
