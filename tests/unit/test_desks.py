"""The desk that sends: each symbol is decided once, sent once, and followed to its end."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import NOT_AFTER, Ledger
from tests.support.trading import Trading, signal
from tests.support.values import OPEN
from worker.errors import (
    LeaseLost,
    OpenbellError,
    PacingError,
    RunIsOver,
    StepError,
    TemporaryError,
)
from worker.models.decision import OrderLine
from worker.models.order import OrderRecord, SendResult
from worker.models.run import Run
from worker.risk.codes import Code
from worker.waiting import Wait

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")


def only_order(trading: Trading, run: Run) -> OrderRecord:
    (order,) = trading.ledger.book.of_run(run.run_id)
    return order


def report(trading: Trading, run: Run) -> OrderLine:
    (line,) = trading.order_desk().report(run)
    return line


def test_a_buy_is_written_down_sent_once_followed_and_reported(
    trading: Trading, clock: ManualClock
) -> None:
    run = trading.begin(signal("AAPL"))
    desk = trading.order_desk()
    assert desk.undecided(run) == ["AAPL"]
    desk.decide(run, "AAPL")
    assert desk.undecided(run) == []
    order = only_order(trading, run)
    assert (order.state, len(trading.broker.sent)) == ("WORKING", 1)
    assert trading.broker.sent[0] == order.intent
    with pytest.raises(Wait) as raised:
        desk.follow(run)
    assert raised.value.until == clock.now + timedelta(seconds=2)
    assert raised.value.why == "following AAPL WORKING (0/38)"
    trading.broker.fills_all(order)
    desk.follow(run)
    line = report(trading, run)
    assert line.evolve(checks_ref=None) == OrderLine(
        symbol="AAPL", outcome="placed", reason="It rises.", side="BUY", quantity=38,
        limit_price=Decimal("130.32"), coid=order.intent.coid, state="FILLED",
        filled_quantity=Decimal(38), average_price=Decimal("130.01"), owned_before=Decimal(0),
        owned_after=Decimal(38), checks_run=len(Code),
    )  # fmt: skip
    kept = trading.store.get_json(str(line.checks_ref))
    assert len(kept["checks"]) == len(Code)
    assert kept["order"]["quantity"] == "38"


def test_the_intent_carries_the_strategys_rules(trading: Trading) -> None:
    trading.strategy = trading.strategy.evolve(order={"rest": True, "good_for": "90s"})
    run = trading.begin(signal("AAPL"))
    trading.order_desk().decide(run, "AAPL")
    intent = only_order(trading, run).intent
    assert (intent.rest, intent.good_for_seconds, intent.leg, intent.conid) == (
        True, 90, "entry", 265598,
    )  # fmt: skip


def test_a_hold_and_a_denial_are_decisions_without_an_order(trading: Trading) -> None:
    run = trading.begin(signal("AAPL", "HOLD"), signal("MSFT", confidence=Decimal("0.1")))
    desk = trading.order_desk()
    for symbol in ("AAPL", "MSFT"):
        desk.decide(run, symbol)
    desk.follow(run)
    held, denied = desk.report(run)
    assert (held.outcome, held.reason, held.checks_run, held.checks_ref) == (
        "held", "the signal is to hold", 0, None,
    )  # fmt: skip
    assert (denied.outcome, denied.checks_failed, denied.quantity, denied.coid) == (
        "denied", ("CONFIDENCE",), 38, None,
    )  # fmt: skip
    assert denied.reason == "CONFIDENCE: a confidence of 0.1 is below 0.55"
    assert denied.checks_ref in trading.store.kept
    assert trading.broker.sent == []


def test_a_sell_sells_only_what_the_strategy_bought(trading: Trading) -> None:
    trading.ledger.own(30)
    run = trading.begin(signal("AAPL", "SELL"))
    trading.order_desk().decide(run, "AAPL")
    assert [(each.side, each.quantity) for each in trading.broker.sent] == [("SELL", 30)]


def test_a_second_buy_buys_nothing_more(trading: Trading) -> None:
    first = trading.begin(signal("AAPL"))
    desk = trading.order_desk()
    desk.decide(first, "AAPL")
    second = trading.begin(signal("AAPL"))
    trading.order_desk().decide(second, "AAPL")
    assert trading.order_desk().report(second)[0].reason == (
        "it owns 0 and 38 are on order: the target is reached"
    )
    assert len(trading.broker.sent) == 1


@pytest.mark.parametrize(
    ("result", "outcome", "state"),
    [
        (SendResult(kind="refused", text="No trading permissions."), "placed", "REJECTED"),
        (SendResult(kind="not_sent", text="nobody there"), "denied", "DENIED"),
    ],
)
def test_what_the_broker_did_not_take_is_reported_in_its_words(
    trading: Trading, result: SendResult, outcome: str, state: str
) -> None:
    run = trading.begin(signal("AAPL"))
    trading.broker.answers = [result]
    desk = trading.order_desk()
    desk.decide(run, "AAPL")
    desk.follow(run)
    line = report(trading, run)
    assert (line.outcome, line.state, line.reason) == (
        outcome, state, f"{result.kind}: {result.text}",
    )  # fmt: skip


def test_an_unknown_order_is_followed_until_the_window_ends_and_then_left(
    trading: Trading, clock: ManualClock
) -> None:
    run = trading.begin(signal("AAPL"))
    trading.broker.answers = [SendResult(kind="unknown", text="the answer was lost")]
    desk = trading.order_desk()
    desk.decide(run, "AAPL")
    assert trading.alarms == ["AAPL"]
    with pytest.raises(Wait):
        desk.follow(run)
    clock.now = NOT_AFTER
    with pytest.raises(Wait):
        desk.follow(run)
    clock.advance(1)
    desk.follow(run)
    line = report(trading, run)
    assert (line.outcome, line.state) == ("placed", "UNKNOWN")


def test_a_working_order_is_never_left_even_past_the_window(
    trading: Trading, clock: ManualClock
) -> None:
    run = trading.begin(signal("AAPL"))
    desk = trading.order_desk()
    desk.decide(run, "AAPL")
    clock.now = NOT_AFTER + timedelta(minutes=1)
    with pytest.raises(Wait):
        desk.follow(run)
    assert trading.broker.cancelled == ["1"]


def test_an_order_that_may_rest_is_left_once_the_broker_has_it(trading: Trading) -> None:
    trading.strategy = trading.strategy.evolve(order={"rest": True})
    run = trading.begin(signal("AAPL"))
    desk = trading.order_desk()
    desk.decide(run, "AAPL")
    desk.follow(run)
    assert report(trading, run).state == "WORKING"


def test_a_resting_order_of_unknown_fate_is_not_left(trading: Trading) -> None:
    trading.strategy = trading.strategy.evolve(order={"rest": True})
    run = trading.begin(signal("AAPL"))
    trading.broker.answers = [SendResult(kind="unknown", text="the answer was lost")]
    desk = trading.order_desk()
    desk.decide(run, "AAPL")
    with pytest.raises(Wait):
        desk.follow(run)


def test_the_pauses_of_following_grow_to_a_quarter_of_a_minute(
    trading: Trading, clock: ManualClock
) -> None:
    run = trading.begin(signal("AAPL"))
    desk = trading.order_desk()
    desk.decide(run, "AAPL")
    pauses = []
    for waited in (0, 20, 200):
        clock.now = OPEN + timedelta(minutes=2, seconds=waited)
        with pytest.raises(Wait) as raised:
            desk.follow(run)
        pauses.append((raised.value.until - clock.now).total_seconds())
    assert pauses == [2, 5, 15]


def test_pauses_are_market_time(trading: Trading, clock: ManualClock) -> None:
    clock.rate = 20.0
    run = trading.begin(signal("AAPL"))
    desk = trading.order_desk()
    desk.decide(run, "AAPL")
    with pytest.raises(Wait) as raised:
        desk.follow(run)
    assert raised.value.until == clock.now + timedelta(seconds=40)


def test_a_busy_conversation_is_come_back_for_and_decides_nothing(trading: Trading) -> None:
    run = trading.begin(signal("AAPL"))
    held = trading.ledger.hold("another")
    desk = trading.order_desk()
    with pytest.raises(Wait):
        desk.decide(run, "AAPL")
    assert (desk.undecided(run), trading.broker.reads) == (["AAPL"], [])
    trading.ledger.locks.release(held)
    desk.decide(run, "AAPL")
    assert len(trading.broker.sent) == 1


def test_the_conversation_is_given_back_after_each_symbol(trading: Trading) -> None:
    run = trading.begin(signal("AAPL"), signal("MSFT"))
    desk = trading.order_desk()
    for symbol in ("AAPL", "MSFT"):
        desk.decide(run, symbol)
    assert [each.symbol for each in trading.broker.sent] == ["AAPL", "MSFT"]


@pytest.mark.parametrize("error", [TemporaryError("no answer"), PacingError("no room")])
def test_a_broker_that_does_not_answer_decides_nothing(
    trading: Trading, error: OpenbellError
) -> None:
    run = trading.begin(signal("AAPL"))

    def fail(*_: Any) -> Any:
        raise error

    trading.broker.positions = fail  # type: ignore[method-assign]
    desk = trading.order_desk()
    with pytest.raises(type(error)):
        desk.decide(run, "AAPL")
    assert desk.undecided(run) == ["AAPL"]
    assert trading.ledger.hold("the conversation is free again")


# A worker that is lost


def test_an_order_whose_worker_was_lost_before_sending_is_never_sent(trading: Trading) -> None:
    """What it was decided on is gone: shares may have been sold by hand, the symbol blocked."""
    run = trading.begin(signal("AAPL"))
    trading.ledger.intend(trading.fence, quantity=38, limit_price=Decimal("130.32"))
    newer = trading.ledger.take_over(trading.fence)
    trading.order_desk(newer).follow(run)
    order = only_order(trading, run)
    assert (order.state, trading.broker.sent) == ("DENIED", [])
    assert order.reasons == ("its worker was lost before it was sent; nothing was sent",)
    assert report(trading, run).outcome == "denied"


def test_an_order_whose_worker_was_lost_while_sending_is_never_sent_again(
    trading: Trading, clock: ManualClock
) -> None:
    run = trading.begin(signal("AAPL"))
    order = trading.ledger.order("SENDING", trading.fence)
    newer = trading.ledger.take_over(trading.fence)
    desk = trading.order_desk(newer)
    with pytest.raises(Wait):
        desk.follow(run)
    clock.advance(10)
    with pytest.raises(Wait):
        desk.follow(run)
    assert trading.ledger.book.get(order.intent.coid).state == "UNKNOWN"
    assert (trading.broker.sent, trading.alarms) == ([], ["AAPL"])
    trading.broker.lists(order, "Submitted")
    with pytest.raises(Wait) as raised:
        desk.follow(run)
    assert "WORKING" in raised.value.why


def test_a_copy_that_lost_its_step_sends_nothing(trading: Trading) -> None:
    run = trading.begin(signal("AAPL"))
    old = trading.order_desk()
    newer = trading.ledger.take_over(trading.fence)
    with pytest.raises(Wait):
        old.decide(run, "AAPL")
    assert trading.broker.sent == []
    assert trading.ledger.book.lines(run.run_id) == {}
    trading.order_desk(newer).decide(run, "AAPL")
    assert len(trading.broker.sent) == 1


def test_a_copy_that_lost_its_step_cannot_write_a_denial(trading: Trading) -> None:
    run = trading.begin(signal("AAPL", "HOLD"))
    old = trading.order_desk()
    trading.ledger.take_over(trading.fence)
    with pytest.raises(LeaseLost):
        old.decide(run, "AAPL")
    assert trading.ledger.book.lines(run.run_id) == {}


def test_a_run_that_was_cancelled_sends_nothing(trading: Trading) -> None:
    run = trading.begin(signal("AAPL"))
    trading.ledger.runs.cancel(run.run_id)
    with pytest.raises(RunIsOver):
        trading.order_desk().decide(run, "AAPL")
    assert trading.broker.sent == []


def test_a_run_whose_account_was_changed_follows_no_order_of_the_former_one(
    trading: Trading, ledger: Ledger, clock: ManualClock
) -> None:
    """The lists that can be read are another account's: what is not in them proves nothing."""
    run = trading.begin(signal("AAPL"))
    trading.order_desk().decide(run, "AAPL")
    reads = list(trading.broker.reads)
    ledger.book.account_id = "DU7654321"
    with pytest.raises(StepError, match="account was changed"):
        trading.order_desk().follow(run)
    assert trading.broker.reads == reads
    assert [order.state for order in ledger.book.of_run(run.run_id)] == ["WORKING"]


def test_an_order_whose_session_the_broker_denies_at_the_last_moment_is_not_sent(
    trading: Trading,
) -> None:
    run = trading.begin(signal("AAPL"))
    trading.hours_disagreement = "the broker's trading schedule for AAPL disagrees"
    trading.order_desk().decide(run, "AAPL")
    assert trading.broker.sent == []
    line = report(trading, run)
    assert (line.outcome, line.reason) == (
        "denied", "SESSION: the broker's trading schedule for AAPL disagrees",
    )  # fmt: skip


def test_an_order_of_a_run_that_knows_no_session_is_not_sent(trading: Trading) -> None:
    run = trading.begin(signal("AAPL"), session=None)
    trading.order_desk().decide(run, "AAPL")
    assert trading.broker.sent == []
    assert report(trading, run).reason == "SESSION: the run knows no session"


def test_a_sale_whose_shares_went_to_another_is_denied_with_the_reason(
    trading: Trading, ledger: Ledger
) -> None:
    ledger.own(30)
    run = trading.begin(signal("AAPL", "SELL"))
    desk = trading.order_desk()
    other = ledger.begin_run()
    quotes = trading.broker.quotes

    def sold_meanwhile(contracts: Any) -> Any:
        """Between the count and the writing down, another run sells the same shares."""
        found = quotes(contracts)
        count = ledger.book.owned

        def counted_then_sold(strategy_id: int, symbol: str) -> Decimal:
            owned = count(strategy_id, symbol)
            ledger.book.owned = count  # type: ignore[method-assign]
            ledger.intend(other, held=ledger.held_now(), side="SELL", quantity=30)
            return owned

        ledger.book.owned = counted_then_sold  # type: ignore[method-assign]
        return found

    trading.broker.quotes = sold_meanwhile  # type: ignore[method-assign]
    desk.decide(run, "AAPL")
    line = report(trading, run)
    assert line.outcome == "denied"
    assert "only 0 shares" in line.reason
    assert trading.broker.sent == []


def test_a_run_whose_mode_is_no_longer_configured_sends_nothing(trading: Trading) -> None:
    run = trading.begin(signal("AAPL"))
    trading.configured_mode = "dry"
    trading.order_desk().decide(run, "AAPL")
    assert trading.broker.sent == []
    assert report(trading, run).checks_failed == ("MODE",)


def test_a_conversation_that_was_lost_while_reading_writes_no_order_down(
    trading: Trading, clock: ManualClock
) -> None:
    run = trading.begin(signal("AAPL"))
    put = trading.store.put_json

    def slow(value: Any) -> str:
        clock.advance(31)
        return put(value)

    trading.store.put_json = slow  # type: ignore[method-assign]
    with pytest.raises(Wait):
        trading.order_desk().decide(run, "AAPL")
    assert trading.broker.sent == []
    assert list(trading.ledger.book.of_run(run.run_id)) == []


def test_an_order_over_in_the_journal_and_alive_at_the_broker_blocks_its_symbol(
    trading: Trading,
) -> None:
    first = trading.begin(signal("AAPL"))
    trading.broker.answers = [SendResult(kind="refused", text="Order not confirmed")]
    trading.order_desk().decide(first, "AAPL")
    order = only_order(trading, first)
    assert order.state == "REJECTED"
    trading.broker.lists(order, "Submitted", quantity=Decimal(38), remaining_quantity=Decimal(38))
    second = trading.begin(signal("AAPL"))
    trading.order_desk().decide(second, "AAPL")
    assert "BLOCKED" in report(trading, second).checks_failed
    assert len(trading.broker.sent) == 1
