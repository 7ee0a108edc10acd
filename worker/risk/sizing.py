"""From a signal to an order: a target, less what is owned and already working. Pure."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation

from worker.models.market import Quote
from worker.models.signal import Signal
from worker.models.strategy import OrderRules, Sizing
from worker.risk.figures import SizedOrder

CENT = Decimal("0.01")
BPS = Decimal(10_000)
# A target in dollars moves with the price: less than this share of it missing counts as reached.
WORTH_TOPPING_UP = Decimal("0.10")


class CannotSize(Exception):
    """There is no order to make; the text says why, in a trader's words."""


def size(
    signal: Signal,
    quote: Quote,
    owned: Decimal | None,
    working: Decimal | None,
    sizing: Sizing,
    rules: OrderRules,
) -> SizedOrder:
    """The one order that leads to the target. BUY: own the sized amount; SELL: own none.

    Rounded toward less risk. Raises CannotSize where nothing is to be done or nothing is known.
    """
    if signal.side == "HOLD":
        raise CannotSize("the signal is to hold")
    if owned is None or working is None:
        raise CannotSize("what the strategy owns is not known")
    limit = limit_price(signal.side == "BUY", quote, rules.collar_bps)
    if signal.side == "SELL":
        if working > 0:
            raise CannotSize("a purchase of its own is still working")
        if owned + working <= 0:
            raise CannotSize("the strategy owns nothing to sell")
        return SizedOrder(side="SELL", quantity=owned + working, limit_price=limit)
    if working < 0:
        raise CannotSize("a sale of its own is still working")
    target = _target(sizing, limit)
    missing = target - owned - working
    noise = target * WORTH_TOPPING_UP if owned + working > 0 and sizing.quantity is None else 0
    if missing <= noise:
        raise CannotSize(f"it owns {owned} and {working} are on order: the target is reached")
    return SizedOrder(side="BUY", quantity=missing, limit_price=limit)


def limit_price(is_buy: bool, quote: Quote, collar_bps: Decimal) -> Decimal:
    """The middle of the quote and a collar to the worse side, in whole cents."""
    if quote.mid is None or not quote.mid.is_finite():
        raise CannotSize("there is no quote to size by")
    sign = 1 if is_buy else -1
    exact = quote.mid * (1 + sign * collar_bps / BPS)
    try:
        # Away from the worse side: the collar is a bound, not an aim.
        return exact.quantize(CENT, ROUND_FLOOR if is_buy else ROUND_CEILING)
    except InvalidOperation:
        raise CannotSize(f"a price of {quote.mid} cannot be right") from None


def _target(sizing: Sizing, limit: Decimal) -> Decimal:
    if sizing.quantity is not None:
        return Decimal(sizing.quantity)
    if sizing.value_usd is None or limit <= 0:
        raise CannotSize("there is no size to aim at")
    shares = (sizing.value_usd / limit).to_integral_value(ROUND_FLOOR)
    if shares <= 0:
        raise CannotSize(f"too small: ${sizing.value_usd} buys no whole share at {limit}")
    return shares
