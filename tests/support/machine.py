"""Parts that not every machine has, each under the marker of the tests that need it.

`python -m tests.support.machine` names the markers whose part is here; `.ci/run` asks it.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's server programs, the newest where there are several."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(debian, key=lambda path: int(path.parent.parent.name.split(".")[0]))
    return newest[-1].parent if newest else None


def browser_program() -> Path | None:
    """Chromium or Chrome: the system's, or the one that Playwright keeps for itself."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return Path(found)
    kept = Path.home().glob(".cache/ms-playwright/chromium-*/chrome-linux*/chrome")
    return max(kept, default=None)


PARTS: dict[str, tuple[Callable[[], Path | None], str]] = {
    "needs_postgres": (
        postgres_programs,
        "PostgreSQL's server programs are not on this machine; install the package postgresql",
    ),
    "needs_browser": (
        browser_program,
        "there is no Chromium or Chrome on this machine; install the package chromium",
    ),
}


def required(marker: str) -> Path:
    """The part, or a failure that says what to install. Never a skip: a person chose the marker."""
    find, sentence = PARTS[marker]
    found = find()
    if found is None:
        pytest.fail(sentence, pytrace=False)
    return found


def main() -> None:
    for marker, (find, sentence) in PARTS.items():
        if find():
            print(marker)
        else:
            print(f"left out: {marker}: {sentence}", file=sys.stderr)


if __name__ == "__main__":
    main()
