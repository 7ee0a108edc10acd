"""Orders: what is meant, what was written down, what the broker says of it."""

import hashlib
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from worker.models.base import Utc, Value

OrderSide = Literal["BUY", "SELL"]
OrderState = Literal[
    "INTENDED", "DENIED", "SENDING", "WORKING", "PARTIAL",
    "FILLED", "CANCELLED", "REJECTED", "EXPIRED", "UNKNOWN",
]  # fmt: skip
ACTIVE: frozenset[str] = frozenset({"INTENDED", "SENDING", "WORKING", "PARTIAL", "UNKNOWN"})
DONE: frozenset[str] = frozenset({"DENIED", "FILLED", "CANCELLED", "REJECTED", "EXPIRED"})


COID_PREFIX = "ob-"


def client_order_id(run_id: str, symbol: str, leg: str) -> str:
    """IBKR's cOID: a pure function of the order's key, so that a repeat is the same order."""
    digest = hashlib.sha256(f"{run_id}\n{symbol}\n{leg}".encode()).hexdigest()
    return f"{COID_PREFIX}{digest[:24]}"


class OrderIntent(Value):
    """One order as it was meant. Unique by (run_id, symbol, leg); `coid` follows from that."""

    run_id: str
    strategy_id: int
    account_id: Annotated[str, Field(repr=False)]
    symbol: str
    conid: int
    leg: str
    side: OrderSide
    quantity: Annotated[int, Field(gt=0)]
    limit_price: Annotated[Decimal, Field(gt=0)]
    time_in_force: Literal["DAY"] = "DAY"
    rest: bool = False
    good_for_seconds: Annotated[int, Field(gt=0)] = 300

    @property
    def coid(self) -> str:
        return client_order_id(self.run_id, self.symbol, self.leg)

    @property
    def notional_usd(self) -> Decimal:
        return self.limit_price * self.quantity


class OrderRecord(Value):
    """An order's row in the journal.

    `session_closes_at` and `acknowledged_at` are market time, the other moments wall time.
    `absent_since`: when the broker was first seen to show nothing of it after its session.
    """

    intent: OrderIntent
    state: OrderState
    broker_order_id: str | None = None
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    reasons: tuple[str, ...] = ()
    send_by: Utc | None = None
    session_closes_at: Utc | None = None
    acknowledged_at: Utc | None = None
    cancel_requested_at: Utc | None = None
    absent_since: Utc | None = None
    created_at: Utc
    updated_at: Utc

    @property
    def done(self) -> bool:
        return self.state in DONE


class Fill(Value):
    """One execution, counted once by `execution_id`."""

    execution_id: str
    coid: str | None = None
    broker_order_id: str | None = None
    conid: int
    symbol: str
    side: OrderSide
    quantity: Decimal
    price: Decimal
    commission_usd: Decimal | None = None
    executed_at: Utc


class Trades(Value):
    """One read of the broker's trades. Not `complete`: one that may be ours cannot be read, and
    what is not in it proves nothing."""

    fills: tuple[Fill, ...]
    complete: bool = True


class BrokerOrder(Value):
    """An order as the broker's list shows it. `status` is the broker's own word."""

    broker_order_id: str
    coid: str | None = None
    conid: int
    symbol: str
    side: OrderSide
    status: str
    quantity: Decimal | None = None
    filled_quantity: Decimal | None = None
    remaining_quantity: Decimal | None = None
    average_price: Decimal | None = None
    limit_price: Decimal | None = None
    cancel_reason: str | None = None


class LiveOrders(Value):
    """One read of the broker's list. Empty proves nothing unless `snapshot` is true."""

    orders: tuple[BrokerOrder, ...]
    snapshot: bool


class Preview(Value):
    """The broker's what-if answer, figures as the broker formats them; USD where parsed."""

    amount_usd: Decimal | None = None
    commission_usd: Decimal | None = None
    total_usd: Decimal | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None


class Begin(Value):
    """May the order be sent now? denied: never again; not_ours: another has it, or will.

    `send_by` (wall) with go alone: past it nothing may be written.
    """

    kind: Literal["go", "denied", "not_ours"]
    why: str = ""
    send_by: Utc | None = None


class SendResult(Value):
    """What is known after one attempt to send.

    accepted: the broker gave `broker_order_id`. refused: the broker's own words in `text`.
    not_sent: proof that no byte of the order left. registered: the cOID is there already, find it.
    unknown: anything else once a byte may have left.
    """

    kind: Literal["accepted", "refused", "not_sent", "registered", "unknown"]
    broker_order_id: str | None = None
    text: str = ""
    questions: tuple[str, ...] = ()
