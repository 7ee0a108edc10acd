"""`openbell` for tests: in this process, or as a person starts it."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from scripts.cli import app
from scripts.command import run
from worker.models.base import Value
from worker.settings import PROJECT_ROOT

PROGRAM = Path(sys.executable).with_name("openbell")
PATIENCE_SECONDS = 90.0


class Said(Value):
    """What a command left behind."""

    code: int
    out: str
    err: str


def openbell(*arguments: str, program: Any = app) -> Said:
    """In this process, with its `services()` and its environment."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            run(program, arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Said(code=code, out=out.getvalue(), err=err.getvalue())


def openbell_process(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    command: tuple[str, ...] = (str(PROGRAM),),
    folder: Path = PROJECT_ROOT,
) -> Said:
    """As a process of its own, without a terminal."""
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder, env=os.environ | (environment or {}), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)


def sentence(said: Said, code: int) -> str:
    """The one sentence on stderr of a command that refused. Nothing else was said."""
    assert (said.code, said.out) == (code, ""), said
    lines = said.err.splitlines()
    assert len(lines) == 1, said.err
    assert lines[0].startswith("error: "), said.err
    return lines[0].removeprefix("error: ")
