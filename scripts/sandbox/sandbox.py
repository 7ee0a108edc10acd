"""Everything one running sandbox is made of.

One thread and one event loop serve it, and whatever changes it runs in one piece between two waits:
requests are answered one after the other, so nothing here needs a lock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from scripts.sandbox.book import Book
from scripts.sandbox.clock import Clock
from scripts.sandbox.entrance import Entrance
from scripts.sandbox.exchange import Exchange
from scripts.sandbox.faults.armed import Armed, Faults
from scripts.sandbox.faults.fate import Decided
from scripts.sandbox.faults.kinds import Fated, OnOrders
from scripts.sandbox.faults.subject import of_ticket
from scripts.sandbox.lifetimes import Ended, Lifetimes
from scripts.sandbox.market import Market
from scripts.sandbox.pacing import Pacing
from scripts.sandbox.prices import daily_prices
from scripts.sandbox.proof import read_secret
from scripts.sandbox.records import Order, Ticket
from scripts.sandbox.sessions import nyse
from scripts.sandbox.state import Brokerage, Login
from scripts.sandbox.valuation import Valuation, value
from scripts.sandbox.wishes import Override, Switches

ACCOUNT = "DU9000001"
Kind = TypeVar("Kind", bound=OnOrders)


@dataclass
class Doing:
    """What the request at hand has come to so far."""

    committed: list[int] = field(default_factory=list)  # orders it made or cancelled
    faults: list[str] = field(default_factory=list)  # those that took it, by their ids


@dataclass
class Sandbox:
    clock: Clock
    market: Market
    book: Book
    exchange: Exchange
    secret: str = field(repr=False)
    fingerprint: str
    now: datetime
    login: Login = field(default_factory=Login)
    pacing: Pacing = field(default_factory=Pacing)
    faults: Faults = field(default_factory=Faults)
    doing: Doing = field(default_factory=Doing)
    entrance: Entrance = field(default_factory=Entrance)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    overrides: dict[str, Override] = field(default_factory=dict)  # of the analyst, by symbol

    def __post_init__(self) -> None:
        self.advance()

    def worth(self) -> Valuation:
        """The account, valued at this moment's prices."""
        return value(self.book, self.market, self.now)

    def use_session(self, path: str) -> None:
        """A request came: what ended before it is noticed now, where lifetimes are switched on."""
        wall = self.clock.wall()
        ended = self.lifetimes.ended(wall, self.now)
        if self.switches.session_lifetimes and ended is Ended.LOGIN:
            self.login.change(sso=False)
        elif self.switches.session_lifetimes and ended is Ended.BROKERAGE:
            self.login.change(brokerage=False)
        self.lifetimes.use(path, wall, self.now)

    def advance(self) -> None:
        """The market moves up to this moment, and stands still there until the next call."""
        # The wall's clock may be set back; orders are not.
        self.now = max(self.now, self.clock.now())
        self.exchange.advance(self.now, self.switches.quiet)

    def order_faults(self, kind: type[Kind], ticket: Ticket) -> list[tuple[Armed, Kind]]:
        """Those of this kind that take this order now, each with what it was told."""
        taken = self.faults.due(of_ticket(ticket, ACCOUNT), kind)
        self.doing.faults += [fault.id for fault, _ in taken]
        return taken

    def accept(self, ticket: Ticket) -> Order:
        """The order is in the book, and what drills decided about it."""
        taken = self.order_faults(Fated, ticket)
        decided = [Decided(fault.id, wish) for fault, wish in taken]
        order = self.exchange.accept(ticket, self.now, decided)
        self.doing.committed.append(order.order_id)
        return order

    def cancel(self, order: Order) -> None:
        self.exchange.cancel(order, self.now)
        self.doing.committed.append(order.order_id)

    def fire(self, fault: Armed) -> None:
        self.book.notes.fire(fault.id, fault.kind)

    @property
    def inside(self) -> Brokerage:
        return self.login.inside

    @property
    def switches(self) -> Switches:
        return self.faults.switches


def open_sandbox(
    home: Path, clock: Clock, fingerprint: str, environment: Mapping[str, str]
) -> Sandbox:
    """The sandbox of this home; its book continues where it was left."""
    market = Market(nyse(), daily_prices())
    book = Book(home / "state" / "sandbox" / "book.db")
    now = clock.now()
    exchange = Exchange(book, market, now)
    secret = read_secret(home, environment)
    return Sandbox(clock, market, book, exchange, secret, fingerprint, now)
