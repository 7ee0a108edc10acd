"""One function a check. Each returns a sentence when it denies and None when it passes.

All of them are run and every reason is kept. A figure that is missing, stale or not a number
denies: no check passes what it cannot judge. A check that fails to run denies as well.
"""

from collections.abc import Callable
from decimal import Decimal

from worker.models.decision import Check, Decision
from worker.risk.codes import Code
from worker.risk.figures import Figures, Limits, SizedOrder, age

CheckFunction = Callable[[SizedOrder, Figures, Limits], str | None]
CHECKS: dict[Code, CheckFunction] = {}
TICK = Decimal("0.01")
BPS = Decimal(10_000)
ZERO = Decimal(0)


def check(order: SizedOrder, figures: Figures, limits: Limits) -> Decision:
    """Every check's verdict on the order."""
    return Decision(
        checks=tuple(
            _run(code, function, order, figures, limits) for code, function in CHECKS.items()
        )
    )


def _run(
    code: Code, function: CheckFunction, order: SizedOrder, figures: Figures, limits: Limits
) -> Check:
    try:
        denial = function(order, figures, limits)
    except Exception as error:  # noqa: BLE001 - whatever it is, the check did not pass
        denial = f"it cannot be computed ({type(error).__name__})"
    return Check(code=code.value, passed=denial is None, sentence=denial or "passed")


def _denies(code: Code) -> Callable[[CheckFunction], CheckFunction]:
    def register(function: CheckFunction) -> CheckFunction:
        CHECKS[code] = function
        return function

    return register


@_denies(Code.SYMBOL)
def allowed_symbol(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    symbol = figures.contract.symbol
    return None if symbol in limits.allowed_symbols else f"{symbol} is not in risk.allowed_symbols"


@_denies(Code.CURRENCY)
def us_dollars(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    currency = figures.contract.currency
    return (
        None if currency == "USD" else f"it trades in {currency or 'an unknown currency'}, not USD"
    )


@_denies(Code.SECURITY_TYPE)
def stock(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    kind = figures.contract.security_type
    return None if kind == "STK" else f"it is {kind or 'of an unknown type'}, not a stock or ETF"


@_denies(Code.FRACTION)
def whole_shares(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    number = order.quantity
    whole = number.is_finite() and number > 0 and number % 1 == 0
    return None if whole else f"{number} is not a positive number of whole shares"


@_denies(Code.TICK)
def tick(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    price = order.limit_price
    whole = price > 0 and price % TICK == 0
    return None if whole else f"a limit of {price} is not in whole cents"


@_denies(Code.QUOTE)
def fresh_quote(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    quote = figures.quote
    if quote.mid is None or quote.last is None:
        return "bid, ask or last price is missing"
    if quote.last_is_close:
        return "the last price is the previous close: nothing has traded yet"
    old = age(quote.as_of, figures.now)
    if old is None:
        return "the quote does not say when it is from"
    if old > limits.max_quote_age:
        return f"the quote is {old.total_seconds():.0f} s old"
    return None


@_denies(Code.DATA_RIGHTS)
def real_time_data(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    rights = figures.quote.availability
    if rights is None:
        return "the broker does not say whether the quote is real-time"
    return None if rights[:1] == "R" else f"the quote is not real-time (the broker says {rights})"


@_denies(Code.TRADABLE)
def tradable(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    if figures.quote.halted:
        return "trading is halted"
    return (
        None if figures.quote.tradable is True else "the broker does not say that it can be traded"
    )


@_denies(Code.SPREAD)
def spread(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    bid, ask, mid = figures.quote.bid, figures.quote.ask, figures.quote.mid
    if bid is None or ask is None or mid is None:
        return "the spread is not known"
    wide = (ask - bid) / mid * BPS
    return None if wide <= limits.max_spread_bps else f"the spread is {wide:.0f} bps"


@_denies(Code.COLLAR)
def collar(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    mid, close = figures.quote.mid, figures.quote.previous_close
    if mid is None:
        return "there is no middle to compare the limit with"
    away = abs(order.limit_price - mid) / mid * BPS
    if not away <= limits.max_collar_bps:
        return f"the limit lies {away:.0f} bps from the middle, at most {limits.max_collar_bps} may"
    return None if close is not None and close > 0 else "the previous close is not known"


@_denies(Code.SESSION)
def in_session(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    opens, closes = figures.session_opens_at, figures.session_closes_at
    if opens is None or closes is None:
        return "the exchange's session is not known"
    return None if opens <= figures.now < closes else "the exchange is not in session"


@_denies(Code.SIGNAL_AGE)
def young_signal(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    old = age(figures.signal.as_of, figures.now)
    if old is None:
        return "the signal does not say when it is from"
    return (
        None if old <= limits.max_signal_age else f"the signal is {old.total_seconds():.0f} s old"
    )


@_denies(Code.DRIFT)
def small_drift(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    seen, last = figures.signal.price_usd, figures.quote.last
    if seen is None or last is None or not seen > 0:
        return "the price the analyst saw, or the last price, is not known"
    moved = abs(last - seen) / seen * BPS
    if moved <= limits.max_drift_bps:
        return None
    return f"the price moved {moved:.0f} bps since the analyst saw it"


@_denies(Code.CONFIDENCE)
def confident(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    confidence = figures.signal.confidence
    if confidence >= limits.min_confidence:
        return None
    return f"a confidence of {confidence} is below {limits.min_confidence}"


@_denies(Code.ORDER_VALUE)
def order_value(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    value = order.limit_price * order.quantity
    if 0 < value <= limits.max_order_value_usd or _sells_what_it_owns(order, figures):
        return None
    if not value > 0:
        return f"an order of ${value:,.2f} is no order"
    return f"an order of ${value:,.2f} is over ${limits.max_order_value_usd:,.2f}"


@_denies(Code.POSITION_VALUE)
def position_value(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    if _sells_what_it_owns(order, figures):
        return None
    if figures.owned is None or figures.working is None:
        return "what the strategy owns is not known"
    # A sale that still works may never fill.
    after = (figures.owned + max(figures.working, ZERO) + order.quantity) * order.limit_price
    if after <= limits.max_position_value_usd:
        return None
    return f"it would own ${after:,.2f}, over ${limits.max_position_value_usd:,.2f}"


@_denies(Code.POSITION)
def known_position(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    known = (figures.position, figures.selling)
    numbers = all(each is not None and each.is_finite() for each in known)
    return None if numbers else "the account's position or working sells are not known"


@_denies(Code.OWNERSHIP)
def books_agree(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    owned, held, leaving = figures.owned_by_all, figures.position, figures.selling_foreign
    if owned is None or held is None or leaving is None:
        return "who owns the account's shares is not known"
    if owned <= held - leaving:
        return None
    leave = f", of which {leaving} are being sold by somebody else" if leaving else ""
    return f"strategies own {owned} shares by the journal, the account holds {held}{leave}"


@_denies(Code.SHORT)
def never_short(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    if order.side == "BUY":
        return None
    if (
        figures.owned is None
        or figures.working is None
        or figures.position is None
        or figures.selling is None
    ):
        return "what may be sold is not known"
    # What the strategy is selling already cannot be sold again.
    free = min(figures.owned + min(figures.working, ZERO), figures.position - figures.selling)
    return None if order.quantity <= free else f"only {max(free, ZERO)} shares may be sold"


@_denies(Code.BLOCKED)
def not_blocked(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    return figures.blocked_by


@_denies(Code.STRATEGY)
def current_strategy(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    if figures.strategy_is_current is True:
        return None
    return "the strategy was disabled or changed since the run began, or cannot be read"


@_denies(Code.MODE)
def current_mode(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    if figures.mode_agrees is True:
        return None
    return "the configuration's mode is no longer the one the run was started for"


@_denies(Code.TRADING_STATE)
def active(order: SizedOrder, figures: Figures, limits: Limits) -> str | None:
    state = figures.trading_state
    if state == "ACTIVE" or (state == "REDUCING" and _sells_what_it_owns(order, figures)):
        return None
    return f"trading is {state}" if state else "the trading state cannot be read"


def _sells_what_it_owns(order: SizedOrder, figures: Figures) -> bool:
    """Proved to reduce: caps bind what increases risk."""
    return (
        order.side == "SELL"
        and figures.owned is not None
        and figures.position is not None
        and 0 < order.quantity <= min(figures.owned, figures.position)
    )
