"""The locks hold what pyproject.toml asks for, by hash, from no index in particular."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.checks.environment import LOCKS
from scripts.checks.source import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
DEV = [Requirement(line) for line in PROJECT["optional-dependencies"]["dev"]]
ASKED = {"runtime": RUNTIME, "dev": RUNTIME + DEV}
each_lock = pytest.mark.parametrize("kind", LOCKS)


def text_of(kind: str) -> str:
    return (ROOT / LOCKS[kind]).read_text()


def pins(kind: str) -> dict[str, set[str]]:
    """Versions by name; there may be several, for different platforms or Pythons."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(
        r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", text_of(kind), re.MULTILINE
    ):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@each_lock
def test_a_lock_holds_hashes_and_no_address(kind: str) -> None:
    text = text_of(kind)
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@each_lock
def test_every_dependency_is_locked_in_a_version_that_fits(kind: str) -> None:
    locked = pins(kind)
    for asked in ASKED[kind]:
        versions = locked[canonicalize_name(asked.name)]
        assert all(asked.specifier.contains(version) for version in versions), asked


def test_the_tests_run_on_the_very_versions_of_the_runtime() -> None:
    runtime, dev = pins("runtime"), pins("dev")
    assert {name: dev.get(name) for name in runtime} == runtime


def test_what_the_runtime_does_not_need_is_not_in_its_lock() -> None:
    only_dev = {canonicalize_name(asked.name) for asked in DEV}
    assert only_dev & set(pins("runtime")) == set()
