"""The strictest limit of account and strategy holds."""

from datetime import timedelta
from decimal import Decimal

from worker.models.strategy import RiskRules
from worker.risk.figures import Limits


def strictest(account: Limits, strategy: RiskRules) -> Limits:
    """The account's limits, tightened where the strategy's are tighter; never widened."""
    return account.evolve(
        max_order_value_usd=_least(account.max_order_value_usd, strategy.max_order_value_usd),
        max_position_value_usd=_least(
            account.max_position_value_usd, strategy.max_position_value_usd
        ),
        max_drift_bps=_least(account.max_drift_bps, strategy.max_drift_bps),
        max_signal_age=_least_age(account.max_signal_age, strategy.max_signal_age),
        min_confidence=max(account.min_confidence, strategy.min_confidence or Decimal(0)),
    )


def _least(account: Decimal, strategy: Decimal | None) -> Decimal:
    return account if strategy is None else min(account, strategy)


def _least_age(account: timedelta, strategy: timedelta | None) -> timedelta:
    return account if strategy is None else min(account, strategy)
