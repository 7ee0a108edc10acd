"""What the book keeps: orders, fills and positions."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

ZERO = Decimal(0)


class Status(StrEnum):
    """The broker's own words. Partly filled is SUBMITTED with something filled."""

    PENDING_SUBMIT = "PendingSubmit"
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    PENDING_CANCEL = "PendingCancel"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"  # accepted and then set aside, by a drill: it never trades


DONE = frozenset({Status.FILLED, Status.CANCELLED})


@dataclass(frozen=True)
class Ticket:
    """An order as it was asked for, before the exchange has looked at it."""

    conid: int
    symbol: str
    side: str  # BUY or SELL
    order_type: str  # LMT or MKT
    quantity: Decimal
    limit_price: Decimal | None
    tif: str
    coid: str | None


@dataclass(frozen=True)
class Order:
    order_id: int
    coid: str | None
    conid: int
    symbol: str
    side: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None
    tif: str
    status: Status
    filled: Decimal
    value: Decimal  # price x quantity of what filled
    commission: Decimal
    reason: str | None  # why the exchange cancelled it; None when it was asked to
    accepted_at: datetime
    changed_at: datetime
    filled_at: datetime | None  # the last fill
    expires_at: datetime | None  # None: good till cancelled

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal | None:
        return self.value / self.filled if self.filled else None

    @property
    def done(self) -> bool:
        return self.status in DONE

    def changed(self, at: datetime, **changes: Any) -> Self:
        return replace(self, changed_at=at, **changes)


@dataclass(frozen=True)
class Fill:
    execution_id: str
    order_id: int
    coid: str | None
    conid: int
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    time: datetime

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1

    @property
    def cash(self) -> Decimal:
        """What it did to the cash, commission included."""
        return -self.sign * self.price * self.quantity - self.commission


@dataclass(frozen=True)
class Position:
    symbol: str
    quantity: Decimal
    cost: Decimal  # average cost of a share, commissions included
    realized: Decimal

    def after(self, fill: Fill) -> "Position":
        quantity = self.quantity + fill.sign * fill.quantity
        if fill.side == "BUY":
            paid = self.quantity * self.cost - fill.cash
            return replace(self, quantity=quantity, cost=paid / quantity)
        gained = fill.cash - self.cost * fill.quantity
        cost = self.cost if quantity else ZERO
        return replace(self, quantity=quantity, cost=cost, realized=self.realized + gained)
