"""What `up` and `demo` have in common as programs: how they begin and how they end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.console import complain, err
from scripts.parts.part import PartFailed
from scripts.parts.stopping import Stopped, stoppable


@contextmanager
def program() -> Iterator[None]:
    """A part that failed is told with the last lines of its log, exit code 1; a signal ends the
    program with 128 + n. Other errors are for `scripts.command`."""
    os.umask(0o077)  # what is kept holds generated passwords
    try:
        with stoppable():
            yield
    except PartFailed as failure:
        complain(failure.sentence)
        if failure.log:
            err.print(f"the last lines of {failure.part}'s log:", style="dim")
            err.print(failure.log, markup=False, soft_wrap=True)
        raise SystemExit(1) from None
    except Stopped as stopped:
        raise SystemExit(stopped.exit_code) from None
