"""What an account holds that no order of this journal explains."""

from decimal import Decimal

from worker.models.base import Utc, Value
from worker.models.order import OrderSide

GONE = "no longer listed"
# The broker's words, and ours for what its list shows no more.
OVER = ("Filled", "Cancelled", "Inactive", GONE)


class ForeignOrder(Value):
    """An order that no run of this journal sent. `in_baseline`: it was there at the first look."""

    broker_order_id: str
    coid: str | None = None
    conid: int
    symbol: str
    side: OrderSide
    status: str
    remaining_quantity: Decimal | None = None
    in_baseline: bool
    first_seen_at: Utc
    last_seen_at: Utc

    @property
    def works(self) -> bool:
        return self.status not in OVER


class Shares(Value):
    """The account's shares of one contract, by whose they are.

    `unexplained`: how many more (less, if negative) the account holds than strategies own and
    foreign shares are; None: nothing. It blocks the symbol once a second look confirmed it.
    """

    conid: int
    symbol: str
    owned: Decimal
    foreign: Decimal
    held: Decimal
    unexplained: Decimal | None = None
    confirmed: bool = False


class Look(Value):
    """One look at the account. `ready`: the first look is complete; orders may be sent."""

    ready: bool
    shares: tuple[Shares, ...] = ()
    strays: tuple[ForeignOrder, ...] = ()
