"""`trigger --follow` against a gateway in trouble: one sentence, code 1, an ended run."""

from collections.abc import Iterator

import pytest

from tests.support.cli import openbell
from tests.support.stack import STRATEGY, Stack
from worker.journal.runs import RunRow

STACK = {
    "strategies": [STRATEGY],
    "environment": {
        "OPENBELL_QUEUES__ATTEMPTS": "2",
        "OPENBELL_QUEUES__RETRY_AFTER": "1s",
        "OPENBELL_RETRY__BROKER_READ__ATTEMPTS": "1",
    },
}
LOGIN_PAGE = "<html><title>Client Portal</title></html>"


@pytest.fixture
def healthy_again(stack: Stack) -> Iterator[None]:
    yield
    stack.sandbox.faults()
    stack.sandbox.session(sso=True)


def failed_run(stack: Stack) -> tuple[RunRow, str]:
    """Follow one run that fails; its row and the sentence."""
    said = openbell("trigger", "1", "--dry-run", "--follow")
    assert said.code == 1, said
    row = stack.services.runs.get(said.out.splitlines()[0])
    assert (row.status, row.outcome, row.failed_step) == ("closed", "failed", "check_ibkr_auth")
    steps = {step.step: step.state for step in stack.services.steps.of(row.run_id)}
    assert (steps["check_ibkr_auth"], steps["end_tracking"], steps["cleanup"]) == (
        "failed", "done", "done",
    )  # fmt: skip
    assert "place_orders" not in steps
    assert "momentum: failed, dry" in said.out
    last = said.err.splitlines()[-1]
    assert last == f"error: the run failed: {row.reason}"
    return row, last


def test_a_gateway_that_answers_401(stack: Stack, healthy_again: None) -> None:
    stack.sandbox.session(sso=False)
    _, told = failed_run(stack)
    assert told == (
        "error: the run failed: check_ibkr_auth: the gateway answers 401: nobody is logged in; "
        "log in at its page"
    )


def test_a_gateway_that_answers_with_a_web_page(stack: Stack, healthy_again: None) -> None:
    page = {"action": "answer", "path": "/iserver/auth/status", "status": 200, "times": 99}
    stack.sandbox.faults(page | {"body": LOGIN_PAGE, "content_type": "text/html"})
    _, told = failed_run(stack)
    assert told == (
        "error: the run failed: check_ibkr_auth: the gateway answered /iserver/auth/status with a "
        "web page; is ibkr.base_url the API's address, ending in /v1/api?"
    )


def test_a_failed_run_is_told_by_runs_show_and_orders_are_none(
    stack: Stack, healthy_again: None
) -> None:
    stack.sandbox.session(sso=False)
    row, _ = failed_run(stack)
    page = openbell("runs", "show", row.run_id).out
    assert "momentum: failed, dry" in page
    assert "nobody is logged in" in page
    assert openbell("orders", "list", "--run", row.run_id).out == "there is no such order\n"
    assert "step_failed" in openbell("runs", "logs", row.run_id).out


def test_a_gateway_that_is_down(stack: Stack) -> None:
    stack.sandbox.stop()
    try:
        _, told = failed_run(stack)
    finally:
        stack.sandbox.restart()
    assert told.startswith("error: the run failed: check_ibkr_auth: given up after 2 attempts: ")
    assert "does not answer" in told
