"""A dry run's desk: the broker's preview instead of an order."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.trading import Trading, signal
from worker.errors import NeedsLogin, OpenbellError, TemporaryError
from worker.models.order import Preview
from worker.models.run import Run
from worker.risk.codes import Code
from worker.waiting import Wait

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")


def previewing(trading: Trading, *signals: Any) -> Run:
    return trading.begin(*signals, mode="dry")


def test_a_preview_is_asked_for_and_nothing_is_written_but_the_decision(
    trading: Trading,
) -> None:
    run = previewing(trading, signal("AAPL"))
    desk = trading.preview_desk()
    desk.decide(run, "AAPL")
    desk.follow(run)
    (line,) = desk.report(run)
    assert (line.outcome, line.reason, line.preview) == (
        "previewed", "passed every check", {"amount_usd": "4952", "warnings": []},
    )  # fmt: skip
    (intent,) = trading.broker.previews
    assert (intent.quantity, intent.side) == (38, "BUY")
    assert trading.ledger.book.of_run(run.run_id) == []
    assert trading.broker.sent == []
    assert desk.undecided(run) == []


def test_a_preview_reserves_nothing_and_counts_in_no_limit(trading: Trading) -> None:
    trading.ledger.own(30)
    run = previewing(trading, signal("AAPL", "SELL"))
    trading.preview_desk().decide(run, "AAPL")
    assert trading.ledger.book.selling("AAPL") == 0
    assert trading.ledger.book.working(1, "AAPL") == 0


def test_a_preview_that_the_broker_would_refuse_is_a_denial(trading: Trading) -> None:
    trading.broker.preview_answer = Preview(error="No trading permissions.")
    run = previewing(trading, signal("AAPL"))
    desk = trading.preview_desk()
    desk.decide(run, "AAPL")
    (line,) = desk.report(run)
    assert (line.outcome, line.reason) == (
        "denied", "the broker would refuse: No trading permissions.",
    )  # fmt: skip


@pytest.mark.parametrize("error", [TemporaryError("no answer"), NeedsLogin("log in")])
def test_a_preview_that_cannot_be_had_shows_the_sized_order_and_its_checks(
    trading: Trading, error: OpenbellError
) -> None:
    trading.broker.preview_answer = error
    run = previewing(trading, signal("AAPL"))
    desk = trading.preview_desk()
    desk.decide(run, "AAPL")
    (line,) = desk.report(run)
    assert (line.outcome, line.reason, line.quantity, line.checks_run) == (
        "not previewed", error.sentence, 38, len(Code),
    )  # fmt: skip


def test_a_denied_order_is_not_previewed(trading: Trading) -> None:
    run = previewing(trading, signal("AAPL", confidence=Decimal(0)), signal("MSFT", "HOLD"))
    desk = trading.preview_desk()
    for symbol in ("AAPL", "MSFT"):
        desk.decide(run, symbol)
    assert [line.outcome for line in desk.report(run)] == ["denied", "held"]
    assert trading.broker.previews == []


def test_a_preview_waits_a_minute_behind_orders_and_then_goes_without(
    trading: Trading, clock: ManualClock
) -> None:
    run = previewing(trading, signal("AAPL"))
    desk = trading.preview_desk()
    began = clock.now
    while clock.now - began <= timedelta(seconds=60):
        trading.ledger.locks.acquire(
            trading.conversation._name, f"order at {clock.now}", 2, timedelta(seconds=30)
        )
        with pytest.raises(Wait):
            desk.decide(run, "AAPL")
        assert desk.undecided(run) == ["AAPL"]
        clock.advance(10)
    trading.ledger.locks.acquire(
        trading.conversation._name, "the last order", 2, timedelta(seconds=30)
    )
    desk.decide(run, "AAPL")
    (line,) = desk.report(run)
    assert (line.outcome, line.reason) == (
        "not previewed", "another order conversation is under way",
    )  # fmt: skip


def test_a_preview_gets_its_turn_within_the_minute(trading: Trading, clock: ManualClock) -> None:
    run = previewing(trading, signal("AAPL"))
    desk = trading.preview_desk()
    held = trading.ledger.hold("an order")
    with pytest.raises(Wait):
        desk.decide(run, "AAPL")
    trading.ledger.locks.release(held)
    clock.advance(2)
    desk.decide(run, "AAPL")
    assert desk.report(run)[0].outcome == "previewed"


def test_a_desk_for_previews_has_nothing_that_could_send(trading: Trading) -> None:
    previewing(trading, signal("AAPL"))
    parts = vars(trading.preview_desk())
    assert not any(hasattr(part, "send") or hasattr(part, "open") for part in parts.values())


def test_a_report_is_in_the_runs_order_and_lacks_what_is_undecided(trading: Trading) -> None:
    run = trading.begin(signal("MSFT", "HOLD"), signal("AAPL", "HOLD"))
    desk = trading.order_desk()
    desk.decide(run, "AAPL")
    assert [line.symbol for line in desk.report(run)] == ["AAPL"]
    desk.decide(run, "MSFT")
    assert [line.symbol for line in desk.report(run)] == ["MSFT", "AAPL"]
