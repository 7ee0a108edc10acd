"""What `up` and `demo` have in common as programs: how they begin and how they end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.console import complain, err
from scripts.parts.part import PartFailed
from scripts.parts.stopping import Stopped, stoppable
from worker.errors import OpenbellError


@contextmanager
def program() -> Iterator[None]:
    """What goes wrong inside becomes a sentence and an exit code: 1 for a part or a run that
    failed, 2 for what a person must change, 128 + n after a signal."""
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
    except OpenbellError as error:
        complain(error.sentence)
        raise SystemExit(2) from None
    except Stopped as stopped:
        raise SystemExit(stopped.exit_code) from None
