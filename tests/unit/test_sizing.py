"""From a signal to an order: rounded toward less risk, or no order at all."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.market import NOW, quote
from worker.models.market import Quote
from worker.models.signal import Signal
from worker.models.strategy import OrderRules, Sizing
from worker.risk.figures import SizedOrder
from worker.risk.sizing import CannotSize, limit_price, size

FIVE_THOUSAND = Sizing(value_usd=Decimal(5000))
RULES = OrderRules()  # a collar of 25 bps


def signal(side: Any) -> Signal:
    return Signal(
        symbol="AAPL", side=side, confidence=Decimal("0.8"), rationale="-", analyst="rules",
        as_of=NOW,
    )  # fmt: skip


def sized(
    side: str = "BUY",
    owned: Any = 0,
    working: Any = 0,
    sizing: Sizing = FIVE_THOUSAND,
    rules: OrderRules = RULES,
    given: Quote | None = None,
) -> SizedOrder | str:
    """The order, or why there is none. At 130.00 a share of 5,000 dollars are 38 shares."""
    try:
        return size(
            signal(side),
            given or quote(),
            None if owned is None else Decimal(owned),
            None if working is None else Decimal(working),
            sizing,
            rules,
        )
    except CannotSize as reason:
        return str(reason)


def order(side: Any, quantity: Any, limit: str) -> SizedOrder:
    return SizedOrder(side=side, quantity=Decimal(quantity), limit_price=Decimal(limit))


def test_a_buy_asks_for_as_many_whole_shares_as_the_money_buys_at_the_limit() -> None:
    assert sized() == order("BUY", 38, "130.32")  # 38 x 130.32 = 4,952.16
    just_enough = Sizing(value_usd=Decimal("130.32") * 38)
    assert sized(sizing=just_enough) == order("BUY", 38, "130.32")
    just_too_little = Sizing(value_usd=Decimal("130.32") * 38 - Decimal("0.01"))
    assert sized(sizing=just_too_little) == order("BUY", 37, "130.32")


def test_a_fixed_quantity_is_that_quantity() -> None:
    assert sized(sizing=Sizing(method="fixed_quantity", quantity=7)) == order("BUY", 7, "130.32")


def test_a_limit_stays_within_its_collar() -> None:
    """130.00 and 25 bps are 130.325 and 129.675: each is rounded toward the middle."""
    assert limit_price(True, quote(), Decimal(25)) == Decimal("130.32")
    assert limit_price(False, quote(), Decimal(25)) == Decimal("129.68")
    assert limit_price(True, quote(), Decimal(0)) == limit_price(False, quote(), Decimal(0)) == 130


@given(
    st.decimals("0.02", "100000", places=2),
    st.decimals("0.00", "50", places=2),
    st.decimals(0, 500, places=1),
)
def test_no_limit_leaves_its_collar(bid: Decimal, spread: Decimal, collar: Decimal) -> None:
    given_quote = quote(bid=bid, ask=bid + spread)
    middle = bid + spread / 2
    buy, sell = (limit_price(side, given_quote, collar) for side in (True, False))
    assert buy <= middle * (1 + collar / 10_000)
    assert sell >= middle * (1 - collar / 10_000)
    assert buy % Decimal("0.01") == sell % Decimal("0.01") == 0


@given(
    st.sampled_from(["BUY", "SELL", "HOLD"]),
    st.none() | st.decimals(-10, 10**30, allow_nan=False, allow_infinity=False),
    st.none() | st.decimals(-10, 10**30, allow_nan=False, allow_infinity=False),
    st.none() | st.decimals(-100, 100, places=1),
    st.none() | st.decimals(-100, 100, places=1),
    st.decimals("0.01", 10**9, places=2),
)
def test_whatever_is_known_there_is_one_order_within_its_size_or_a_reason(
    side: str, bid: Any, ask: Any, owned: Any, working: Any, value: Decimal
) -> None:
    found = sized(side, owned, working, Sizing(value_usd=value), given=quote(bid=bid, ask=ask))
    if isinstance(found, SizedOrder):
        assert found.quantity > 0
        assert found.side == side
        if side == "SELL":
            assert found.quantity == owned + working
        else:
            assert (owned + working + found.quantity) * found.limit_price <= value
    else:
        assert found


def test_a_target_counts_what_is_owned_and_what_is_on_order() -> None:
    assert sized(owned=20) == order("BUY", 18, "130.32")
    assert sized(owned=20, working=10) == order("BUY", 8, "130.32")


def test_nothing_is_bought_while_a_sale_of_its_own_works() -> None:
    assert sized(owned=40, working=-20) == "a sale of its own is still working"


@pytest.mark.parametrize(("owned", "working"), [(38, 0), (0, 38), (39, 0), (100, 0), (20, 18)])
def test_a_target_that_is_reached_buys_nothing_more(owned: int, working: int) -> None:
    assert sized(owned=owned, working=working) == (
        f"it owns {owned} and {working} are on order: the target is reached"
    )


def test_a_second_buy_is_not_set_off_by_a_price_that_moved_a_little() -> None:
    """A tenth of 38 shares is 3.8: with 35 the target counts as reached, with 34 not."""
    assert "reached" in str(sized(owned=35))
    assert sized(owned=34) == order("BUY", 4, "130.32")
    assert "reached" in str(sized(owned=0, working=35))
    forty = Sizing(value_usd=Decimal("130.32") * 40)
    assert "reached" in str(sized(owned=36, sizing=forty))
    assert sized(owned=35, sizing=forty) == order("BUY", 5, "130.32")


def test_a_fixed_quantity_is_topped_up_to_the_last_share() -> None:
    ten = Sizing(method="fixed_quantity", quantity=10)
    assert sized(owned=9, sizing=ten) == order("BUY", 1, "130.32")


def test_a_first_buy_is_made_however_small() -> None:
    assert sized(sizing=Sizing(value_usd=Decimal(131))) == order("BUY", 1, "130.32")


def test_a_target_too_small_for_a_share_says_so() -> None:
    assert sized(sizing=Sizing(value_usd=Decimal(130))) == (
        "too small: $130 buys no whole share at 130.32"
    )


def test_a_sell_sells_all_that_is_owned_but_for_what_is_being_sold() -> None:
    assert sized("SELL", owned=30) == order("SELL", 30, "129.68")
    assert sized("SELL", owned=30, working=-10) == order("SELL", 20, "129.68")


def test_nothing_is_sold_while_a_purchase_of_its_own_works() -> None:
    assert sized("SELL", owned=30, working=8) == "a purchase of its own is still working"


@pytest.mark.parametrize(("owned", "working"), [(0, 0), (30, -30), (30, -31), (-1, 0)])
def test_a_sell_of_nothing_is_no_order(owned: int, working: int) -> None:
    assert sized("SELL", owned, working) == "the strategy owns nothing to sell"


def test_a_hold_is_no_order() -> None:
    assert sized("HOLD", owned=30) == "the signal is to hold"


@pytest.mark.parametrize(("owned", "working"), [(None, 0), (0, None), (None, None)])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_what_is_owned_must_be_known(side: str, owned: Any, working: Any) -> None:
    assert sized(side, owned, working) == "what the strategy owns is not known"


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize(
    "changes",
    [
        {"bid": None}, {"ask": None}, {"bid": Decimal(0)}, {"bid": Decimal(-1)},
        {"bid": Decimal("130.02")},
    ],
)  # fmt: skip
def test_without_a_quote_there_is_no_size(side: str, changes: Any) -> None:
    assert sized(side, owned=5, given=quote(**changes)) == "there is no quote to size by"


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_a_price_that_is_no_number_is_no_quote(number: str) -> None:
    broken = Quote.model_construct(**(dict(quote()) | {"ask": Decimal(number)}))
    try:
        assert sized(given=broken) == "there is no quote to size by"
    except ArithmeticError:
        assert number == "NaN"  # and no order


def test_a_price_of_less_than_a_cent_is_no_size() -> None:
    tiny = quote(bid=Decimal("0.001"), ask=Decimal("0.002"))
    assert sized(given=tiny) == "there is no size to aim at"


def test_a_price_beyond_reason_is_no_size() -> None:
    assert "cannot be right" in str(sized(given=quote(bid=Decimal(10**30), ask=Decimal(10**30))))


def test_a_fraction_that_is_owned_is_not_rounded_away() -> None:
    """The check on fractions then denies it by name."""
    assert sized("SELL", owned="0.5") == order("SELL", "0.5", "129.68")
    assert sized(owned="0.5", sizing=Sizing(method="fixed_quantity", quantity=2)) == (
        order("BUY", "1.5", "130.32")
    )
