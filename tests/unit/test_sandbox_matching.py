"""What becomes of working orders, second by second: a pure function of order, market and time."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from scripts.sandbox.market import Market
from scripts.sandbox.matching import EXPIRED, IMMEDIATE, SHARES_A_SECOND, commission, work
from scripts.sandbox.prices import Day
from scripts.sandbox.records import ZERO, Order, Status
from scripts.sandbox.sessions import Session, Sessions

OPENS = datetime(2013, 2, 27, 14, 30, tzinfo=UTC)
CLOSES = datetime(2013, 2, 27, 21, 0, tzinfo=UTC)
NEXT_OPENS = datetime(2013, 2, 28, 14, 30, tzinfo=UTC)
NOON = datetime(2013, 2, 27, 17, 0, tzinfo=UTC)


def market() -> Market:
    """Two days on which the price never leaves 100.00."""
    days = [date(2013, 2, 27), date(2013, 2, 28)]
    sessions = Sessions(
        tuple(
            Session(day, OPENS + timedelta(days=n), CLOSES + timedelta(days=n))
            for n, day in enumerate(days)
        )
    )
    return Market(
        sessions, {"AAPL": {day: Day(day, 10_000, 10_000, 10_000, 10_000, 1) for day in days}}
    )


def order(**changes: Any) -> Order:
    values: dict[str, Any] = dict(
        order_id=7, coid="c", conid=265598, symbol="AAPL", side="BUY", order_type="LMT",
        quantity=Decimal(500), limit_price=Decimal("101.00"), tif="DAY",
        status=Status.PENDING_SUBMIT, filled=ZERO, value=ZERO, commission=ZERO, reason=None,
        accepted_at=NOON, changed_at=NOON, filled_at=None, expires_at=CLOSES,
    )  # fmt: skip
    return Order(**(values | changes))


def after(seconds: float, wanted: Order, since: datetime = NOON) -> Order:
    return work(wanted, since, since + timedelta(seconds=seconds), market()).order


def test_a_large_order_fills_in_parts_one_each_second() -> None:
    outcome = work(order(), NOON, NOON + timedelta(seconds=5), market())
    assert [fill.quantity for fill in outcome.fills] == [SHARES_A_SECOND, SHARES_A_SECOND, 100]
    assert [(fill.time - NOON).total_seconds() for fill in outcome.fills] == [1, 2, 3]
    assert sum(fill.commission for fill in outcome.fills) == commission(Decimal(500))
    assert len({fill.execution_id for fill in outcome.fills}) == 3
    done = outcome.order
    assert (done.status, done.filled, done.remaining) == (Status.FILLED, Decimal(500), ZERO)


@pytest.mark.parametrize("stops", [0.5, 1.0, 1.7, 2.0, 3.1])
def test_catching_up_after_a_stop_gives_what_would_have_been(stops: float) -> None:
    at_once = work(order(), NOON, NOON + timedelta(seconds=5), market())
    middle = NOON + timedelta(seconds=stops)
    first = work(order(), NOON, middle, market())
    # A sandbox that was down begins again at the order's last change.
    second = work(first.order, first.order.changed_at, NOON + timedelta(seconds=5), market())
    assert second.order == at_once.order
    assert first.fills + second.fills == at_once.fills


def test_partly_filled_is_submitted_with_something_filled() -> None:
    half = after(1, order())
    assert (half.status, half.filled) == (Status.SUBMITTED, SHARES_A_SECOND)


def test_buyer_pays_the_ask_and_seller_gets_the_bid() -> None:
    (bought,) = work(order(quantity=Decimal(1)), NOON, NOON + timedelta(seconds=1), market()).fills
    selling = order(side="SELL", order_type="MKT", limit_price=None, quantity=Decimal(1))
    (sold,) = work(selling, NOON, NOON + timedelta(seconds=1), market()).fills
    tick = market().tick("AAPL", NOON + timedelta(seconds=1))
    assert tick is not None
    assert (bought.price, sold.price) == (tick.ask, tick.bid)


@pytest.mark.parametrize(("side", "limit"), [("BUY", "99.00"), ("SELL", "101.00")])
def test_a_limit_out_of_reach_rests_and_expires_at_the_close(side: str, limit: str) -> None:
    resting = order(side=side, limit_price=Decimal(limit))
    assert after(60, resting).status is Status.SUBMITTED
    done = work(resting, NOON, CLOSES, market()).order
    assert (done.status, done.filled, done.reason) == (Status.CANCELLED, ZERO, EXPIRED)
    assert done.changed_at == CLOSES


def test_good_till_cancelled_outlives_the_close_and_trades_the_next_day() -> None:
    resting = order(tif="GTC", expires_at=None, quantity=Decimal(10))
    evening = CLOSES + timedelta(minutes=5)
    night = work(resting, evening, evening + timedelta(seconds=5), market()).order
    assert night.status is Status.PRE_SUBMITTED
    morning = work(resting, evening, NEXT_OPENS + timedelta(seconds=1), market())
    assert morning.order.status is Status.FILLED
    assert morning.fills[0].time == NEXT_OPENS


def test_before_the_open_an_order_waits_as_presubmitted() -> None:
    early = OPENS - timedelta(minutes=5)
    waiting = order(status=Status.PRE_SUBMITTED, changed_at=early)
    assert after(60, waiting, since=early) == waiting


def test_immediate_or_cancel_takes_what_there_is_at_once() -> None:
    done = after(5, order(tif="IOC"))
    assert (done.status, done.filled, done.reason) == (
        Status.CANCELLED,
        SHARES_A_SECOND,
        IMMEDIATE,
    )


def test_a_cancellation_takes_a_second_and_loses_the_race_against_a_fill() -> None:
    resting = order(status=Status.PENDING_CANCEL, limit_price=Decimal("99.00"))
    assert after(0.5, resting).status is Status.PENDING_CANCEL
    assert after(1, resting).status is Status.CANCELLED
    racing = order(status=Status.PENDING_CANCEL, quantity=Decimal(100))
    assert after(1, racing).status is Status.FILLED
    partly = after(1, order(status=Status.PENDING_CANCEL))
    assert (partly.status, partly.filled) == (Status.CANCELLED, SHARES_A_SECOND)


def test_outside_the_session_a_cancellation_is_carried_out() -> None:
    evening = CLOSES + timedelta(minutes=5)
    asked = order(status=Status.PENDING_CANCEL, tif="GTC", expires_at=None)
    assert after(1, asked, since=evening).status is Status.CANCELLED


def test_a_quiet_market_and_an_inactive_order_do_not_trade() -> None:
    quiet = work(order(), NOON, NOON + timedelta(seconds=5), market(), quiet=True)
    assert (quiet.order.status, quiet.fills) == (Status.SUBMITTED, ())
    inactive = order(status=Status.INACTIVE)
    assert after(5, inactive) == inactive


def test_after_the_last_known_session_an_order_rests_for_good() -> None:
    forever = order(tif="GTC", expires_at=None, limit_price=Decimal("99.00"))
    late = CLOSES + timedelta(days=400)
    assert work(forever, late, late + timedelta(days=9), market()).order.status is (
        Status.PRE_SUBMITTED
    )


@pytest.mark.parametrize(
    ("shares", "charged"), [("0", "0"), ("1", "1.00"), ("200", "1.00"), ("501", "2.51")]
)
def test_commission_is_half_a_cent_a_share_and_a_dollar_at_least(shares: str, charged: str) -> None:
    assert commission(Decimal(shares)) == Decimal(charged)
