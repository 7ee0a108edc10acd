"""Everything one running sandbox is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scripts.sandbox.book import Book
from scripts.sandbox.clock import Clock
from scripts.sandbox.exchange import Exchange
from scripts.sandbox.faults import Faults, Switches
from scripts.sandbox.market import Market
from scripts.sandbox.pacing import Pacing
from scripts.sandbox.prices import daily_prices
from scripts.sandbox.proof import read_secret
from scripts.sandbox.sessions import nyse
from scripts.sandbox.state import Brokerage, Login

ACCOUNT = "DU9000001"


@dataclass
class Sandbox:
    clock: Clock
    market: Market
    book: Book
    exchange: Exchange
    secret: str = field(repr=False)
    fingerprint: str
    login: Login = field(default_factory=Login)
    pacing: Pacing = field(default_factory=Pacing)
    faults: Faults = field(default_factory=Faults)

    @property
    def now(self) -> datetime:
        return self.clock.now()

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
    exchange = Exchange(book, market, clock.now())
    secret = read_secret(home, environment)
    return Sandbox(clock, market, book, exchange, secret, fingerprint)
