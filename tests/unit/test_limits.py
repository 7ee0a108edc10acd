"""A strategy can tighten the account's limits and never widen them."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from worker.models.strategy import RiskRules
from worker.risk.figures import Limits
from worker.risk.limits import strictest

ACCOUNT = Limits(
    max_order_value_usd=Decimal(10_000),
    max_position_value_usd=Decimal(25_000),
    allowed_symbols=("AAPL",),
    max_collar_bps=Decimal(100),
    max_spread_bps=Decimal(50),
    max_quote_age=timedelta(seconds=15),
    max_signal_age=timedelta(minutes=10),
    max_drift_bps=Decimal(150),
    min_confidence=Decimal("0.55"),
)


def test_a_strategy_without_limits_has_the_accounts() -> None:
    assert strictest(ACCOUNT, RiskRules()) == ACCOUNT


def test_tighter_limits_hold() -> None:
    tight = RiskRules(
        max_order_value_usd=Decimal(1), max_position_value_usd=Decimal(2), max_drift_bps=Decimal(3),
        max_signal_age=timedelta(seconds=4), min_confidence=Decimal("0.9"),
    )  # fmt: skip
    assert strictest(ACCOUNT, tight) == ACCOUNT.evolve(
        max_order_value_usd=Decimal(1), max_position_value_usd=Decimal(2), max_drift_bps=Decimal(3),
        max_signal_age=timedelta(seconds=4), min_confidence=Decimal("0.9"),
    )  # fmt: skip


def test_wider_limits_do_not() -> None:
    wide = RiskRules(
        max_order_value_usd=Decimal(10**6), max_position_value_usd=Decimal(10**6),
        max_drift_bps=Decimal(1000), max_signal_age=timedelta(days=9), min_confidence=Decimal(0),
    )  # fmt: skip
    assert strictest(ACCOUNT, wide) == ACCOUNT


AMOUNT = st.none() | st.decimals("0.01", 10**6, places=2)


@given(
    AMOUNT,
    AMOUNT,
    AMOUNT,
    st.none() | st.timedeltas(timedelta(0), timedelta(days=1)),
    st.none() | st.decimals(0, 1, places=2),
)
def test_no_strategy_widens_a_limit(
    order: Decimal, position: Decimal, drift: Decimal, signal_age: timedelta, confidence: Decimal
) -> None:
    rules = RiskRules(
        max_order_value_usd=order, max_position_value_usd=position, max_drift_bps=drift,
        max_signal_age=signal_age, min_confidence=confidence,
    )  # fmt: skip
    found = strictest(ACCOUNT, rules)
    assert found.max_order_value_usd <= ACCOUNT.max_order_value_usd
    assert found.max_position_value_usd <= ACCOUNT.max_position_value_usd
    assert found.max_drift_bps <= ACCOUNT.max_drift_bps
    assert found.max_signal_age <= ACCOUNT.max_signal_age
    assert found.min_confidence >= ACCOUNT.min_confidence
    for name in ("allowed_symbols", "max_collar_bps", "max_spread_bps", "max_quote_age"):
        assert getattr(found, name) == getattr(ACCOUNT, name)
