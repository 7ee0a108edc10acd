"""What a person types first."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.checks.source import ROOT
from tests.support.machine import PARTS

MAKE = {"MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a fresh clone has that make looks at; there is no .venv."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # Not what the make that runs the tests was told.
    own = {name: value for name, value in os.environ.items() if name not in MAKE}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True)


def test_make_alone_says_what_there_is(clone: Path) -> None:
    targets = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    done = make(clone)
    assert done.returncode == 0
    assert re.findall(r"^  make (\S+) ", done.stdout, re.MULTILINE) == targets


@pytest.mark.parametrize("python", ["no-such-python", "false"])
def test_without_a_python_that_is_new_enough_make_says_what_to_install(
    clone: Path, python: str
) -> None:
    done = make(clone, "demo", f"PYTHON={python}")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert not (clone / ".venv").exists()


def test_the_short_suite_leaves_out_every_part_and_the_long_one_names_them(clone: Path) -> None:
    short = make(clone, "--dry-run", "test").stdout
    long = make(clone, "--dry-run", "test-long").stdout
    assert '-m "not needs_postgres and not needs_browser and not long"' in short
    assert '-m "needs_postgres or needs_browser or long"' in long
    assert {*PARTS, "long"} == set(re.findall(r"needs_\w+|long", long))


def test_parts_choose_the_long_tests_by_marker(clone: Path) -> None:
    done = make(clone, "--dry-run", "test-long", "PARTS=long needs_postgres", "ARGS=-k chain")
    assert '-m "long or needs_postgres" -k chain' in done.stdout


def test_a_part_that_does_not_exist_is_refused(clone: Path) -> None:
    done = make(clone, "--dry-run", "test-long", "PARTS=needs_oracle")
    assert done.returncode != 0
    assert "PARTS are some of: needs_postgres needs_browser long" in done.stderr
