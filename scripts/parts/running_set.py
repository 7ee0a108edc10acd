"""One home, one running set: its lock, and the file that tells a second terminal about it."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from worker.errors import ConfigurationError
from worker.running_set import PID, read_env_file


def env_file(home: Path) -> Path:
    return home / "run" / "env"


@contextmanager
def home_lock(home: Path) -> Iterator[int]:
    """Hold the home; the lock's file descriptor, for those who are to hold it as well.

    Raises ConfigurationError where another set holds it, or where it cannot be written.
    """
    try:
        (home / "run").mkdir(parents=True, exist_ok=True)
        handle = os.open(home / "run" / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"the home {home} cannot be written ({error.strerror}); choose another with --home"
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        pid = read_env_file(env_file(home)).get(PID)
        who = f" (process {pid})" if pid else ""
        raise ConfigurationError(
            f"another `up` or `demo` runs in the home {home}{who}; "
            "end it, or choose another home with --home"
        ) from None
    try:
        yield handle
    finally:
        os.close(handle)


def is_held(home: Path) -> bool:
    """Whether a set runs in the home."""
    try:
        with home_lock(home):
            return False
    except ConfigurationError:
        return True


def tell(home: Path, values: Mapping[str, str]) -> None:
    """Write the file, whole or not at all, for its owner alone."""
    lines = [f"{name}={value}" for name, value in {PID: str(os.getpid()), **values}.items()]
    draft = env_file(home).with_name(f".env.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(
            "\n".join(["# The running set of this home. It goes when that ends.", *lines, ""])
        )
    draft.replace(env_file(home))


def tell_no_more(home: Path) -> None:
    env_file(home).unlink(missing_ok=True)
