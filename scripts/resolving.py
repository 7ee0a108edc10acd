"""What a person says of an order of unknown fate, read strictly and booked once."""

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, get_args

from scripts.show.words import flat
from worker.errors import ConfigurationError, Refused
from worker.journal.resolving import Found, Statement
from worker.orders.conversation import LEASE

if TYPE_CHECKING:
    from worker.models.order import OrderRecord
    from worker.runtime import Services

LONGEST_NAME, LONGEST_REASON = 80, 500
FOUND: tuple[Found, ...] = get_args(Found)


def read_statement(
    found: str, by: str, reason: str, quantity: int | None, price: str | None
) -> Statement:
    """Raises ConfigurationError where it is not said in full."""
    word = next((each for each in FOUND if each == found), None)
    if word is None:
        raise ConfigurationError(f"--as {found!r} is none of {', '.join(FOUND)}")
    named = {
        "by": _text("--by", by, LONGEST_NAME),
        "reason": _text("--reason", reason, LONGEST_REASON),
    }
    if word != "filled":
        if quantity is not None or price is not None:
            raise ConfigurationError(
                f"--quantity and --price are for --as filled, not for --as {word}; what filled "
                "before the rest was cancelled is filled"
            )
        return Statement(found=word, **named)
    if quantity is None or price is None:
        raise ConfigurationError(
            "--as filled needs --quantity, the shares that filled, and --price, their average price"
        )
    return Statement(found=word, quantity=Decimal(quantity), price=_price(price), **named)


def resolve_order(s: "Services", order: "OrderRecord", statement: Statement) -> "OrderRecord":
    """Book it; the symbol is free again, and a person would be alerted anew. Raises Refused."""
    _require_no_sender(s, order)
    settled = s.orders.resolve(order.intent.coid, statement)
    s.forget(f"unknown:{order.intent.coid}")
    return settled


def _require_no_sender(s: "Services", order: "OrderRecord") -> None:
    """Whoever sent it may still hear what became of it."""
    if order.send_by is None:
        return
    left = order.send_by + LEASE - s.clock.wall_now()
    if left > timedelta():
        raise Refused(
            f"the answer to order {order.intent.coid} may still come; ask again in "
            f"{int(left.total_seconds()) + 1} s"
        )


def _text(name: str, given: str, longest: int) -> str:
    text = flat(given)
    if not text or len(text) > longest:
        raise ConfigurationError(f"{name} is to have 1 to {longest} characters")
    return text


def _price(given: str) -> Decimal:
    try:
        price = Decimal(given)
    except InvalidOperation:
        price = Decimal(0)
    if not price.is_finite() or price <= 0:
        raise ConfigurationError(f"--price {given!r} is no price; write one such as 130.01")
    return price
