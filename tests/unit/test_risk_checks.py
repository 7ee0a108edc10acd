"""Every check passes on good figures, and denies where it cannot know."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.support.market import NOW
from worker.models.decision import Decision
from worker.models.market import Contract, Quote
from worker.models.signal import Signal
from worker.risk.checks import CHECKS, check
from worker.risk.codes import Code
from worker.risk.figures import Figures, Limits, SizedOrder

SECOND = timedelta(seconds=1)
LIMITS = Limits(
    max_order_value_usd=Decimal(5000),
    max_position_value_usd=Decimal(8000),
    allowed_symbols=("AAPL", "MSFT"),
    max_collar_bps=Decimal(100),
    max_spread_bps=Decimal(50),
    max_quote_age=15 * SECOND,
    max_signal_age=600 * SECOND,
    max_drift_bps=Decimal(150),
    min_confidence=Decimal("0.55"),
)
GOOD: dict[str, Any] = {
    "side": "BUY",
    "quantity": Decimal(10),
    "limit_price": Decimal("100.50"),
    "now": NOW,
    "symbol": "AAPL",
    "currency": "USD",
    "security_type": "STK",
    "quote_as_of": NOW - 2 * SECOND,
    "bid": Decimal("99.95"),
    "ask": Decimal("100.05"),
    "last": Decimal("100.00"),
    "previous_close": Decimal("98.50"),
    "last_is_close": False,
    "halted": False,
    "tradable": True,
    "availability": "RpB",
    "signal_as_of": NOW - 60 * SECOND,
    "confidence": Decimal("0.80"),
    "seen": Decimal("100.00"),
    "owned": Decimal(30),
    "working": Decimal(0),
    "owned_by_all": Decimal(50),
    "position": Decimal(100),
    "selling": Decimal(5),
    "selling_foreign": Decimal(0),
    "blocked_by": None,
    "session_opens_at": NOW - 120 * SECOND,
    "session_closes_at": NOW + 6 * 3600 * SECOND,
    "strategy_is_current": True,
    "mode_agrees": True,
    "trading_state": "ACTIVE",
}
NAMED = set(Figures.model_fields) - {"now", "contract", "quote", "signal"}
# What each check cannot do without; BUY and SELL need the same but where it says so.
NEEDS: dict[Code, set[str]] = {
    Code.SYMBOL: set(),
    Code.CURRENCY: {"currency"},
    Code.SECURITY_TYPE: {"security_type"},
    Code.FRACTION: set(),
    Code.TICK: set(),
    Code.QUOTE: {"bid", "ask", "last", "quote_as_of"},
    Code.DATA_RIGHTS: {"availability"},
    Code.TRADABLE: {"tradable"},
    Code.SPREAD: {"bid", "ask"},
    Code.COLLAR: {"bid", "ask", "previous_close"},
    Code.SESSION: {"session_opens_at", "session_closes_at"},
    Code.SIGNAL_AGE: set(),
    Code.DRIFT: {"seen", "last"},
    Code.CONFIDENCE: set(),
    Code.ORDER_VALUE: set(),
    Code.POSITION_VALUE: {"owned", "working"},
    Code.POSITION: {"position", "selling"},
    Code.OWNERSHIP: {"owned_by_all", "position", "selling_foreign"},
    Code.SHORT: set(),
    Code.BLOCKED: set(),
    Code.STRATEGY: {"strategy_is_current"},
    Code.MODE: {"mode_agrees"},
    Code.TRADING_STATE: {"trading_state"},
}
NEEDS_TO_SELL = {
    **NEEDS,
    Code.SHORT: {"owned", "working", "position", "selling"},
    Code.POSITION_VALUE: {"owned"},
}
CAN_BE_MISSING = sorted(set().union(*NEEDS_TO_SELL.values(), *NEEDS.values()))


def order_of(values: dict[str, Any]) -> SizedOrder:
    return SizedOrder(
        side=values["side"], quantity=values["quantity"], limit_price=values["limit_price"]
    )


def figures_of(values: dict[str, Any]) -> Figures:
    return Figures(
        now=values["now"],
        contract=Contract(
            symbol=values["symbol"], conid=265598, exchange="NASDAQ",
            currency=values["currency"], security_type=values["security_type"],
        ),
        quote=Quote(
            symbol=values["symbol"], conid=265598, as_of=values["quote_as_of"],
            **{name: values[name] for name in (
                "bid", "ask", "last", "previous_close", "last_is_close", "halted", "tradable",
                "availability",
            )},
        ),
        signal=Signal(
            symbol=values["symbol"], side=values["side"], confidence=values["confidence"],
            rationale="-", analyst="rules", as_of=values["signal_as_of"],
            price_usd=values["seen"],
        ),
        **{name: values[name] for name in NAMED},
    )  # fmt: skip


def decide(**changes: Any) -> Decision:
    values = GOOD | changes
    return check(order_of(values), figures_of(values), LIMITS)


def denials(**changes: Any) -> dict[str, str]:
    return {each.code: each.sentence for each in decide(**changes).denials}


SELL = {"side": "SELL", "limit_price": Decimal("99.50"), "quantity": Decimal(30)}


def test_every_code_has_a_check_and_every_check_a_code() -> None:
    assert set(CHECKS) == set(Code) == set(NEEDS)


@pytest.mark.parametrize("order", [{}, SELL], ids=["BUY", "SELL"])
def test_good_figures_pass_every_check(order: dict[str, Any]) -> None:
    decision = decide(**order)
    assert decision.allowed
    assert [each.code for each in decision.checks] == [code.value for code in CHECKS]
    assert {each.sentence for each in decision.checks} == {"passed"}


def test_nothing_checked_is_nothing_allowed() -> None:
    assert not Decision(checks=()).allowed


@given(st.sets(st.sampled_from(CAN_BE_MISSING)), st.booleans())
def test_no_check_passes_without_a_figure_that_it_needs(missing: set[str], sells: bool) -> None:
    order = SELL if sells else {}
    needs = NEEDS_TO_SELL if sells else NEEDS
    denied = denials(**order, **dict.fromkeys(missing))
    expected = {code.value for code, needed in needs.items() if needed & missing}
    if sells and {"position", "working"} <= missing:
        expected.add("POSITION_VALUE")  # a sale that is not proved to reduce
    assert set(denied) == expected


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.decimals(-(10**6), 10**6, allow_nan=False, places=3)
            for name in ("bid", "ask", "last", "previous_close", "seen", "owned", "working",
                         "owned_by_all", "position", "selling", "selling_foreign")
        }
        | {"quantity": st.decimals(-(10**6), 10**6, allow_nan=False, places=3),
           "limit_price": st.decimals(-(10**6), 10**6, allow_nan=False, places=3),
           "side": st.sampled_from(["BUY", "SELL"]),
           "quote_as_of": st.none() | st.datetimes().map(lambda t: t.replace(tzinfo=NOW.tzinfo)),
           "availability": st.none() | st.text(max_size=4)},
    )
)  # fmt: skip
def test_no_figures_make_a_check_raise_or_let_a_wrong_order_through(values: Any) -> None:
    decision = decide(**values)
    assert len(decision.checks) == len(CHECKS)
    if decision.allowed:
        allowed = GOOD | values
        value = allowed["quantity"] * allowed["limit_price"]
        assert allowed["quantity"] > 0
        assert allowed["quantity"] % 1 == 0
        assert abs(allowed["limit_price"] / allowed["last"] - 1) < Decimal("0.10")
        if allowed["side"] == "BUY":
            assert value <= LIMITS.max_order_value_usd
        else:
            assert allowed["quantity"] <= allowed["owned"]


NOT_NUMBERS = [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")]


@pytest.mark.parametrize("number", NOT_NUMBERS, ids=str)
@pytest.mark.parametrize(
    "name",
    ["quantity", "limit_price", "bid", "ask", "last", "previous_close", "confidence", "seen",
     "owned", "working", "owned_by_all", "position", "selling", "selling_foreign"],
)  # fmt: skip
def test_no_figure_can_be_made_of_what_is_no_number(name: str, number: Decimal) -> None:
    with pytest.raises(ValidationError):
        decide(**{name: number})


@pytest.mark.parametrize("number", NOT_NUMBERS, ids=str)
@pytest.mark.parametrize(
    "name", [n for n, field in Limits.model_fields.items() if field.annotation is Decimal]
)
def test_no_limit_can_be_made_of_what_is_no_number(name: str, number: Decimal) -> None:
    with pytest.raises(ValidationError):
        LIMITS.evolve(**{name: number})


@pytest.mark.parametrize("number", NOT_NUMBERS[:2], ids=str)
@pytest.mark.parametrize(
    "name",
    [
        "owned",
        "working",
        "owned_by_all",
        "position",
        "selling",
        "selling_foreign",
        "quantity",
        "limit_price",
    ],
)
@pytest.mark.parametrize("order", [{}, SELL], ids=["BUY", "SELL"])
def test_what_is_no_number_is_denied_even_where_no_model_stops_it(
    order: dict[str, Any], name: str, number: Decimal
) -> None:
    values = GOOD | order
    sized, figures = order_of(values), figures_of(values)
    if name in SizedOrder.model_fields:
        sized = SizedOrder.model_construct(**(dict(sized) | {name: number}))
    else:
        figures = Figures.model_construct(**(dict(figures) | {name: number}))
    decision = check(sized, figures, LIMITS)
    assert not decision.allowed
    assert len(decision.checks) == len(CHECKS)


def test_a_check_that_breaks_denies_and_the_others_still_speak() -> None:
    figures = Figures.model_construct(**(dict(figures_of(GOOD)) | {"quote": None}))
    decision = check(order_of(GOOD), figures, LIMITS)
    denied = {each.code: each.sentence for each in decision.denials}
    assert set(denied) == {
        "QUOTE", "DATA_RIGHTS", "TRADABLE", "SPREAD", "COLLAR", "DRIFT",
    }  # fmt: skip
    assert denied["QUOTE"] == "it cannot be computed (AttributeError)"


# One bad figure, one reason, in a trader's words

LATER, EARLIER = NOW + 3 * SECOND, NOW - 16 * SECOND
HUNDRED = {"bid": Decimal(100), "ask": Decimal(100), "last": Decimal(100)}


@pytest.mark.parametrize(
    ("changes", "code", "sentence"),
    [
        ({"symbol": "TSLA"}, "SYMBOL", "TSLA is not in risk.allowed_symbols"),
        ({"currency": "EUR"}, "CURRENCY", "it trades in EUR, not USD"),
        ({"currency": None}, "CURRENCY", "it trades in an unknown currency, not USD"),
        ({"security_type": "OPT"}, "SECURITY_TYPE", "it is OPT, not a stock or ETF"),
        ({"security_type": None}, "SECURITY_TYPE", "it is of an unknown type, not a stock or ETF"),
        ({"quantity": Decimal("1.5")}, "FRACTION", "1.5 is not a positive number of whole shares"),
        ({"limit_price": Decimal("100.505")}, "TICK", "a limit of 100.505 is not in whole cents"),
        ({"last": None, "seen": None}, "QUOTE", "bid, ask or last price is missing"),
        ({"bid": None}, "QUOTE", "bid, ask or last price is missing"),
        ({"bid": Decimal(0)}, "QUOTE", "bid, ask or last price is missing"),
        ({"bid": Decimal("100.06")}, "QUOTE", "bid, ask or last price is missing"),
        (
            {"last_is_close": True}, "QUOTE",
            "the last price is the previous close: nothing has traded yet",
        ),
        ({"quote_as_of": None}, "QUOTE", "the quote does not say when it is from"),
        ({"quote_as_of": LATER}, "QUOTE", "the quote does not say when it is from"),
        ({"quote_as_of": EARLIER}, "QUOTE", "the quote is 16 s old"),
        (
            {"availability": "DPB"}, "DATA_RIGHTS",
            "the quote is not real-time (the broker says DPB)",
        ),
        (
            {"availability": None}, "DATA_RIGHTS",
            "the broker does not say whether the quote is real-time",
        ),
        ({"halted": True}, "TRADABLE", "trading is halted"),
        ({"tradable": False}, "TRADABLE", "the broker does not say that it can be traded"),
        ({"tradable": None}, "TRADABLE", "the broker does not say that it can be traded"),
        (
            {"bid": Decimal("99.70"), "ask": Decimal("100.30")}, "SPREAD",
            "the spread is 60 bps",
        ),
        (
            {"limit_price": Decimal("101.01")}, "COLLAR",
            "the limit lies 101 bps from the middle, at most 100 may",
        ),
        (
            {"limit_price": Decimal("98.99")}, "COLLAR",
            "the limit lies 101 bps from the middle, at most 100 may",
        ),
        ({"previous_close": None}, "COLLAR", "the previous close is not known"),
        ({"previous_close": Decimal(0)}, "COLLAR", "the previous close is not known"),
        ({"session_opens_at": None}, "SESSION", "the exchange's session is not known"),
        ({"session_closes_at": None}, "SESSION", "the exchange's session is not known"),
        ({"session_opens_at": NOW + SECOND}, "SESSION", "the exchange is not in session"),
        ({"session_closes_at": NOW}, "SESSION", "the exchange is not in session"),
        (
            {"signal_as_of": NOW - 601 * SECOND}, "SIGNAL_AGE",
            "the signal is 601 s old",
        ),
        ({"signal_as_of": LATER}, "SIGNAL_AGE", "the signal does not say when it is from"),
        (
            {"seen": Decimal("98.00")}, "DRIFT",
            "the price moved 204 bps since the analyst saw it",
        ),
        (
            {"seen": None}, "DRIFT",
            "the price the analyst saw, or the last price, is not known",
        ),
        (
            {"seen": Decimal(0)}, "DRIFT",
            "the price the analyst saw, or the last price, is not known",
        ),
        ({"confidence": Decimal("0.54")}, "CONFIDENCE", "a confidence of 0.54 is below 0.55"),
        (
            {"quantity": Decimal(50), "owned": Decimal(0)}, "ORDER_VALUE",
            "an order of $5,025.00 is over $5,000.00",
        ),
        (
            {"owned": Decimal(70)}, "POSITION_VALUE",
            "it would own $8,040.00, over $8,000.00",
        ),
        (
            {"working": Decimal(40)}, "POSITION_VALUE",
            "it would own $8,040.00, over $8,000.00",
        ),
        (
            {"owned": Decimal(70), "working": Decimal(-70)}, "POSITION_VALUE",
            "it would own $8,040.00, over $8,000.00",
        ),
        ({"selling": None}, "POSITION", "the account's position or working sells are not known"),
        (
            {"owned_by_all": None}, "OWNERSHIP",
            "who owns the account's shares is not known",
        ),
        (
            {"owned_by_all": Decimal(101)}, "OWNERSHIP",
            "strategies own 101 shares by the journal, the account holds 100",
        ),
        (
            {"selling_foreign": Decimal(51)}, "OWNERSHIP",
            "strategies own 50 shares by the journal, the account holds 100, of which 51 are "
            "being sold by somebody else",
        ),
        (
            {"selling_foreign": None}, "OWNERSHIP",
            "who owns the account's shares is not known",
        ),
        ({**SELL, "quantity": Decimal(31)}, "SHORT", "only 30 shares may be sold"),
        ({**SELL, "selling": Decimal(75)}, "SHORT", "only 25 shares may be sold"),
        ({**SELL, "selling": Decimal(105)}, "SHORT", "only 0 shares may be sold"),
        ({**SELL, "working": Decimal(-10)}, "SHORT", "only 20 shares may be sold"),
        ({**SELL, "working": None}, "SHORT", "what may be sold is not known"),
        (
            {"blocked_by": "what became of order ob-1 is not known"}, "BLOCKED",
            "what became of order ob-1 is not known",
        ),
        (
            {"strategy_is_current": False}, "STRATEGY",
            "the strategy was disabled or changed since the run began, or cannot be read",
        ),
        (
            {"strategy_is_current": None}, "STRATEGY",
            "the strategy was disabled or changed since the run began, or cannot be read",
        ),
        (
            {"mode_agrees": False}, "MODE",
            "the configuration's mode is no longer the one the run was started for",
        ),
        ({"trading_state": "HALTED"}, "TRADING_STATE", "trading is HALTED"),
        ({"trading_state": "REDUCING"}, "TRADING_STATE", "trading is REDUCING"),
        ({"trading_state": None}, "TRADING_STATE", "the trading state cannot be read"),
        ({**SELL, "trading_state": "HALTED"}, "TRADING_STATE", "trading is HALTED"),
    ],
)  # fmt: skip
def test_a_bad_figure_is_denied_in_a_traders_words(
    changes: dict[str, Any], code: str, sentence: str
) -> None:
    assert denials(**changes).get(code) == sentence


def test_every_check_is_shown_to_deny() -> None:
    cases = test_a_bad_figure_is_denied_in_a_traders_words.pytestmark[0].args[1]
    assert {code for _, code, _ in cases} == {code.value for code in Code}


@pytest.mark.parametrize("quantity", ["0", "-10"])
@pytest.mark.parametrize("order", [{}, SELL], ids=["BUY", "SELL"])
def test_no_shares_or_fewer_are_no_order(order: dict[str, Any], quantity: str) -> None:
    denied = denials(**(order | {"quantity": Decimal(quantity)}))
    assert denied["FRACTION"] == f"{quantity} is not a positive number of whole shares"
    assert "is no order" in denied["ORDER_VALUE"]


@pytest.mark.parametrize("price", ["0", "-1.00"])
def test_no_price_or_less_is_no_price(price: str) -> None:
    assert (
        denials(limit_price=Decimal(price))["TICK"] == f"a limit of {price} is not in whole cents"
    )


def test_every_reason_is_kept() -> None:
    denied = denials(currency="EUR", halted=True, confidence=Decimal(0))
    assert set(denied) == {"CURRENCY", "TRADABLE", "CONFIDENCE"}


# Exactly at a limit, and the least beyond it

CENT = Decimal("0.01")


@pytest.mark.parametrize(
    ("code", "at", "beyond"),
    [
        ("QUOTE", {"quote_as_of": NOW - 15 * SECOND},
         {"quote_as_of": NOW - 15 * SECOND - timedelta(microseconds=1)}),
        ("QUOTE", {"quote_as_of": NOW + 2 * SECOND},
         {"quote_as_of": NOW + 2 * SECOND + timedelta(microseconds=1)}),
        ("SIGNAL_AGE", {"signal_as_of": NOW - 600 * SECOND},
         {"signal_as_of": NOW - 600 * SECOND - timedelta(microseconds=1)}),
        ("SPREAD", {"bid": Decimal("99.75"), "ask": Decimal("100.25")},
         {"bid": Decimal("99.74"), "ask": Decimal("100.25")}),
        ("SPREAD", {"bid": Decimal(100), "ask": Decimal(100)},
         {"bid": Decimal("100.01"), "ask": Decimal(100)}),
        ("COLLAR", {**HUNDRED, "limit_price": Decimal(101)},
         {**HUNDRED, "limit_price": Decimal("101.01")}),
        ("COLLAR", {**HUNDRED, "limit_price": Decimal(99)},
         {**HUNDRED, "limit_price": Decimal("98.99")}),
        ("SESSION", {"session_opens_at": NOW},
         {"session_opens_at": NOW + timedelta(microseconds=1)}),
        ("SESSION", {"session_closes_at": NOW + timedelta(microseconds=1)},
         {"session_closes_at": NOW}),
        ("DRIFT", {"last": Decimal("101.50")}, {"last": Decimal("101.51")}),
        ("DRIFT", {"last": Decimal("98.50")}, {"last": Decimal("98.49")}),
        ("CONFIDENCE", {"confidence": Decimal("0.55")},
         {"confidence": Decimal("0.5499999999")}),
        ("ORDER_VALUE", {"limit_price": Decimal(500)}, {"limit_price": Decimal("500.01")}),
        ("POSITION_VALUE", {"limit_price": Decimal(200)}, {"limit_price": Decimal("200.01")}),
        ("OWNERSHIP", {"owned_by_all": Decimal(100)}, {"owned_by_all": Decimal("100.1")}),
        ("SHORT", {**SELL, "selling": Decimal(70)}, {**SELL, "selling": Decimal("70.1")}),
        ("TICK", {"limit_price": CENT}, {"limit_price": Decimal("0.001")}),
        ("FRACTION", {"quantity": Decimal(1)}, {"quantity": Decimal("0.999")}),
    ],
)  # fmt: skip
def test_a_limit_itself_passes_and_the_least_beyond_it_does_not(
    code: str, at: dict[str, Any], beyond: dict[str, Any]
) -> None:
    assert code not in denials(**at)
    assert code in denials(**beyond)


# What shrinks a position

OVER = {"quantity": Decimal(100), "owned": Decimal(100), "selling": Decimal(0)}


def test_a_sale_of_what_is_owned_may_be_larger_than_an_order_may() -> None:
    assert denials(**(SELL | OVER)) == {}
    assert set(denials(**OVER)) == {"ORDER_VALUE", "POSITION_VALUE"}


def test_a_sale_of_what_is_not_owned_is_bound_by_every_limit() -> None:
    denied = denials(**(SELL | OVER | {"owned": Decimal(99)}))
    assert set(denied) == {"ORDER_VALUE", "POSITION_VALUE", "SHORT"}


def test_a_reducing_state_lets_out_what_is_owned_and_nothing_in() -> None:
    assert denials(**SELL, trading_state="REDUCING") == {}
    assert set(denials(trading_state="REDUCING")) == {"TRADING_STATE"}
    too_much = SELL | {"quantity": Decimal(31)}
    assert "TRADING_STATE" in denials(**too_much, trading_state="REDUCING")


def test_what_others_hold_is_never_sold() -> None:
    """The account holds 100, of which the strategy bought 30 and others 20."""
    assert "SHORT" in denials(**(SELL | {"quantity": Decimal(50)}))
