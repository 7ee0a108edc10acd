"""The rules analyst: follow the trend while momentum agrees. No network, the same every time."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from worker.models.market import Bar, Quote
from worker.models.signal import Side, Signal
from worker.signals.view import Abstain, IndicatorsOf, View, abstained, cut, look

NAME = "rules"
OVERBOUGHT = Decimal(70)
FIRM = Decimal(50)
CENT = Decimal("0.01")


class RulesAnalyst:
    """BUY: price above its 20-day mean, that above the 50-day mean, momentum rising, not
    overbought. SELL: all of it turned round. HOLD otherwise."""

    def __init__(self, indicators_of: IndicatorsOf) -> None:
        self._indicators_of = indicators_of

    def analyse(
        self,
        *,
        symbol: str,
        quote: Quote | None,
        bars: Sequence[Bar],
        owned: Decimal,
        now: datetime,
    ) -> Signal:
        """Abstains, with the reason, where a figure that the rule needs is not known."""
        try:
            view = look(symbol, quote, bars, owned, now, self._indicators_of)
            side, confidence, rationale = _judge(view)
        except Abstain as reason:
            return abstained(symbol, quote, NAME, now, str(reason))
        return Signal(
            symbol=symbol,
            side=side,
            confidence=confidence,
            rationale=cut(rationale),
            analyst=NAME,
            as_of=now,
            price_usd=view.last,
        )


def _judge(view: View) -> tuple[Side, Decimal, str]:
    figures, last = view.indicators, view.last
    short, long, rsi = figures.sma_20, figures.sma_50, figures.rsi_14
    atr, momentum = figures.atr_14, figures.macd_histogram
    if short is None or long is None or rsi is None or atr is None or momentum is None:
        raise Abstain(f"only {figures.bars} complete bars, 50 are needed")
    words = (
        f"last {_dollars(last)}, 20-day mean {_dollars(short)}, 50-day mean {_dollars(long)}, "
        f"RSI {rsi:.0f}, MACD histogram {momentum:+.2f}"
    )
    strength = _strength(short, long, atr)
    if last > short > long and momentum > 0 and rsi < OVERBOUGHT:
        return "BUY", strength + _bonus(rsi > FIRM), f"uptrend with rising momentum: {words}"
    if last < short < long and momentum < 0:
        return "SELL", strength + _bonus(rsi < FIRM), f"downtrend with falling momentum: {words}"
    return "HOLD", Decimal("0.50"), f"{_why_not(view, short, long, rsi)}: {words}"


def _strength(short: Decimal, long: Decimal, atr: Decimal) -> Decimal:
    """0.60, and up to 0.25 more the farther the two means lie apart, in daily ranges."""
    if atr <= 0:
        return Decimal("0.60")
    apart = min(abs(short - long) / atr, Decimal(2))
    return (Decimal("0.60") + apart / 8).quantize(CENT)


def _bonus(firm: bool) -> Decimal:
    return Decimal("0.10") if firm else Decimal(0)


def _why_not(view: View, short: Decimal, long: Decimal, rsi: Decimal) -> str:
    if view.last > short > long:
        return "uptrend, but overbought" if rsi >= OVERBOUGHT else "uptrend, but momentum fades"
    if view.last < short < long:
        return "downtrend, but momentum recovers"
    return "no clear trend"


def _dollars(value: Decimal) -> str:
    return f"{value.quantize(CENT)}"
