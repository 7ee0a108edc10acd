"""`openbell reconcile`: the account against the journal, before a real sandbox."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.cli import Said, openbell
from tests.support.stack import STRATEGY, Stack

StartStack = Callable[..., Stack]


@pytest.fixture
def stack(start_stack: StartStack) -> Stack:
    stack = start_stack(strategies=[STRATEGY], workers=False)
    stack.sandbox.faults(questions=[])
    return stack


def look(stack: Stack) -> dict[str, Any]:
    """What it says once the first look is complete."""
    found: list[dict[str, Any]] = []

    def ready() -> bool:
        found.append(json.loads(openbell("reconcile", "--json").out))
        return bool(found[-1]["ready"])

    stack.wait_for(ready, "the first look is complete")
    return found[-1]


def shares(found: dict[str, Any], symbol: str) -> dict[str, Any]:
    return next(each for each in found["shares"] if each["symbol"] == symbol)


def trade_by_hand(stack: Stack, symbol: str, quantity: int) -> None:
    """A person's own order, at the broker's page."""
    before = int(stack.sandbox.position(symbol))
    stack.sandbox.prime()
    assert stack.sandbox.order(symbol, "BUY", quantity, orderType="MKT").is_success
    stack.sandbox.wait_until(
        lambda _: int(stack.sandbox.position(symbol)) == before + quantity, "it is filled"
    )


def sentence(said: Said, code: int) -> str:
    assert (said.code, said.out) == (code, ""), said
    return said.err


def test_the_first_look_is_the_baseline_and_a_persons_trades_are_foreign(stack: Stack) -> None:
    first = openbell("reconcile")
    assert (first.code, first.out) == (
        0, "the first look at the account is taken; look again in some seconds\n",
    )  # fmt: skip
    before = shares(look(stack), "IBM")["held"]
    assert openbell("reconcile").out.endswith("the account and the journal agree\n")
    trade_by_hand(stack, "IBM", 3)
    stack.wait_for(
        lambda: shares(look(stack), "IBM")["foreign"] == str(int(before) + 3),
        "the trade is seen as foreign",
    )
    assert openbell("reconcile").code == 0


def test_shares_that_no_execution_explains_are_said_and_accepted_by_a_named_person(
    stack: Stack,
) -> None:
    look(stack)
    [hidden] = stack.sandbox.arm({"kind": "empty_trades", "count": None})
    trade_by_hand(stack, "IBM", 3)

    def confirmed() -> bool:
        row = shares(look(stack), "IBM")
        return bool(row["unexplained"] == "3" and row["confirmed"])

    stack.wait_for(confirmed, "two looks saw it")
    said = openbell("reconcile")
    assert said.code == 1
    assert "IBM: the account holds 3 more shares than strategies own" in said.out
    for cause in ("split", "merger", "transfer", "reinvested dividend"):
        assert cause in said.out
    assert stack.services.orders.blocked_by("IBM") is not None
    assert "--by NAME" in sentence(openbell("reconcile", "--accept", "IBM"), 2)
    assert openbell("reconcile", "--accept", "IBM", "--by", "Ada").out == (
        "3 more shares of IBM are foreign now\n"
    )
    assert openbell("reconcile").code == 0
    assert stack.services.orders.blocked_by("IBM") is None
    stack.sandbox.disarm(hidden)


def test_foreign_shares_are_given_to_a_strategy_and_a_split_that_was_none_is_refused(
    stack: Stack,
) -> None:
    held = int(shares(look(stack), "AAPL")["held"])
    given = openbell("reconcile", "--adopt", "aapl", "10", "--strategy", "momentum", "--by", "Ada")
    assert given.out == "strategy 1 momentum owns 10 shares of AAPL now\n"
    found = shares(look(stack), "AAPL")
    assert (found["owned"], found["foreign"]) == ("10", str(held - 10))
    # A split is believed once the account shows it, and so is said once.
    told = sentence(openbell("reconcile", "--adjust", "AAPL", "--ratio", "4:1", "--by", "Ada"), 1)
    assert "every share of AAPL is explained" in told
    assert shares(look(stack), "AAPL")["owned"] == "10"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--adopt", "AAPL", "10", "--by", "Ada"], "--strategy STRATEGY"),
        (["--adopt", "AAPL", "1.5", "--strategy", "1", "--by", "Ada"], "no number of whole shares"),
        (["--adopt", "AAPL", "NaN", "--strategy", "1", "--by", "Ada"], "no number of whole shares"),
        (["--adopt", "AAPL", "1", "--strategy", "9", "--by", "Ada"], "there is no strategy '9'"),
        (["--adjust", "AAPL", "--by", "Ada"], "--ratio 4:1"),
        (["--adjust", "AAPL", "--ratio", "4:0", "--by", "Ada"], "--ratio 4:1"),
        (["--adjust", "AAPL", "--ratio", "four", "--by", "Ada"], "--ratio 4:1"),
        (["--adjust", "AAPL", "--accept", "AAPL", "--by", "Ada"], "one at a time"),
        (["--accept", "AAPL", "--by", " "], "--by NAME"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    stack: Stack, arguments: list[str], words: str
) -> None:
    assert words in sentence(openbell("reconcile", *arguments), 2)


def test_what_is_not_there_is_refused(stack: Stack) -> None:
    look(stack)
    told = sentence(openbell("reconcile", "--accept", "TSLA", "--by", "Ada"), 1)
    assert "was not seen to hold TSLA" in told


def test_a_gateway_that_is_down_is_one_sentence(stack: Stack) -> None:
    stack.sandbox.stop()
    assert "does not answer" in sentence(openbell("reconcile"), 1)
