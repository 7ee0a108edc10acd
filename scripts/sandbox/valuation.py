"""What the account is worth: positions at the market, cash, profit and loss."""

from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal

from scripts.sandbox.book import Book
from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.market import Market
from scripts.sandbox.prices import dollars
from scripts.sandbox.records import ZERO, Position


@dataclass(frozen=True)
class Holding:
    position: Position
    price: Decimal

    @property
    def value(self) -> Decimal:
        return self.price * self.position.quantity

    @property
    def unrealized(self) -> Decimal:
        return (self.price - self.position.cost) * self.position.quantity


@dataclass(frozen=True)
class Valuation:
    holdings: tuple[Holding, ...]  # only what is held now
    cash: Decimal
    realized: Decimal
    daily: Decimal  # profit and loss since the last close before today's session

    @property
    def stock(self) -> Decimal:
        return sum((holding.value for holding in self.holdings), ZERO)

    @property
    def net(self) -> Decimal:
        return self.stock + self.cash

    @property
    def unrealized(self) -> Decimal:
        return sum((holding.unrealized for holding in self.holdings), ZERO)


def value(book: Book, market: Market, now: datetime) -> Valuation:
    positions = book.positions()
    holdings = tuple(
        Holding(position, market.price(position.symbol, now) or ZERO)
        for position in positions
        if position.quantity
    )
    realized = sum((position.realized for position in positions), ZERO)
    worth = Valuation(holdings, book.cash(), realized, ZERO)
    daily = worth.net - _net_before_today(book, market, positions, now)
    return Valuation(holdings, worth.cash, realized, daily)


def _net_before_today(
    book: Book, market: Market, positions: list[Position], now: datetime
) -> Decimal:
    today = datetime.combine(now.astimezone(NEW_YORK).date(), time(), NEW_YORK)
    quantities = {position.symbol: position.quantity for position in positions}
    cash = book.cash()
    for fill in book.fills():
        if fill.time >= today:
            quantities[fill.symbol] -= fill.sign * fill.quantity
            cash -= fill.cash
    for symbol, quantity in quantities.items():
        before = market.prior_close(symbol, now)
        if before:
            cash += quantity * dollars(before.close)
    return cash
