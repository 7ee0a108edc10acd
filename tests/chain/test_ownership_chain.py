"""Who owns what, and where orders may go, through the whole chain."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import BUY, STRATEGY, Stack
from worker.settings import PROJECT_ROOT

SELL = BUY | {"signal": "SELL"}
FIRST = STRATEGY | {"symbols": ["MSFT"], "sizing": {"method": "fixed_quantity", "quantity": 30}}
SECOND = FIRST | {"id": 2, "name": "second"}
STACK = {"strategies": [FIRST, SECOND]}


def test_two_strategies_on_one_symbol_at_once_keep_their_own(stack: Stack) -> None:
    stack.sandbox.analyst({"MSFT": BUY})
    bought = [stack.trigger(1, dry_run=False), stack.trigger(2, dry_run=False)]
    assert [stack.wait_closed(run_id).outcome for run_id in bought] == ["done", "done"]
    book = stack.services.orders
    assert (book.owned(1, "MSFT"), book.owned(2, "MSFT")) == (30, 30)
    assert stack.sandbox.position("MSFT") == "60"
    stack.sandbox.analyst({"MSFT": SELL})
    assert stack.run(1, dry_run=False).outcome == "done"
    assert (book.owned(1, "MSFT"), book.owned(2, "MSFT")) == (0, 30)
    assert stack.sandbox.position("MSFT") == "30"


def test_a_strategy_that_was_changed_meanwhile_sends_nothing(stack: Stack) -> None:
    stack.sandbox.analyst({"MSFT": BUY | {"delay_seconds": 2}})
    before = len(stack.sandbox.orders())
    run_id = stack.trigger(1, dry_run=False)
    stack.wait_step(run_id, 6, "running")
    stack.write_strategy(FIRST | {"sizing": {"method": "fixed_quantity", "quantity": 31}})
    row = stack.wait_closed(run_id)
    assert row.outcome == "denied"
    (line,) = stack.services.orders.lines(run_id).values()
    assert line.checks_failed == ("STRATEGY",)
    assert len(stack.sandbox.orders()) == before


@pytest.mark.parametrize("with_checkpoints", [False, True])
def test_a_worker_on_replayed_time_or_with_checkpoints_does_not_start_before_a_server_without_proof(
    stack: Stack, tmp_path: Path, with_checkpoints: bool
) -> None:
    other = "of another home"
    environment = stack.environment | {"OPENBELL_SANDBOX_SECRET": other}
    if with_checkpoints:
        del environment["OPENBELL_REPLAY_CLOCK"]
        environment["OPENBELL_CHECKPOINTS"] = str(tmp_path)
    command = [sys.executable, "-m", "celery", "-A", "worker", "worker", "-Q", "orders"]
    ended = subprocess.run(
        command, cwd=PROJECT_ROOT, env=os.environ | environment, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2
    said = ended.stderr.splitlines()[-1]
    assert said == "the server did not prove to be the sandbox; it gets no order"
