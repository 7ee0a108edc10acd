"""What the checks look at: an order as it is meant, what is known, and the limits."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from worker.models.base import Utc, Value
from worker.models.market import Contract, Quote
from worker.models.signal import Signal

TradingState = Literal["ACTIVE", "REDUCING", "HALTED"]


class SizedOrder(Value):
    """An order before the checks. Any number may still be wrong: that is for them to find."""

    side: Literal["BUY", "SELL"]
    quantity: Decimal
    limit_price: Decimal


class Figures(Value):
    """What is known at the moment of the decision; None is not known. Shares and USD.

    `owned`: what the strategy's own orders filled. `working`: what its working orders still buy,
    less what they sell. `owned_by_all`: all strategies' shares. `position`: the account's.
    `selling`: shares in working sells of the whole account, `selling_foreign` those that are no
    strategy's. `blocked_by`: why the symbol is.
    """

    now: Utc
    contract: Contract
    quote: Quote
    signal: Signal
    owned: Decimal | None = None
    working: Decimal | None = None
    owned_by_all: Decimal | None = None
    position: Decimal | None = None
    selling: Decimal | None = None
    selling_foreign: Decimal | None = None
    blocked_by: str | None = None
    session_opens_at: Utc | None = None
    session_closes_at: Utc | None = None
    strategy_is_current: bool | None = None
    mode_agrees: bool | None = None
    trading_state: TradingState | None = None


class Limits(Value):
    """The strictest of account and strategy, one value a limit."""

    max_order_value_usd: Decimal
    max_position_value_usd: Decimal
    allowed_symbols: tuple[str, ...]
    max_collar_bps: Decimal
    max_spread_bps: Decimal
    max_quote_age: timedelta
    max_signal_age: timedelta
    max_drift_bps: Decimal
    min_confidence: Decimal


def age(then: datetime | None, now: datetime) -> timedelta | None:
    """None when not known; a time from the future is not known either, but for clock noise."""
    if then is None or then - now > timedelta(seconds=2):
        return None
    return max(timedelta(), now - then)
