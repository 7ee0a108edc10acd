"""What was read of the market and the account. An unknown number is None, never 0."""

from decimal import Decimal
from typing import Literal

from worker.models.base import Utc, Value


class Contract(Value):
    """A US stock or ETF as the broker identifies it."""

    symbol: str
    conid: int
    exchange: str
    currency: str | None = None
    security_type: str | None = None
    name: str = ""


class Quote(Value):
    """One snapshot. `as_of` is the broker's own update time; prices are USD a share.

    `availability` is field 6509 as received (`RpB`: real time); `last_is_close` and `halted`
    come from the `C` and `H` prefixes of the last price.
    """

    symbol: str
    conid: int
    as_of: Utc | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    previous_close: Decimal | None = None
    last_is_close: bool = False
    halted: bool = False
    tradable: bool | None = None
    availability: str | None = None
    volume: Decimal | None = None

    @property
    def mid(self) -> Decimal | None:
        if self.bid is None or self.ask is None or self.bid <= 0 or self.ask < self.bid:
            return None
        return (self.bid + self.ask) / 2


class Bar(Value):
    """One price bar. `time` is its start; `partial` marks the running session's bar."""

    time: Utc
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    partial: bool = False


class Position(Value):
    """A holding of the whole account, whoever bought it. `quantity` in shares."""

    conid: int
    symbol: str
    quantity: Decimal
    average_cost: Decimal | None = None
    market_price: Decimal | None = None
    currency: str | None = None
    security_type: str | None = None


class AccountFigures(Value):
    """The account's money in USD as of one moment; None where the broker did not say."""

    as_of: Utc
    net_liquidation_usd: Decimal | None = None
    total_cash_usd: Decimal | None = None
    available_funds_usd: Decimal | None = None
    buying_power_usd: Decimal | None = None


class SymbolMarket(Value):
    """What step 5 read of one symbol: small enough to travel; the bars lie in the store."""

    contract: Contract
    quote: Quote
    bars_ref: str
    bars_count: int
    last_complete_bar: Utc | None = None


class BrokerSession(Value):
    """What the broker says of the login. Healthy needs all four."""

    authenticated: bool
    connected: bool
    competing: bool
    established: bool | None = None
    message: str = ""

    @property
    def healthy(self) -> bool:
        return (
            self.authenticated
            and self.connected
            and not self.competing
            and self.established is not False
        )


class AccountProof(Value):
    """The configured account, its nature proved by every signal the broker gave."""

    kind: Literal["paper", "live"]
    signals: dict[str, str]
    sandbox: bool
    checked_at: Utc


class TradingHours(Value):
    """The broker's own liquid hours of one contract."""

    conid: int
    sessions: tuple[tuple[Utc, Utc], ...]
