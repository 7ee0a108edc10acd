"""Indicators by TA-Lib, on complete bars alone."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from worker.market.bars import complete
from worker.models.indicators import Indicators
from worker.models.market import Bar

PRICE = Decimal("0.0001")
RATIO = Decimal("0.01")


def indicators_of(bars: Sequence[Bar]) -> Indicators:
    """Moving averages, RSI, ATR and MACD histogram as of the last complete bar; None for each that
    needs more bars than there are. The running session's partial bar is left out."""
    import numpy  # both cost time and memory that only this step needs
    import talib

    finished = complete(bars)
    if not finished:
        return Indicators()
    close, high, low = (
        numpy.array([float(getattr(bar, name)) for bar in finished])
        for name in ("close", "high", "low")
    )
    enough = len(finished)
    return Indicators(
        as_of=finished[-1].time,
        bars=enough,
        sma_20=_last(talib.SMA(close, 20), PRICE) if enough >= 20 else None,
        sma_50=_last(talib.SMA(close, 50), PRICE) if enough >= 50 else None,
        rsi_14=_last(talib.RSI(close, 14), RATIO) if enough > 14 else None,
        atr_14=_last(talib.ATR(high, low, close, 14), PRICE) if enough > 14 else None,
        macd_histogram=_last(talib.MACD(close, 12, 26, 9)[2], PRICE) if enough >= 34 else None,
    )


def _last(series: Any, unit: Decimal) -> Decimal | None:
    value = float(series[-1])
    return Decimal(repr(value)).quantize(unit) if math.isfinite(value) else None
