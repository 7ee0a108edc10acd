"""The account is looked at before anything is sent, and a person is told what nobody explains."""

import pytest

from tests.support.clock import ManualClock
from tests.support.trading import Trading, foreign_sell, signal
from worker.joined.accounting import FRESH
from worker.waiting import Wait

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")


def look(trading: Trading) -> None:
    trading.clock.advance(10)
    trading.accounting.look()


def test_an_account_is_current_after_its_first_look_and_for_two_minutes(
    trading: Trading, clock: ManualClock
) -> None:
    assert not trading.accounting.is_current()
    look(trading)
    assert not trading.accounting.is_current()
    look(trading)
    assert trading.accounting.is_current()
    clock.advance(FRESH.total_seconds() - 0.1)
    assert trading.accounting.is_current()
    clock.advance(0.1)
    assert not trading.accounting.is_current()


def test_nothing_is_decided_before_the_account_is_known(trading: Trading) -> None:
    run = trading.begin(signal("AAPL"))
    trading.account_is_known = False
    with pytest.raises(Wait, match="first look at the account"):
        trading.order_desk().decide(run, "AAPL")
    assert (trading.broker.sent, list(trading.ledger.book.lines(run.run_id))) == ([], [])
    trading.account_is_known = True
    trading.order_desk().decide(run, "AAPL")
    assert len(trading.broker.sent) == 1


def test_a_person_is_told_of_shares_that_nothing_explains_until_something_does(
    trading: Trading,
) -> None:
    look(trading)
    look(trading)
    trading.broker.held["AAPL"] = 400
    look(trading)
    assert trading.told == {}
    look(trading)
    [text] = trading.told.values()
    for words in ("holds 400", "100 are foreign", "300 more", "a split", "openbell reconcile"):
        assert words in text
    trading.broker.held["AAPL"] = 100
    look(trading)
    assert trading.told == {}


def test_a_symbol_whose_shares_are_not_explained_gets_no_order(trading: Trading) -> None:
    for held in (100, 100, 400, 400):
        trading.broker.held["AAPL"] = held
        look(trading)
    run = trading.begin(signal("AAPL"))
    trading.order_desk().decide(run, "AAPL")
    assert trading.broker.sent == []
    [line] = trading.order_desk().report(run)
    assert (line.checks_failed, line.reason) == (
        ("BLOCKED",), "BLOCKED: the account holds 300 more shares than is explained",
    )  # fmt: skip


def test_an_order_with_an_id_like_ours_that_the_journal_lost_is_told(trading: Trading) -> None:
    look(trading)
    trading.broker.listed = [foreign_sell(15, coid="ob-lost")]
    look(trading)
    look(trading)
    [text] = trading.told.values()
    assert "ob-lost" in text
