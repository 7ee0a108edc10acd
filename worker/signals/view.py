"""What an analyst may look at: a fresh price, finished bars, nothing from after the moment."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from worker.models.base import Utc, Value
from worker.models.indicators import Indicators
from worker.models.market import Bar, Quote
from worker.models.signal import MAX_RATIONALE, Signal

CLOCKS_DIFFER = timedelta(seconds=5)  # the broker's clock may be this far ahead of ours
IndicatorsOf = Callable[[Sequence[Bar]], Indicators]


class Abstain(Exception):
    """No usable signal; the text says why, in words for a trader."""


class View(Value):
    """One symbol as of `now` (market time). `last` is the quote's; the bars are complete ones."""

    symbol: str
    now: Utc
    quote: Quote
    last: Decimal
    bars: tuple[Bar, ...]
    indicators: Indicators
    owned: Decimal


def look(
    symbol: str,
    quote: Quote | None,
    bars: Sequence[Bar],
    owned: Decimal,
    now: datetime,
    indicators_of: IndicatorsOf,
) -> View:
    """Raises Abstain where what is missing, stale or from the future leaves nothing to judge."""
    if quote is None:
        raise Abstain("there is no quote")
    if quote.symbol != symbol:
        raise Abstain(f"the quote is of {quote.symbol}")
    if quote.last is None or quote.last <= 0:
        raise Abstain("the quote has no last price")
    if quote.last_is_close:
        raise Abstain("the last price is an earlier session's close")
    if quote.as_of is None:
        raise Abstain("the quote does not say when it was made")
    if quote.as_of > now + CLOCKS_DIFFER:
        raise Abstain(f"the quote is from the future ({quote.as_of:%Y-%m-%d %H:%M:%S} UTC)")
    finished = tuple(bar for bar in bars if not bar.partial and bar.time <= now)
    return View(
        symbol=symbol,
        now=now,
        quote=quote,
        last=quote.last,
        bars=tuple(sorted(finished, key=lambda bar: bar.time)),
        indicators=indicators_of(finished),
        owned=owned,
    )


def abstained(symbol: str, quote: Quote | None, analyst: str, now: datetime, reason: str) -> Signal:
    return Signal(
        symbol=symbol,
        side="HOLD",
        confidence=Decimal(0),
        rationale=cut(f"abstained: {reason}"),
        analyst=analyst,
        as_of=now,
        price_usd=quote.last if quote else None,
        abstained=reason,
    )


def cut(text: str) -> str:
    """One printable line that fits a Signal; what an endpoint sends may be anything."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_RATIONALE else line[: MAX_RATIONALE - 1].rstrip() + "…"
