"""A rule without a check is a wish: each house rule and each arrow finds what breaks it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.checks import house_rules as rules
from scripts.checks.source import ROOT, File

BIN = Path(sys.executable).parent
SEND = "from tasks.end_run import end_run\nend_run.delay('a')\n"
STEP = "@step('tasks.x', number=1)\ndef x(run):\n    return run\n"

# Rule, a file that breaks it, a file like it that does not.
CASES: list[tuple[rules.Rule, tuple[str, str], tuple[str, str]]] = [
    (
        rules.python_parses,
        ("worker/step.py", "def f(:\n"),
        ("worker/step.py", "def f(): ...\n"),
    ),
    (
        rules.sending_is_for_the_entries,
        ("worker/orders/desk.py", SEND),
        ("tasks/start_run.py", SEND),
    ),
    (
        rules.sending_is_for_the_entries,
        ("scripts/trigger.py", "app.send_task('tasks.start_run')\n"),
        ("tests/chain/test_chain.py", "app.send_task('tasks.start_run')\n"),
    ),
    (
        rules.sending_is_for_the_entries,
        ("tasks/keep_session.py", "chain(a, b).apply_async(retry=False)\n"),
        ("tasks/keep_session.py", "policy.delay = 3\n"),
    ),
    (
        rules.time_is_for_the_clock,
        ("worker/risk/checks.py", "from datetime import datetime as d\nd.now()\n"),
        ("worker/clock.py", "from datetime import datetime as d\nd.now()\n"),
    ),
    (
        rules.time_is_for_the_clock,
        ("scripts/demo.py", "from time import monotonic\nmonotonic()\n"),
        ("scripts/demo.py", "from worker.clock import monotonic\nmonotonic()\n"),
    ),
    (
        rules.time_is_for_the_clock,
        ("scripts/sandbox/app.py", "import time\nwait(pause=time.sleep)\n"),
        ("scripts/sandbox/clock.py", "import time\nwait(pause=time.sleep)\n"),
    ),
    (
        rules.time_is_for_the_clock,
        ("tests/unit/test_x.py", "import time\ntime.sleep(1)\n"),
        ("tests/unit/test_x.py", "import time\ntime.monotonic()\n"),
    ),
    (
        rules.http_clients_are_for_http,
        ("worker/signals/model.py", "import httpx\nhttpx.Client(verify=False)\n"),
        ("worker/signals/model.py", "import httpx\ndef f(client: httpx.Client): ...\n"),
    ),
    (
        rules.http_clients_are_for_http,
        ("scripts/doctor.py", "from httpx import get\nget('https://localhost')\n"),
        ("worker/http.py", "from httpx import Client\nClient()\n"),
    ),
    (
        rules.tests_patch_nothing,
        ("tests/unit/test_x.py", "from unittest import mock\n"),
        ("tests/unit/test_x.py", "from tests.support.clock import ManualClock\n"),
    ),
    (
        rules.tests_patch_nothing,
        ("tests/unit/test_x.py", "from unittest.mock import patch\n"),
        ("tests/unit/test_x.py", "import unittest\n"),
    ),
    (
        rules.tests_patch_nothing,
        ("tests/unit/test_x.py", "def test_x(monkeypatch):\n    monkeypatch.setattr(a, 'b', 1)\n"),
        ("tests/unit/test_x.py", "def test_x(monkeypatch):\n    monkeypatch.setenv('A', '1')\n"),
    ),
    (
        rules.rooms_know_no_mode,
        ("worker/orders/desk.py", "if run.dry_run:\n    pass\n"),
        ("worker/settings.py", "dry_run: bool\n"),
    ),
    (
        rules.names_of_tasks_are_for_beat,
        ("worker/runtime.py", "NAME = 'tasks.start_run'\n"),
        ("worker/beat.py", "NAME = 'tasks.start_run'\n"),
    ),
    (
        rules.steps_are_short,
        ("tasks/place_orders.py", "\n" * 58 + STEP),
        ("tasks/place_orders.py", "\n" * 57 + STEP),
    ),
    (
        rules.files_are_short,
        ("worker/journal/orders.py", "x = 1\n" * 501),
        ("worker/journal/orders.py", "x = 1\n" * 500),
    ),
    (
        rules.packages_are_empty,
        ("worker/__init__.py", '"""The domain."""\n'),
        ("worker/joined/__init__.py", '"""Files that join rooms."""\n'),
    ),
    (
        rules.nothing_of_this_machine,
        ("README.md", "cd /wo" + "rk/main\n"),
        ("README.md", "cd openbell/frame" + "work/main\n"),
    ),
    (
        rules.nothing_of_this_machine,
        ("Makefile", "include .." + "/shared/x.mk\n"),
        ("Makefile", "include tests/" + "shared/x.mk\n"),
    ),
    *(
        (
            rules.nothing_of_this_machine,
            ("requirements.txt", f"--index-url https://{host}/simple\n"),
            ("requirements.txt", "celery==5.7.0\n"),
        )
        for host in rules.HOSTS
    ),
    (
        rules.locks_hold_no_address,
        ("requirements.lock", "x @ https://example.com/x.whl\n"),
        ("requirements.lock", "celery==5.7.0 \\\n    --hash=sha256:00\n"),
    ),
]


@pytest.mark.parametrize(("rule", "bad", "good"), CASES)
def test_a_rule_finds_what_breaks_it_and_lets_the_rest_pass(
    rule: rules.Rule, bad: tuple[str, str], good: tuple[str, str]
) -> None:
    assert len(list(rule(File(*bad)))) == 1
    assert list(rule(File(*good))) == []


def test_every_house_rule_has_a_case() -> None:
    assert {rule for rule, _, _ in CASES} == set(rules.RULES)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("import os  # noqa", "PGH004"),
        ("x: int = 'a'  # type: ignore", "PGH003"),
        ("from datetime import datetime; datetime.now()", "DTZ005"),
        ("print(1)", "T201"),
        ("try:\n    pass\nexcept Exception:\n    pass", "BLE001"),
    ],
)
def test_ruff_refuses_in_the_domain(line: str, rule: str) -> None:
    command = [str(BIN / "ruff"), "check", "--stdin-filename", "worker/step.py", "-"]
    done = subprocess.run(command, cwd=ROOT, input=line, capture_output=True, text=True)
    assert rule in done.stdout


# A module, the import that turns an arrow, and the contract that says so.
ARROWS = [
    ("worker/risk/checks.py", "tasks.chain", "scripts -> tasks -> worker"),
    ("tasks/place_orders.py", "tasks.generate_signal", "Tasks: entries -> end_run -> chain"),
    ("tasks/chain.py", "tasks.end_run", "Tasks: entries -> end_run -> chain"),
    ("tasks/start_run.py", "tasks.cleanup", "Only tasks.chain imports steps"),
    ("scripts/console.py", "tasks.cleanup", "Only tasks.chain imports steps"),
    ("worker/risk/checks.py", "worker.orders", "Worker: step, beat -> runtime -> joined"),
    ("worker/models/run.py", "worker.store", "Worker: step, beat -> runtime -> joined"),
    ("worker/new_room.py", "worker.errors", "Worker: step, beat -> runtime -> joined"),
    ("worker/risk/checks.py", "worker.settings", "Rooms get plain values"),
    ("worker/joined/broker.py", "celery", "Only worker.celery, step and beat know Celery"),
    ("scripts/sandbox/book.py", "worker.models.order", "The sandbox shares no code"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for package in ("worker", "tasks", "scripts"):
        ignore = shutil.ignore_patterns("__pycache__", "data")
        shutil.copytree(ROOT / package, folder / package, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize(("module", "imported", "contract"), ARROWS)
def test_an_arrow_that_turns_is_found(
    copy: Path, module: str, imported: str, contract: str
) -> None:
    file = copy / module
    before = file.read_text() if file.exists() else None
    file.write_text((before or "") + f"\nimport {imported}\n")
    try:
        command = [str(BIN / "lint-imports"), "--no-cache"]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    finally:
        file.unlink() if before is None else file.write_text(before)
    broken = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert contract in broken.split("Broken contracts")[-1]
