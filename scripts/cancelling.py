"""How a person's wish to cancel a run or an order is carried out, and what is said of it."""

from typing import TYPE_CHECKING

from scripts.console import openbell
from worker.clock import monotonic
from worker.errors import ConfigurationError, OpenbellError, Refused, TemporaryError
from worker.models.base import Value

if TYPE_CHECKING:
    from worker.journal.runs import RunRow
    from worker.models.order import OrderRecord
    from worker.runtime import Services

WHY = "a person asked to cancel it"
UNSENT = "a person cancelled it before it was sent"
# Longer than a conversation may last: a cancel goes before every order and preview.
PATIENCE_SECONDS, PAUSE_SECONDS = 45.0, 1.0


class Cancelled(Value):
    """What became of the wish to cancel an order. `asked`: the broker was asked, now or before."""

    coid: str
    symbol: str
    state: str
    asked: bool
    sentence: str


class RunCancelled(Value):
    """What became of the wish to cancel a run. `orders` that are open stay, or were asked to be
    cancelled; `refused` says of which that could not be done, and why."""

    run_id: str
    status: str
    outcome: str | None
    sentence: str
    orders: tuple[Cancelled, ...] = ()
    refused: tuple[str, ...] = ()


def cancel_order(s: "Services", order: "OrderRecord") -> Cancelled:
    """Deny an order that was not sent, or ask the broker once. Raises Refused where there is
    nothing to cancel, or nothing to cancel it by, and TemporaryError where the answer is not
    known."""
    _require_ours(s, order)
    coid = order.intent.coid
    if order.state == "INTENDED":
        if not s.orders.deny(coid, UNSENT):
            return cancel_order(s, s.orders.get(coid))
        return _told(s, order, asked=False, what="was not sent, and will not be")
    _require_cancellable(order)
    if not s.may_ask_to_cancel(order):
        return _told(s, order, asked=True, what="was asked to be cancelled a moment ago")
    _ask(s, order)
    return _told(s, order, asked=True, what="is asked to be cancelled")


def cancel_run(s: "Services", row: "RunRow", *, with_orders: bool) -> RunCancelled:
    """Set the flag that the steps read, have a waiting run end now, and deal with its orders.
    Raises Refused where the run is over otherwise than by a cancel."""
    stopped = s.runs.cancel(row.run_id)
    how = _how_it_ends(s, row.run_id) if stopped else _was_over(s.runs.get(row.run_id))
    done, refused = [], []
    for order in (order for order in s.orders.of_run(row.run_id) if not order.done):
        if not with_orders:
            done.append(_stays(order))
            continue
        try:
            done.append(cancel_order(s, order))
        except OpenbellError as error:
            refused.append(error.sentence)
    now = s.runs.get(row.run_id)
    return RunCancelled(
        run_id=now.run_id, status=now.status, outcome=now.outcome,
        sentence=f"run {now.run_id} {how}", orders=tuple(done), refused=tuple(refused),
    )  # fmt: skip


def _require_ours(s: "Services", order: "OrderRecord") -> None:
    coid = order.intent.coid
    if order.done:
        raise Refused(f"order {coid} is {order.state} already; there is nothing to cancel")
    if order.intent.account_id != s.account_id:
        raise ConfigurationError(
            f"order {coid} is of another account than the configured one; set ibkr.account_id to "
            "it first"
        )


def _require_cancellable(order: "OrderRecord") -> None:
    coid = order.intent.coid
    if order.state == "SENDING":
        raise Refused(f"order {coid} is being sent right now; ask again in a minute")
    if order.broker_order_id is None:
        raise Refused(
            f"what became of order {coid} is not known, and the broker's id of it neither: look "
            "for the client order id at the broker and cancel it there, then say what you found "
            f"with `{openbell()} orders resolve {coid} --as cancelled --by NAME --reason TEXT`"
        )


def _ask(s: "Services", order: "OrderRecord") -> None:
    from worker.orders.conversation import Busy

    end = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            s.cancel_order(order, WHY)
            return
        except Busy as busy:
            if monotonic() > end:
                raise Refused(
                    f"{busy} for {PATIENCE_SECONDS:.0f} s; nothing was asked: try again"
                ) from None
            s.clock.sleep(PAUSE_SECONDS)  # asking again keeps the place in the queue
        except TemporaryError as error:
            raise TemporaryError(
                f"order {order.intent.coid} may have been asked to be cancelled: {error.sentence}; "
                f"see what comes of it in `{openbell()} orders list --open` before asking again"
            ) from None


def _told(s: "Services", order: "OrderRecord", *, asked: bool, what: str) -> Cancelled:
    intent = order.intent
    what = f"{intent.side} {intent.quantity} {intent.symbol}, {intent.coid}, {what}"
    if asked:
        what += f"; what comes of it is in `{openbell()} orders list` within a minute"
    state = s.orders.get(intent.coid).state
    return Cancelled(
        coid=intent.coid, symbol=intent.symbol, state=state, asked=asked, sentence=what
    )


def _stays(order: "OrderRecord") -> Cancelled:
    intent = order.intent
    return Cancelled(
        coid=intent.coid, symbol=intent.symbol, state=order.state, asked=False,
        sentence=f"{intent.side} {intent.quantity} {intent.symbol} is {order.state} and stays; "
        f"cancel it with `{openbell()} orders cancel {intent.coid}`",
    )  # fmt: skip


def _was_over(row: "RunRow") -> str:
    if row.outcome != "cancelled":
        raise Refused(
            f"run {row.run_id} is over already ({row.outcome}); what is still open of it is in "
            f"`{openbell()} orders list --open --run {row.run_id}`, and `{openbell()} orders "
            "cancel` cancels one"
        )
    return "was cancelled already"


def _how_it_ends(s: "Services", run_id: str) -> str:
    import worker.celery  # noqa: F401 - the application whose tasks are published
    from tasks.recover_runs import end_cancelled

    if s.runs.get(run_id).is_over:
        return "is cancelled; it had not been started"
    try:
        ends_now = end_cancelled(s, run_id)
    except TemporaryError as error:
        return f"is cancelled, and ends as soon as Redis is there again: {error.sentence}"
    return "is cancelled, and ends now" if ends_now else "is cancelled, and stops at its next step"
