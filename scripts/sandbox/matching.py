"""What becomes of a working order, second by second of market time. No clock, no disk.

A function of the order, the market and a span of time, so a sandbox that was down catches up to
exactly what it would have done.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Decimal

from scripts.sandbox.faults.fate import FREE, Fate
from scripts.sandbox.market import Market, Tick
from scripts.sandbox.records import Fill, Order, Status

SHARES_A_SECOND = Decimal(200)
COMMISSION_A_SHARE = Decimal("0.005")
LEAST_COMMISSION = Decimal("1.00")
CENT = Decimal("0.01")
SECOND = timedelta(seconds=1)
INSTANT = timedelta(microseconds=1)
EXPIRED = "The order expired at the close of its session (sandbox)."
IMMEDIATE = (
    "What could not fill at once was cancelled: the order was immediate-or-cancel (sandbox)."
)


@dataclass(frozen=True)
class Outcome:
    order: Order
    fills: tuple[Fill, ...]


def work(
    order: Order,
    after: datetime,
    until: datetime,
    market: Market,
    quiet: bool = False,
    fate: Fate = FREE,
) -> Outcome:
    """The order's state at `until`, when `after` is the last second already looked at.

    For drills: when `quiet`, nobody trades, so the order rests; its `fate` says what else becomes
    of it.
    """
    fills: list[Fill] = []
    at = _whole(after) + SECOND
    while at <= until and not order.done:
        session = market.sessions.at(at)
        order = fate.ended(order, at)
        if order.done:
            break
        if order.expires_at and at >= order.expires_at:
            order = order.changed(at, status=Status.CANCELLED, reason=EXPIRED)
        elif session is None:
            order, at = _rest(order, at, market, fate)
        else:
            tick = None if quiet else market.tick(order.symbol, at)
            order = _trade(order, at, tick, fills, fate)
        at += SECOND
    return Outcome(order, tuple(fills))


def commission(shares: Decimal) -> Decimal:
    """For an order of which `shares` have filled, in whole cents."""
    if not shares:
        return Decimal(0)
    return max(LEAST_COMMISSION, (shares * COMMISSION_A_SHARE).quantize(CENT, ROUND_UP))


def marketable_at(order: Order, tick: Tick) -> Decimal | None:
    """The price the order can fill at now, if it can: the other side of the quote."""
    price = tick.ask if order.side == "BUY" else tick.bid
    if order.limit_price is None:
        return price
    reached = price <= order.limit_price if order.side == "BUY" else price >= order.limit_price
    return price if reached else None


def _rest(order: Order, at: datetime, market: Market, fate: Fate) -> tuple[Order, datetime]:
    """Outside the session: nothing trades, but a cancellation is carried out."""
    if order.status is Status.PENDING_CANCEL:
        return order.changed(at, status=Status.CANCELLED), at
    if order.status in (Status.PENDING_SUBMIT, Status.SUBMITTED):
        order = order.changed(at, status=Status.PRE_SUBMITTED)
    following = market.sessions.following(at)
    skip_to = following.opens - SECOND if following else datetime.max.replace(tzinfo=UTC) - SECOND
    ends_at = fate.ends_at(order)
    if ends_at:
        skip_to = min(skip_to, _whole(ends_at - INSTANT))  # the second before
    return order, max(at, skip_to)


def _trade(order: Order, at: datetime, tick: Tick | None, fills: list[Fill], fate: Fate) -> Order:
    if order.status is Status.INACTIVE:
        return order
    if order.status in (Status.PENDING_SUBMIT, Status.PRE_SUBMITTED):
        order = order.changed(at, status=Status.SUBMITTED)
    price = marketable_at(order, tick) if tick else None
    if price is None and fate.races(order):
        price = order.limit_price
    shares = fate.shares(order, at, SHARES_A_SECOND)
    if price is not None and shares:
        order, fill = _fill(order, at, price, shares)
        fills.append(fill)
    if order.done:
        return order
    if order.status is Status.PENDING_CANCEL:
        return order.changed(at, status=Status.CANCELLED)
    if order.tif == "IOC":
        return order.changed(at, status=Status.CANCELLED, reason=IMMEDIATE)
    return order


def _fill(order: Order, at: datetime, price: Decimal, quantity: Decimal) -> tuple[Order, Fill]:
    filled = order.filled + quantity
    charged = commission(filled)
    execution = f"0000e0d5.{order.order_id:08x}.{int(at.timestamp()):08x}.01"
    fill = Fill(
        execution, order.order_id, order.coid, order.conid, order.symbol, order.side,
        quantity, price, charged - order.commission, at,
    )  # fmt: skip
    status = Status.FILLED if filled == order.quantity else order.status
    value = order.value + price * quantity
    changed = order.changed(
        at, status=status, filled=filled, value=value, commission=charged, filled_at=at
    )
    return changed, fill


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
