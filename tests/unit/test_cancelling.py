"""A cancel asks once, for one order, and says what became of the asking."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support.conversing import Conversation, always, never, new_intent
from tests.support.sandbox import ACCOUNT
from worker.errors import NotProved, Refused, TemporaryError

SANDBOX = {"rate": 20}


def cancelling(conversation: Conversation, order_id: str) -> Callable[[], None]:
    return partial(conversation.trader.cancel, ACCOUNT, order_id)


def test_a_cancel_asks_and_the_book_shows_what_came_of_it(conversation: Conversation) -> None:
    result = conversation.send(new_intent())
    assert result.broker_order_id is not None
    conversation.trader.cancel(ACCOUNT, result.broker_order_id, always)
    conversation.sandbox.wait_for_status(result.broker_order_id, "Cancelled")


@pytest.mark.parametrize("order_id", ["-1", "", "0", "1 or 2", "../orders", "all"])
def test_a_cancel_of_anything_but_one_order_is_refused_unsent(
    conversation: Conversation, order_id: str
) -> None:
    """-1 would cancel every order of the account."""
    resting = conversation.send(new_intent()).broker_order_id
    with pytest.raises(Refused):
        conversation.trader.cancel(ACCOUNT, order_id, always)
    assert conversation.sandbox.wait_for_status(str(resting), "Submitted")


def test_a_cancel_of_an_unknown_order_is_refused(conversation: Conversation) -> None:
    with pytest.raises(Refused, match="doesn't exist"):
        conversation.trader.cancel(ACCOUNT, "999999999", always)


def cancel_fault(action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "method": "DELETE", **more}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (cancel_fault("answer", status=200, body={"error": "OrderID 1 doesn't exist"}), Refused),
        (cancel_fault("answer", status=503, body=""), TemporaryError),
        (cancel_fault("answer", status=401, body=""), TemporaryError),
        (cancel_fault("answer", status=429, body=""), TemporaryError),
        (cancel_fault("answer", status=200, body="<html>busy</html>"), TemporaryError),
        (cancel_fault("cut", when="before"), TemporaryError),
        (cancel_fault("cut", when="after"), TemporaryError),
    ],
)
def test_a_cancel_that_fails_was_asked_for_once(
    conversation: Conversation, fault: dict[str, Any], error: type[Exception]
) -> None:
    order_id = str(conversation.send(new_intent()).broker_order_id)
    conversation.sandbox.faults(fault)
    name = "DELETE /iserver/account/{account}/order/{order}"
    before = conversation.requests(name)
    with pytest.raises(error) as raised:
        conversation.trader.cancel(ACCOUNT, order_id, always)
    assert conversation.requests(name) == before + 1
    assert ACCOUNT not in str(raised.value)


def test_a_cancel_whose_turn_is_over_is_not_asked_for(conversation: Conversation) -> None:
    order_id = str(conversation.send(new_intent()).broker_order_id)
    name = "DELETE /iserver/account/{account}/order/{order}"
    before = conversation.requests(name)
    with pytest.raises(TemporaryError, match="turn to cancel"):
        conversation.trader.cancel(ACCOUNT, order_id, never)
    assert conversation.requests(name) == before


def test_a_cancel_needs_the_proof_too(conversation: Conversation) -> None:
    conversation.secret = "another"  # pragma: allowlist secret
    with pytest.raises(NotProved):
        conversation.trader.cancel(ACCOUNT, "602801486", always)


def test_nothing_that_is_said_shows_the_account_or_the_secret(
    conversation: Conversation,
) -> None:
    intent = new_intent()
    result = conversation.send(intent)
    told = f"{intent!r} {result!r} {conversation.trader!r} {conversation.questions!r}"
    assert ACCOUNT not in told
    assert conversation.secret not in told
