"""The trading state: the strictest scope wins, and a word nobody knows is the strictest."""

from itertools import product

import pytest

from tests.support.ledger import ACCOUNT, Ledger

STRICT = {"ACTIVE": 0, "REDUCING": 1, "HALTED": 2}
SCOPES = ("global", f"account:{ACCOUNT}", "strategy:1")


def test_where_nobody_said_otherwise_trading_is_active(ledger: Ledger) -> None:
    assert ledger.states.effective(ACCOUNT, 1) == "ACTIVE"


@pytest.mark.parametrize("states", list(product(STRICT, repeat=3)), ids="-".join)
def test_the_strictest_scope_wins(ledger: Ledger, states: tuple[str, ...]) -> None:
    for scope, state in zip(SCOPES, states, strict=True):
        ledger.set_state(scope, state)
    assert ledger.states.effective(ACCOUNT, 1) == max(states, key=STRICT.__getitem__)


@pytest.mark.parametrize("word", ["", "active", "STOPPED", "HALTED "])
def test_a_word_that_is_not_known_is_halted(ledger: Ledger, word: str) -> None:
    ledger.set_state("global", word)
    assert ledger.states.effective(ACCOUNT, 1) == "HALTED"


def test_the_states_of_others_are_theirs(ledger: Ledger) -> None:
    for scope in ("account:DU7654321", "strategy:2", "strategy:11"):
        ledger.set_state(scope, "HALTED")
    assert ledger.states.effective(ACCOUNT, 1) == "ACTIVE"
    assert ledger.states.effective(ACCOUNT, 2) == "HALTED"
