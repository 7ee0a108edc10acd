"""The order conversation: submit, questions, replies, preview, cancel."""

import uuid
from decimal import Decimal

from scripts.sandbox.exchange import Refused
from scripts.sandbox.faults.kinds import Ask, Reply503Live
from scripts.sandbox.gateway.call import (
    UNAVAILABLE,
    Answer,
    Call,
    Endpoint,
    Needs,
    already_registered,
    bad_request,
    failed,
    whole_number,
)
from scripts.sandbox.gateway.tickets import read_ticket
from scripts.sandbox.matching import commission
from scripts.sandbox.questions import Asked, question_text, questions_for
from scripts.sandbox.records import Order, Ticket
from scripts.sandbox.sandbox import Sandbox
from scripts.sandbox.state import Pending

MOST_SUPPRESSED = 51


def submit(call: Call) -> Answer:
    ticket = read_ticket(call)
    if isinstance(ticket, Answer):
        return ticket
    sandbox = call.sandbox
    refused = _refused(sandbox, ticket)
    if refused:
        return refused
    for waiting in sandbox.inside.pending.values():
        waiting.superseded = True
    asked = _forced(sandbox, ticket) or _questions(sandbox, ticket)
    return _ask(sandbox, Pending(ticket, asked)) if asked else _accept(sandbox, ticket)


def reply(call: Call) -> Answer:
    """Confirms or drops the order a question is about. Each id is good for one reply."""
    confirmed = call.given("confirmed")
    if not isinstance(confirmed, bool):
        return failed("java.lang.Exception: confirmed must be true or false")
    reply_id, inside = call.params["reply"], call.sandbox.inside
    pending = inside.pending.pop(reply_id, None)
    if pending is None:
        return bad_reply(reply_id)
    if pending.superseded:
        return _superseded(call.sandbox, pending, confirmed)
    if not confirmed:
        return Answer({"error": "Order not confirmed "})
    lost = _lost(call.sandbox, pending.ticket)
    later = pending.rounds[1:]
    if later and not lost:
        return _ask(call.sandbox, Pending(pending.ticket, later, released=pending.released))
    answer = _accept(call.sandbox, pending.ticket)
    for ticket in pending.released:
        _accept(call.sandbox, ticket)
    return UNAVAILABLE if lost else answer


def bad_reply(reply_id: str) -> Answer:
    return Answer({"error": f"reply id not found: '{reply_id}'"}, 400)


def preview(call: Call) -> Answer:
    """What the order would cost and change; nothing is kept."""
    ticket = read_ticket(call)
    if isinstance(ticket, Answer):
        return ticket
    sandbox = call.sandbox
    refusal = sandbox.exchange.refusal(ticket, sandbox.now)
    price = ticket.limit_price or sandbox.market.price(ticket.symbol, sandbox.now)
    if price is None:
        return Answer({"error": refusal.text if refusal else "No data."})
    return Answer(_preview(sandbox, ticket, price, refusal))


def cancel(call: Call) -> Answer:
    given, sandbox = call.params["order"], call.sandbox
    if given == "-1":
        for order in sandbox.book.working():
            sandbox.cancel(order)
        return _requested(-1, -1)
    order_id = whole_number(given)
    found = sandbox.book.order(order_id) if order_id is not None else None
    if found is None or found.done:
        return bad_request(f"OrderID {given} doesn't exist")
    sandbox.cancel(found)
    return _requested(found.order_id, found.conid)


def suppress(call: Call) -> Answer:
    ids = call.given("messageIds")
    if not isinstance(ids, list) or not 0 < len(ids) <= MOST_SUPPRESSED:
        return failed("messageIds is not valid")
    call.sandbox.inside.suppressed = {str(message_id) for message_id in ids}
    return Answer({"status": "submitted"})


def reset_suppressed(call: Call) -> Answer:
    call.sandbox.inside.suppressed.clear()
    return Answer({"status": "submitted"})


def _refused(sandbox: Sandbox, ticket: Ticket) -> Answer | None:
    if sandbox.exchange.duplicate(ticket.coid, sandbox.now):
        return already_registered(ticket.coid, sandbox.switches.duplicate_status)
    refusal = sandbox.exchange.refusal(ticket, sandbox.now)
    return Answer({"error": refusal.text}) if refusal else None


def _asked(sandbox: Sandbox, ticket: Ticket) -> Asked:
    price = sandbox.market.price(ticket.symbol, sandbox.now)
    return Asked(ticket, price or ticket.limit_price or Decimal(1))


def _questions(sandbox: Sandbox, ticket: Ticket) -> list[list[str]]:
    switched_on = tuple(sandbox.switches.questions)
    asked = questions_for(_asked(sandbox, ticket), switched_on)
    return [[q.message_id] for q in asked if q.message_id not in sandbox.inside.suppressed]


def _forced(sandbox: Sandbox, ticket: Ticket) -> list[list[str]]:
    """For drills: questions that are asked whatever the order is like, suppressed ones too."""
    rounds: list[list[str]] = []
    for fault, wish in sandbox.order_faults(Ask, ticket):
        sandbox.fire(fault)
        rounds += wish.rounds
    return rounds


def _lost(sandbox: Sandbox, ticket: Ticket) -> bool:
    """For drills: the order goes live, and its sender is answered with 503."""
    faults = sandbox.order_faults(Reply503Live, ticket)
    for fault, _ in faults:
        sandbox.fire(fault)
    return bool(faults)


def _ask(sandbox: Sandbox, pending: Pending) -> Answer:
    reply_id = str(uuid.uuid4())
    sandbox.inside.pending[reply_id] = pending
    asked, message_ids = _asked(sandbox, pending.ticket), pending.rounds[0]
    texts = [question_text(message_id, asked) for message_id in message_ids]
    return Answer(
        [
            {
                "id": reply_id,
                "message": [f"{t}\nAre you sure you want to submit this order?" for t in texts],
                "isSuppressed": False,
                "messageIds": message_ids,
            }
        ]
    )


def _accept(sandbox: Sandbox, ticket: Ticket) -> Answer:
    # The market moved and others ordered while the question stood: look again.
    refused = _refused(sandbox, ticket)
    return refused or _accepted(sandbox.accept(ticket))


def _accepted(order: Order) -> Answer:
    row = {
        "order_id": str(order.order_id),
        "order_status": order.status.value,
        "encrypt_message": "1",
    }
    return Answer([row | ({"local_order_id": order.coid} if order.coid else {})])


def _superseded(sandbox: Sandbox, pending: Pending, confirmed: bool) -> Answer:
    """A later order came in between. Recorded on the wire: 503, and yet the order went live."""
    if confirmed and sandbox.switches.superseded_goes_live:
        for waiting in sandbox.inside.pending.values():
            if not waiting.superseded:
                waiting.released = (*waiting.released, pending.ticket)
    return UNAVAILABLE


def _requested(order_id: int, conid: int) -> Answer:
    text = "Request was submitted"
    return Answer({"msg": text, "order_id": order_id, "conid": conid, "account": None})


def _preview(
    sandbox: Sandbox, ticket: Ticket, price: Decimal, refusal: Refused | None
) -> dict[str, object]:
    worth = sandbox.worth()
    sign = 1 if ticket.side == "BUY" else -1
    amount, fee = price * ticket.quantity, commission(ticket.quantity)
    held = sandbox.book.position(ticket.symbol).quantity
    margin = worth.stock / 4
    return {
        "amount": {
            "amount": f"{amount:,.2f} USD ({ticket.quantity} Shares)",
            "commission": f"{fee:,.2f} USD",
            "total": f"{amount + sign * fee:,.2f} USD",
        },
        "equity": _change(worth.net, -fee),
        "initial": _change(margin, sign * amount / 4),
        "maintenance": _change(margin, sign * amount / 4),
        "position": _change(held, sign * ticket.quantity),
        "warn": None,
        "error": refusal.text if refusal else None,
    }


def _change(current: Decimal, change: Decimal) -> dict[str, str]:
    return {
        "current": f"{current:,.0f}",
        "change": f"{change:,.0f}",
        "after": f"{current + change:,.0f}",
    }


ACCOUNT = "/iserver/account/{account}"
ACCOUNT_ORDERS = f"{ACCOUNT}/orders"
ENDPOINTS = (
    Endpoint("POST", ACCOUNT_ORDERS, Needs.ACCOUNTS, submit, noted=True),
    Endpoint("POST", f"{ACCOUNT_ORDERS}/whatif", Needs.ACCOUNTS, preview, noted=True),
    Endpoint("DELETE", f"{ACCOUNT}/order/{{order}}", Needs.ACCOUNTS, cancel, noted=True),
    Endpoint("POST", "/iserver/reply/{reply}", Needs.ACCOUNTS, reply, noted=True),
    Endpoint("POST", "/iserver/questions/suppress", Needs.BROKERAGE, suppress),
    Endpoint("POST", "/iserver/questions/suppress/reset", Needs.BROKERAGE, reset_suppressed),
)
