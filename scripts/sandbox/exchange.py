"""Takes orders, refuses them, works them against the market, cancels them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from scripts.sandbox.book import Book
from scripts.sandbox.faults.fate import FREE, Decided
from scripts.sandbox.instruments import INSTRUMENTS
from scripts.sandbox.market import Market
from scripts.sandbox.matching import commission, work
from scripts.sandbox.records import ZERO, Order, Status, Ticket

FIRST_CASH = Decimal("1000000.00")
# Held from the beginning and bought by no strategy: nobody may sell them.
FIRST_HOLDINGS = {"AAPL": Decimal(100), "IBM": Decimal(50)}
PRICE_BAND = Decimal("0.10")
COID_LIFE = timedelta(hours=24)


@dataclass(frozen=True)
class Refused:
    """Why the broker does not take an order, in the words it uses where they are known."""

    text: str


class Exchange:
    def __init__(self, book: Book, market: Market, now: datetime) -> None:
        self.book = book
        self.market = market
        self._looked_at: dict[int, datetime] = {}
        self.book.seed(FIRST_CASH, self._first_holdings(now))

    def advance(self, now: datetime, quiet: bool = False) -> None:
        """Bring every working order up to `now`; each change is in the book before it returns."""
        working = self.book.working()
        self._looked_at = {
            order.order_id: self._looked_at.get(order.order_id, order.changed_at)
            for order in working
        }
        fates = self.book.fates(order.order_id for order in working)
        for order in working:
            after = self._looked_at[order.order_id]
            fate = fates.get(order.order_id, FREE)
            outcome = work(order, after, now, self.market, quiet, fate)
            if outcome.order != order:
                fired = fate.fired(order, outcome.order)
                self.book.record(outcome.order, outcome.fills, fired)
            self._looked_at[order.order_id] = max(after, now)

    def duplicate(self, coid: str | None, now: datetime) -> bool:
        """Whether the client's own id was used in the last 24 hours."""
        known = self.book.with_coid(coid) if coid else []
        return any(now - order.accepted_at < COID_LIFE for order in known)

    def refusal(self, ticket: Ticket, now: datetime) -> Refused | None:
        price = self.market.price(ticket.symbol, now)
        if price is None:
            return Refused(f"No trading permissions. (sandbox: no prices of {ticket.symbol} yet)")
        limit = ticket.limit_price
        if limit is not None and abs(limit / price - 1) > PRICE_BAND:
            return Refused(
                "We cannot accept an order at the limit price you selected. Please submit your"
                f" order using a limit price that is closer to the current market price of {price}."
            )
        if ticket.side == "SELL" and ticket.quantity > self._free_shares(ticket.symbol):
            return Refused("No trading permissions. (sandbox: no short selling)")
        if ticket.side == "BUY" and self._cost(ticket, price) > self._free_cash(now):
            return Refused(
                "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR AVAILABLE"
                " FUNDS MUST BE HIGHER. (sandbox)"
            )
        return None

    def accept(self, ticket: Ticket, now: datetime, decided: Iterable[Decided] = ()) -> Order:
        """The order is in the book, with its id, when this returns."""
        running = self.market.sessions.at(now)
        status = Status.PENDING_SUBMIT if running else Status.PRE_SUBMITTED
        return self.book.accept(ticket, status, now, self._expiry(ticket, now), decided)

    def cancel(self, order: Order, now: datetime) -> None:
        """Ask for it; the next second of market time shows what came of it."""
        if not order.done:
            idle = order.status is Status.INACTIVE
            self._set(order, Status.CANCELLED if idle else Status.PENDING_CANCEL, None, now)

    def set_aside(self, order: Order, status: Status, reason: str | None, now: datetime) -> None:
        """For drills: what the broker's own systems do to an order nobody touched."""
        self._set(order, status, reason, now)

    def _set(self, order: Order, status: Status, reason: str | None, now: datetime) -> None:
        self.book.record(order.changed(now, status=status, reason=reason))
        self._looked_at[order.order_id] = now

    def _expiry(self, ticket: Ticket, now: datetime) -> datetime | None:
        if ticket.tif == "GTC":
            return None
        session = self.market.sessions.at(now) or self.market.sessions.following(now)
        return session.closes if session else now

    def _free_shares(self, symbol: str) -> Decimal:
        selling = sum(
            (o.remaining for o in self.book.working() if o.symbol == symbol and o.side == "SELL"),
            ZERO,
        )
        return self.book.position(symbol).quantity - selling

    def _free_cash(self, now: datetime) -> Decimal:
        buying = ZERO
        for order in self.book.working():
            if order.side == "BUY":
                price = order.limit_price or self.market.price(order.symbol, now) or ZERO
                buying += price * order.remaining
        return self.book.cash() - buying

    def _cost(self, ticket: Ticket, price: Decimal) -> Decimal:
        return (ticket.limit_price or price) * ticket.quantity + commission(ticket.quantity)

    def _first_holdings(self, now: datetime) -> dict[str, tuple[Decimal, Decimal]]:
        listed = {instrument.symbol for instrument in INSTRUMENTS}
        return {
            symbol: (quantity, self.market.price(symbol, now) or ZERO)
            for symbol, quantity in FIRST_HOLDINGS.items()
            if symbol in listed
        }
