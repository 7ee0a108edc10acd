"""Orders and fills as the gateway lists them: without the fills that a drill lists late.

Nothing else is late: cash, positions and the book have them at once.
"""

from dataclasses import replace
from datetime import timedelta

from scripts.sandbox.faults.fate import Decided
from scripts.sandbox.records import ZERO, Fill, Order, Status
from scripts.sandbox.sandbox import Sandbox


def listed_orders(sandbox: Sandbox, orders: list[Order]) -> list[Order]:
    held_back = _held_back(sandbox, {order.order_id for order in orders})
    return [_without(order, held_back.get(order.order_id, [])) for order in orders]


def listed_fills(sandbox: Sandbox, fills: list[Fill]) -> list[Fill]:
    held_back = _held_back(sandbox, {fill.order_id for fill in fills})
    late = {fill.execution_id for held in held_back.values() for fill in held}
    return [fill for fill in fills if fill.execution_id not in late]


def _held_back(sandbox: Sandbox, order_ids: set[int]) -> dict[int, list[Fill]]:
    """By order. A fault has fired on an order once a fill of it was kept from a list."""
    held: dict[int, list[Fill]] = {}
    for order_id, fate in sandbox.book.fates(order_ids).items():
        late = fate.late()
        found = _late(sandbox, order_id, late[1]) if late else []
        if late and found:
            held[order_id] = found
            _fire_once(sandbox, late[0], order_id)
    return held


def _late(sandbox: Sandbox, order_id: int, delay: timedelta) -> list[Fill]:
    fills = sandbox.book.fills_of(order_id)
    return [fill for fill in fills if fill.time > sandbox.now - delay]


def _fire_once(sandbox: Sandbox, late: Decided, order_id: int) -> None:
    notes = sandbox.book.notes
    if not notes.has_fired(late.fault_id, order_id):
        notes.fire(late.fault_id, late.wish.kind, order_id)


def _without(order: Order, late: list[Fill]) -> Order:
    if not late:
        return order
    quantity = sum((fill.quantity for fill in late), ZERO)
    value = sum((fill.quantity * fill.price for fill in late), ZERO)
    charged = sum((fill.commission for fill in late), ZERO)
    return replace(
        order,
        status=Status.SUBMITTED if order.status is Status.FILLED else order.status,
        filled=order.filled - quantity,
        value=order.value - value,
        commission=order.commission - charged,
        changed_at=order.accepted_at,
    )
