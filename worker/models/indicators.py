"""Figures computed from price bars."""

from decimal import Decimal

from worker.models.base import Utc, Value


class Indicators(Value):
    """As of the last complete bar, in USD a share but for the RSI (0 to 100). None: not enough
    bars to know it. `bars` is how many complete ones there were."""

    as_of: Utc | None = None
    bars: int = 0
    sma_20: Decimal | None = None
    sma_50: Decimal | None = None
    rsi_14: Decimal | None = None
    atr_14: Decimal | None = None
    macd_histogram: Decimal | None = None
