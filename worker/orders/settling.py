"""What the broker's lists prove about an order. Pure: the same evidence, the same verdict."""

from datetime import datetime, timedelta
from decimal import Decimal

from worker.models.base import Value
from worker.models.order import BrokerOrder, OrderRecord, OrderState

EXPIRED = "its session is over, and the broker's lists and the position show nothing of it"
# The broker's lists may lag behind the bell.
AFTER_THE_BELL = timedelta(minutes=5)
# How long an order that the broker set aside may take to come back.
GRACE = timedelta(seconds=30)


class Verdict(Value):
    """The state that the evidence proves, and why."""

    state: OrderState
    cause: str
    broker_order_id: str | None = None
    reasons: tuple[str, ...] = ()


def find(order: OrderRecord, listed: tuple[BrokerOrder, ...]) -> BrokerOrder | None:
    """The order in the broker's list: by our own id, or by the broker's where ours is not shown."""
    for row in listed:
        if row.coid == order.intent.coid:
            return row
        if row.coid is None and order.broker_order_id == row.broker_order_id:
            return row
    return None


def may_be_over(order: OrderRecord, market_now: datetime) -> bool:
    """Is it open after its session, so that nothing more can become of it? All orders are good
    for their day only."""
    closes_at = order.session_closes_at
    if order.state not in ("WORKING", "PARTIAL", "UNKNOWN") or closes_at is None:
        return False
    return market_now >= closes_at + AFTER_THE_BELL


def contradicts(order: OrderRecord, listed: BrokerOrder) -> bool:
    """Does the broker show an order otherwise than a person settled it? What still lives does."""
    if listed.status == "Filled":
        return order.state != "FILLED"
    if listed.status == "Cancelled":
        return listed.filled_quantity not in (None, order.filled_quantity)
    return True


def verdict(order: OrderRecord, listed: BrokerOrder | None, now: datetime) -> Verdict | None:
    """None: nothing new is proved. Absence from a list proves nothing.

    `order.filled_quantity` counts the executions that the journal has: an order is done only when
    they are as many as the broker says, so that no fill is left behind.
    """
    filled, quantity = order.filled_quantity, Decimal(order.intent.quantity)
    if filled > quantity:
        return None  # one execution too many: a person must look
    if filled == quantity:
        return _changed(
            order, Verdict(state="FILLED", cause="every share's execution is known"), listed
        )
    if listed is None:
        # Executions without a listing still prove that the order lives.
        if filled > 0 and order.state == "UNKNOWN":
            return Verdict(
                state="PARTIAL",
                cause="executions were found",
                broker_order_id=order.broker_order_id,
            )
        return None
    if listed.filled_quantity == filled and _is_set_aside(order, listed, now):
        return _changed(order, _set_aside(order, listed), listed)
    if listed.filled_quantity == filled and listed.status == "Cancelled":
        return _changed(order, _ended(order, listed, now), listed)
    state: OrderState = "PARTIAL" if filled > 0 else "WORKING"
    found = Verdict(state=state, cause=f"the broker lists it as {listed.status or 'unnamed'}")
    return _changed(order, found, listed)


def _is_set_aside(order: OrderRecord, listed: BrokerOrder, now: datetime) -> bool:
    """The broker took it and put it aside; for a moment it may still come back."""
    known_since = order.acknowledged_at
    return listed.status == "Inactive" and known_since is not None and now >= known_since + GRACE


def _set_aside(order: OrderRecord, listed: BrokerOrder) -> Verdict:
    reason = listed.cancel_reason or "the broker set it aside (Inactive)"
    state: OrderState = "CANCELLED" if order.filled_quantity else "REJECTED"
    return Verdict(state=state, cause=reason, reasons=(reason,))


def _ended(order: OrderRecord, listed: BrokerOrder, now: datetime) -> Verdict:
    closed = order.session_closes_at is not None and now >= order.session_closes_at
    if closed and order.cancel_requested_at is None:
        return Verdict(
            state="EXPIRED",
            cause=listed.cancel_reason or "its session closed",
            reasons=("its session closed before it filled",),
        )
    asked = order.cancel_requested_at is not None
    asked_for = "; ".join(order.reasons) or "not filled in time"
    reason = listed.cancel_reason or (asked_for if asked else "cancelled at the broker")
    return Verdict(state="CANCELLED", cause=reason, reasons=(reason,))


def _changed(order: OrderRecord, found: Verdict, listed: BrokerOrder | None) -> Verdict | None:
    broker_order_id = order.broker_order_id or (listed.broker_order_id if listed else None)
    found = found.evolve(broker_order_id=broker_order_id)
    same = found.state == order.state and broker_order_id == order.broker_order_id
    return None if same else found
