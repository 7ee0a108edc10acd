"""The book of orders: written down before a byte goes out, sent once, settled by evidence."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.ledger import (
    ACCOUNT,
    CLOSES_AT,
    NOT_AFTER,
    Ledger,
    at_once,
)
from tests.support.values import OPEN
from worker.errors import LeaseLost, Refused, RunIsOver
from worker.fencing import Fence, Held, conversation_of
from worker.journal.orders import OrderBook
from worker.models.decision import OrderLine
from worker.models.order import Begin, OrderRecord, client_order_id

WITHIN = timedelta(seconds=5)
SEND_BY = OPEN + WITHIN
HELD = OrderLine(symbol="AAPL", outcome="held", reason="the signal is to hold")


def states(ledger: Ledger, order: OrderRecord) -> list[str]:
    return [event["state"] for event in ledger.book.events(order.intent.coid)]


# Decisions


def test_a_decision_is_made_once(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    other = HELD.evolve(reason="another reason")
    assert ledger.book.decide(fence, "AAPL", "entry", HELD)
    assert not ledger.book.decide(fence, "AAPL", "entry", other)
    assert ledger.book.lines(fence.run_id) == {"AAPL": HELD}


def test_of_twenty_deciders_at_once_one_decides(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    lines = [HELD.evolve(reason=str(number)) for number in range(20)]
    made = at_once(20, lambda number: ledger.book.decide(fence, "AAPL", "entry", lines[number]))
    assert made.count(True) == 1
    assert ledger.book.lines(fence.run_id) == {"AAPL": lines[made.index(True)]}


def test_decisions_of_other_symbols_and_runs_are_their_own(ledger: Ledger) -> None:
    first, second = ledger.begin_run(), ledger.begin_run()
    msft = HELD.evolve(symbol="MSFT")
    assert ledger.book.decide(first, "AAPL", "entry", HELD)
    assert ledger.book.decide(first, "MSFT", "entry", msft)
    assert ledger.book.decide(second, "AAPL", "entry", HELD)
    assert ledger.book.lines(first.run_id) == {"AAPL": HELD, "MSFT": msft}


# Writing an order down


def test_an_order_is_written_down_with_its_decision_and_event(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    order = ledger.intend(fence)
    assert order == OrderRecord(
        intent=ledger.intent(fence), state="INTENDED", session_closes_at=CLOSES_AT,
        created_at=OPEN, updated_at=OPEN,
    )  # fmt: skip
    assert order.intent.coid == client_order_id(fence.run_id, "AAPL", "entry")
    assert ledger.book.lines(fence.run_id)["AAPL"].coid == order.intent.coid
    assert states(ledger, order) == ["INTENDED"]
    assert ledger.book.find(order.intent.coid) == order
    assert ledger.book.of_run(fence.run_id) == [order]
    assert ledger.book.find("ob-unknown") is None


def test_an_order_is_written_down_once(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    order = ledger.intend(fence)
    with pytest.raises(Refused, match="decided already"):
        ledger.intend(fence, quantity=99)
    assert ledger.book.of_run(fence.run_id) == [order]
    assert states(ledger, order) == ["INTENDED"]


def test_a_symbol_that_is_decided_gets_no_order(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    ledger.book.decide(fence, "AAPL", "entry", HELD)
    with pytest.raises(Refused):
        ledger.intend(fence)
    assert ledger.book.of_run(fence.run_id) == []


def test_of_twenty_at_once_one_writes_the_order_down(ledger: Ledger) -> None:
    fence, held = ledger.begin_run(), ledger.hold()

    def intend(_: int) -> bool:
        try:
            ledger.intend(fence, held=held)
        except Refused:
            return False
        return True

    assert at_once(20, intend).count(True) == 1
    assert len(ledger.book.of_run(fence.run_id)) == 1


def cancelled(ledger: Ledger, fence: Fence) -> Fence:
    assert ledger.runs.cancel(fence.run_id)
    return fence


def closed(ledger: Ledger, fence: Fence) -> Fence:
    assert ledger.runs.close(fence.run_id, "done", None)
    return fence


def ending(ledger: Ledger, fence: Fence) -> Fence:
    assert ledger.steps.fail(fence.run_id, 7, 1, "broken")
    assert ledger.runs.mark_ending(fence.run_id)
    return fence


def taken_over(ledger: Ledger, fence: Fence) -> Fence:
    ledger.take_over(fence)
    return fence


def waiting(ledger: Ledger, fence: Fence) -> Fence:
    assert ledger.steps.wait(fence.run_id, 7, 1, OPEN, "following")
    return fence


def unknown(ledger: Ledger, fence: Fence) -> Fence:
    return Fence("no such run", 7, 1)


def another_step(ledger: Ledger, fence: Fence) -> Fence:
    return Fence(fence.run_id, 6, 1)


LOST = [taken_over, waiting, another_step]
OVER = [cancelled, closed, ending, unknown]
Change = Callable[[Ledger, Fence], Fence]


@pytest.mark.parametrize("change", LOST)
def test_a_step_that_is_anothers_by_now_writes_nothing(ledger: Ledger, change: Change) -> None:
    real = ledger.begin_run()
    fence = change(ledger, real)
    with pytest.raises(LeaseLost):
        ledger.book.decide(fence, "AAPL", "entry", HELD)
    with pytest.raises(LeaseLost):
        ledger.book.intend(fence, ledger.hold(), ledger.intent(real), HELD, Decimal(0), CLOSES_AT)
    assert ledger.book.of_run(real.run_id) == []
    assert ledger.book.lines(real.run_id) == {}


@pytest.mark.parametrize("change", OVER)
def test_a_run_that_is_over_writes_nothing(ledger: Ledger, change: Change) -> None:
    real = ledger.begin_run()
    fence = change(ledger, real)
    with pytest.raises(RunIsOver):
        ledger.book.decide(fence, "AAPL", "entry", HELD)
    with pytest.raises(Refused):
        ledger.book.intend(fence, ledger.hold(), ledger.intent(real), HELD, Decimal(0), CLOSES_AT)
    assert ledger.book.of_run(real.run_id) == []


def test_without_the_conversation_nothing_is_written_down(
    ledger: Ledger, clock: ManualClock
) -> None:
    """What was read for the decision may be old: another conversation went on meanwhile."""
    fence = ledger.begin_run()
    intent = ledger.intent(fence)
    released = ledger.hold("first")
    ledger.locks.release(released)
    expired = ledger.hold("second")
    clock.advance(30.001)
    for lock in (released, expired):
        with pytest.raises(LeaseLost):
            ledger.book.intend(fence, lock, intent, HELD, Decimal(0), CLOSES_AT)
    assert ledger.book.of_run(fence.run_id) == []
    assert ledger.book.lines(fence.run_id) == {}


# Sales reserve their shares


def sell(ledger: Ledger, quantity: int, strategy_id: int = 1, position: int = 1000) -> bool:
    try:
        ledger.intend(ledger.begin_run(strategy_id), position, side="SELL", quantity=quantity)
    except Refused:
        return False
    return True


def test_a_sale_reserves_its_shares(ledger: Ledger) -> None:
    ledger.own(30)
    assert sell(ledger, 20)
    assert not sell(ledger, 11)
    assert sell(ledger, 10)
    assert not sell(ledger, 1)
    assert (ledger.book.selling("AAPL"), ledger.book.working(1, "AAPL")) == (30, -30)


def test_a_refused_sale_says_how_many_shares_are_free(ledger: Ledger) -> None:
    ledger.own(30)
    with pytest.raises(Refused) as raised:
        ledger.intend(ledger.begin_run(), side="SELL", quantity=31)
    assert raised.value.sentence == "only 30 shares of AAPL are free to sell"
    with pytest.raises(Refused) as raised:
        ledger.intend(ledger.begin_run(), -5, side="SELL", quantity=1)
    assert raised.value.sentence == "only 0 shares of AAPL are free to sell"


def test_what_another_strategy_bought_is_not_sold(ledger: Ledger) -> None:
    ledger.own(30, strategy_id=1)
    ledger.own(5, strategy_id=2)
    assert not sell(ledger, 6, strategy_id=2)
    assert sell(ledger, 5, strategy_id=2)


def test_what_the_account_does_not_hold_is_not_sold(ledger: Ledger) -> None:
    ledger.own(30, strategy_id=1)
    ledger.own(30, strategy_id=2)
    assert not sell(ledger, 30, position=29)
    assert sell(ledger, 30, position=40)
    assert not sell(ledger, 11, strategy_id=2, position=40)
    assert sell(ledger, 10, strategy_id=2, position=40)


def test_another_symbols_shares_are_another_matter(ledger: Ledger) -> None:
    ledger.own(30, symbol="MSFT")
    assert not sell(ledger, 1)


def test_what_is_not_filled_yet_is_not_owned(ledger: Ledger) -> None:
    ledger.order("WORKING", quantity=10)
    assert not sell(ledger, 1)


def test_a_sale_that_ended_frees_what_it_did_not_sell(ledger: Ledger) -> None:
    ledger.own(30)
    order = ledger.order("PARTIAL", side="SELL", quantity=20)  # 10 of them sold
    assert not sell(ledger, 11)
    assert ledger.book.settle(order.intent.coid, "PARTIAL", "CANCELLED", "a test")
    assert not sell(ledger, 21)
    assert sell(ledger, 20)


@pytest.mark.parametrize("state", ["INTENDED", "SENDING", "WORKING", "PARTIAL", "UNKNOWN"])
def test_every_open_sale_keeps_its_shares(ledger: Ledger, state: Any) -> None:
    ledger.own(10)
    ledger.order(state, side="SELL", quantity=10)
    assert not sell(ledger, 1)


@pytest.mark.parametrize("state", ["DENIED", "REJECTED", "CANCELLED", "EXPIRED"])
def test_every_ended_sale_gives_its_shares_back(ledger: Ledger, state: Any) -> None:
    ledger.own(10)
    ledger.order(state, side="SELL", quantity=10)
    assert sell(ledger, 10)


@pytest.mark.parametrize(("own", "position"), [(70, 1000), (1000, 70)])
def test_twenty_that_sell_at_once_never_sell_more_than_there_is(
    ledger: Ledger, own: int, position: int
) -> None:
    """Of one strategy, each from a run of its own."""
    ledger.own(own)
    fences, held = [ledger.begin_run() for _ in range(20)], ledger.hold()

    def sell_ten(number: int) -> bool:
        try:
            ledger.intend(fences[number], position, held, side="SELL", quantity=10)
        except Refused:
            return False
        return True

    assert at_once(20, sell_ten).count(True) == 7
    assert ledger.book.selling("AAPL") == 70


def test_strategies_that_sell_at_once_never_sell_more_than_the_account_holds(
    ledger: Ledger,
) -> None:
    for strategy_id in range(1, 5):
        ledger.own(50, strategy_id=strategy_id)
    fences = [ledger.begin_run(strategy_id=1 + number % 4) for number in range(20)]
    held = ledger.hold()

    def sell_ten(number: int) -> bool:
        try:
            ledger.intend(fences[number], 120, held, side="SELL", quantity=10)
        except Refused:
            return False
        return True

    assert at_once(20, sell_ten).count(True) == 12


# One sender


def begin(ledger: Ledger, order: OrderRecord, fence: Fence, held: Held, **changes: Any) -> Begin:
    given: dict[str, Any] = {"within": WITHIN, "now_market": OPEN} | changes
    return ledger.book.begin_send(
        fence, held, order.intent.coid, given["within"], given["now_market"]
    )


def test_the_one_that_may_send_writes_it_down_first(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    order = ledger.intend(fence)
    assert begin(ledger, order, fence, ledger.hold()) == Begin(kind="go", send_by=SEND_BY)
    found = ledger.book.get(order.intent.coid)
    assert (found.state, found.send_by) == ("SENDING", SEND_BY)
    assert states(ledger, order) == ["INTENDED", "SENDING"]


def test_an_order_decided_for_another_account_is_never_sent(
    ledger: Ledger, clock: ManualClock
) -> None:
    """The configured account was changed between the decision and the sending."""
    fence = ledger.begin_run()
    order = ledger.intend(fence)
    other = OrderBook(ledger.journal, clock, "DU7654321")
    found = other.begin_send(fence, ledger.hold(), order.intent.coid, WITHIN, OPEN)
    assert (found.kind, found.why) == ("denied", "it was decided for another account")
    assert states(ledger, order) == ["INTENDED"]


def test_another_accounts_conversation_is_none(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    others = ledger.locks.acquire(conversation_of("DU7654321"), "other", 2, timedelta(seconds=30))
    assert others is not None
    with pytest.raises(LeaseLost):
        ledger.intend(fence, held=others)
    order = ledger.intend(fence)
    assert begin(ledger, order, fence, others).kind == "not_ours"
    assert states(ledger, order) == ["INTENDED"]


def test_orders_of_another_account_are_counted_until_they_are_done(
    ledger: Ledger, clock: ManualClock
) -> None:
    other = OrderBook(ledger.journal, clock, "DU7654321")
    assert other.open_elsewhere() == 0
    order = ledger.order("WORKING")
    assert (other.open_elsewhere(), ledger.book.open_elsewhere()) == (1, 0)
    ledger.book.settle(order.intent.coid, "WORKING", "CANCELLED", "a test")
    assert other.open_elsewhere() == 0


def test_of_twenty_senders_at_once_one_may_send(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    order, held = ledger.intend(fence), ledger.hold()
    found = at_once(20, lambda _: begin(ledger, order, fence, held).kind)
    assert (found.count("go"), found.count("not_ours")) == (1, 19)
    assert states(ledger, order) == ["INTENDED", "SENDING"]


@pytest.mark.parametrize(
    "state",
    ["DENIED", "SENDING", "WORKING", "PARTIAL", "FILLED", "CANCELLED", "REJECTED", "EXPIRED",
     "UNKNOWN"],
)  # fmt: skip
def test_what_is_more_than_intended_is_never_sent(ledger: Ledger, state: Any) -> None:
    fence = ledger.begin_run()
    order = ledger.order(state, fence)
    found = begin(ledger, order, fence, ledger.hold())
    assert (found.kind, state in found.why) == ("not_ours", True)
    assert ledger.book.get(order.intent.coid) == order


@pytest.mark.parametrize("change", LOST)
def test_a_step_that_is_anothers_by_now_sends_nothing(ledger: Ledger, change: Change) -> None:
    real = ledger.begin_run()
    order = ledger.intend(real)
    fence = change(ledger, real)
    found = begin(ledger, order, fence, ledger.hold(), within=timedelta())
    assert found.kind == "not_ours"
    assert ledger.book.get(order.intent.coid).state == "INTENDED"


@pytest.mark.parametrize("change", OVER)
def test_a_run_that_is_over_sends_nothing(ledger: Ledger, change: Change) -> None:
    real = ledger.begin_run()
    order = ledger.intend(real)
    fence = change(ledger, real)
    assert begin(ledger, order, fence, ledger.hold()).kind == "denied"
    assert ledger.book.get(order.intent.coid).state == "INTENDED"


def test_the_copy_that_took_over_may_send(ledger: Ledger) -> None:
    fence = ledger.begin_run()
    order = ledger.intend(fence)
    newer = ledger.take_over(fence)
    assert begin(ledger, order, newer, ledger.hold()).kind == "go"


def test_without_the_conversation_nothing_is_sent(ledger: Ledger, clock: ManualClock) -> None:
    fence = ledger.begin_run()
    order, held = ledger.intend(fence), ledger.hold()
    past = held.lease_until + timedelta(microseconds=1) - clock.now
    assert begin(ledger, order, fence, held, within=past).kind == "not_ours"
    forged = Held(held.name, held.holder, held.token + 1, held.lease_until)
    assert begin(ledger, order, fence, forged).kind == "not_ours"
    ledger.locks.release(held)
    assert begin(ledger, order, fence, held).kind == "not_ours"
    another = ledger.hold("another")
    assert begin(ledger, order, fence, held).kind == "not_ours"
    assert ledger.book.get(order.intent.coid).state == "INTENDED"
    assert begin(ledger, order, fence, another).kind == "go"


def test_a_conversation_that_would_end_before_the_sending_is_none(
    ledger: Ledger, clock: ManualClock
) -> None:
    fence = ledger.begin_run()
    order, held = ledger.intend(fence), ledger.hold()
    clock.advance(25.001)
    late = clock.now + timedelta(seconds=5)
    assert begin(ledger, order, fence, held, send_by=late).kind == "not_ours"


@pytest.mark.parametrize(
    ("now", "kind"), [(NOT_AFTER, "go"), (NOT_AFTER + timedelta(microseconds=1), "denied")]
)
def test_a_late_order_is_not_sent(ledger: Ledger, now: Any, kind: str) -> None:
    fence = ledger.begin_run()
    order = ledger.intend(fence)
    assert begin(ledger, order, fence, ledger.hold(), now_market=now).kind == kind


def test_an_order_without_a_window_is_not_sent(ledger: Ledger) -> None:
    fence = ledger.begin_run(not_after=None)
    order = ledger.intend(fence)
    assert begin(ledger, order, fence, ledger.hold()).kind == "denied"


@pytest.mark.parametrize("scope", ["global", f"account:{ACCOUNT}", "strategy:1"])
@pytest.mark.parametrize(
    ("state", "buy", "sell_"),
    [
        ("ACTIVE", "go", "go"), ("REDUCING", "denied", "go"), ("HALTED", "denied", "denied"),
        ("PAUSED?", "denied", "denied"),
    ],
)  # fmt: skip
def test_the_trading_state_is_looked_at_last(
    ledger: Ledger, scope: str, state: str, buy: str, sell_: str
) -> None:
    ledger.own(10)
    ledger.set_state(scope, state)
    for side, expected in (("BUY", buy), ("SELL", sell_)):
        fence = ledger.begin_run()
        order, held = ledger.intend(fence, side=side), ledger.hold()
        assert begin(ledger, order, fence, held).kind == expected
        ledger.locks.release(held)


def test_the_state_of_others_is_theirs(ledger: Ledger) -> None:
    ledger.set_state("strategy:2", "HALTED")
    ledger.set_state("account:DU7654321", "HALTED")
    fence = ledger.begin_run()
    assert begin(ledger, ledger.intend(fence), fence, ledger.hold()).kind == "go"
