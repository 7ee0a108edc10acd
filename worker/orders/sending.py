"""Sending an order that is written down: once, whatever happens.

INTENDED -> SENDING is committed before the first byte, by one caller alone. From then on only the
broker's own words decide: accepted, refused, or, for everything else, UNKNOWN.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog

from worker.checkpoints import Reach
from worker.clock import Clock
from worker.errors import LeaseLost, OpenbellError
from worker.fencing import Fence, Held
from worker.models.order import OrderRecord, OrderState, SendResult
from worker.orders.ports import Alarm, Book, Trader

SEND_WITHIN = timedelta(seconds=5)
OUTCOMES: dict[str, OrderState] = {
    "accepted": "WORKING",
    "refused": "REJECTED",
    "not_sent": "DENIED",
    "registered": "UNKNOWN",
    "unknown": "UNKNOWN",
}
log = structlog.get_logger(__name__)


class Sending:
    def __init__(
        self, book: Book, trader: Trader, clock: Clock, alarm: Alarm, reach: Reach
    ) -> None:
        self._book, self._trader, self._clock, self._alarm = book, trader, clock, alarm
        self._reach = reach

    def send(
        self, fence: Fence, lock: Held, order: OrderRecord, last_look: Callable[[], str | None]
    ) -> None:
        """Send an INTENDED order in a conversation that is held. `last_look` says, right before,
        why it must not go out any more. Raises LeaseLost, with nothing sent, where the step or the
        conversation is another's by now."""
        coid = order.intent.coid
        self._reach("connect:before")
        try:
            connection = self._trader.open()
        except OpenbellError as error:
            self._book.deny(coid, error.sentence)
            return
        self._reach("connect:after")
        try:
            why = _looked(last_look)
            if why is not None:
                self._book.deny(coid, why)
                return
            begin = self._book.begin_send(fence, lock, coid, SEND_WITHIN, self._clock.market_now())
            if begin.kind == "denied":
                self._book.deny(coid, begin.why)
                return
            send_by = begin.send_by
            if begin.kind == "not_ours" or send_by is None:
                raise LeaseLost(begin.why)
            result = connection.send(
                order.intent,
                lambda: self._clock.wall_now() <= send_by,
                lambda: self._clock.wall_now() < lock.lease_until,
            )
        finally:
            connection.close()
        self._reach("answer:after")
        self._record(order, result)

    def _record(self, order: OrderRecord, result: SendResult) -> None:
        state = OUTCOMES[result.kind]
        coid, cause = order.intent.coid, f"{result.kind}: {result.text}".rstrip(": ")
        changes: dict[str, Any] = {"reasons": [] if state == "WORKING" else [cause]}
        if state == "WORKING":
            changes |= {
                "broker_order_id": result.broker_order_id,
                "acknowledged_at": self._clock.market_now(),
            }
        self._reach("event:before")
        # A slow answer may find that the order was given up as UNKNOWN meanwhile: it settles it.
        done = self._book.settle(coid, "SENDING", state, cause, **changes)
        if not done and state != "UNKNOWN":
            self._book.settle(coid, "UNKNOWN", state, cause, **changes)
        self._reach("event:after")
        if done and state == "UNKNOWN":
            self._alarm(order, cause)
        log.info("order_sent", coid=coid, result=result.kind, questions=result.questions)


def _looked(last_look: Callable[[], str | None]) -> str | None:
    """A look that fails is a no."""
    try:
        return last_look()
    except OpenbellError as error:
        return error.sentence
