"""The questions the broker asks before it takes an order: one row each, with its condition."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from scripts.sandbox.records import Ticket


@dataclass(frozen=True)
class Asked:
    """What a question's condition can look at: the ticket and a price to compare it with."""

    ticket: Ticket
    price: Decimal

    @property
    def text(self) -> str:
        t = self.ticket
        at = f"@ {t.limit_price}" if t.limit_price is not None else "at market"
        return f'The following order "{t.side} {t.quantity} {t.symbol} {at}"'

    @property
    def value(self) -> Decimal:
        return self.ticket.quantity * (self.ticket.limit_price or self.price)


@dataclass(frozen=True)
class Question:
    message_id: str
    says: Callable[[Asked], str]
    applies: Callable[[Asked], bool]


def _beyond(asked: Asked, share: Decimal) -> bool:
    limit = asked.ticket.limit_price
    return limit is not None and abs(limit / asked.price - 1) > share


QUESTIONS = (
    Question(
        "o163",
        lambda a: f"{a.text} price exceeds \nthe Percentage constraint of 3%.",
        lambda a: _beyond(a, Decimal("0.03")),
    ),
    Question(
        "o383",
        lambda a: f"{a.text} size exceeds the Size Limit of 500.",
        lambda a: a.ticket.quantity > 500,
    ),
    Question(
        "o451",
        lambda a: (
            f"{a.text} value estimate of {a.value:,.2f} USD exceeds \n"
            "the Total Value Limit of 100,000 USD."
        ),
        lambda a: a.value > 100_000,
    ),
    # The next two are asked of every such order by some accounts and of none by others.
    Question(
        "o354",
        lambda a: (
            "You are submitting an order without market data. We strongly recommend against"
            " this as it may result in erroneous and unexpected trades."
        ),
        lambda a: True,
    ),
    Question(
        "o10151",
        lambda a: f"{a.text} is a market order: its price cannot be known before it fills.",
        lambda a: a.ticket.order_type == "MKT",
    ),
)
BY_ID = {question.message_id: question for question in QUESTIONS}
ASKED_BY_DEFAULT = ("o163", "o383", "o451")


def question_text(message_id: str, asked: Asked) -> str:
    """A drill can ask what is not in the table."""
    if message_id in BY_ID:
        return BY_ID[message_id].says(asked)
    return f"{asked.text} needs a confirmation. (sandbox: {message_id})"


def questions_for(asked: Asked, switched_on: tuple[str, ...]) -> list[Question]:
    """In the table's order; the broker asks them one after the other."""
    return [q for q in QUESTIONS if q.message_id in switched_on and q.applies(asked)]
