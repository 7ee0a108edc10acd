"""A fresh home for each demonstration; the last few are kept to look at."""

import os
import shutil
from pathlib import Path

from scripts.parts.running_set import is_held
from worker.clock import SystemClock
from worker.errors import ConfigurationError
from worker.settings import PROJECT_ROOT

KEPT = 3


def homes_folder() -> Path:
    """Beside what a person keeps: in OPENBELL_HOME, or in `var`."""
    return Path(os.environ.get("OPENBELL_HOME") or PROJECT_ROOT / "var").resolve() / "demo"


def fresh_home(folder: Path) -> Path:
    """A new home, named by the moment and this process, so that no two share one."""
    home = folder / f"{SystemClock().wall_now():%Y%m%d-%H%M%S}-{os.getpid()}"
    try:
        home.mkdir(parents=True)
    except OSError as error:
        raise ConfigurationError(
            f"the folder {folder} cannot be written ({error.strerror}); set OPENBELL_HOME to one "
            "that can"
        ) from None
    return home


def forget_old_homes(folder: Path) -> int:
    """Remove all but the newest homes, and none that may be in use; how many went."""
    homes = sorted(path for path in folder.iterdir() if path.is_dir())
    old = [home for home in homes[:-KEPT] if not _is_used(home)]
    for home in old:
        shutil.rmtree(home, ignore_errors=True)
    return len(old)


def _is_used(home: Path) -> bool:
    pid = home.name.rpartition("-")[2]
    if not pid.isdigit():
        return True  # not one of ours
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return is_held(home)
    except PermissionError:
        return True
    return True
