"""Small builders of values that many tests need."""

from datetime import UTC, datetime
from typing import Any

from worker.models.run import Run
from worker.models.strategy import Strategy

OPEN = datetime(2013, 2, 27, 14, 30, tzinfo=UTC)


def strategy(**changes: Any) -> Strategy:
    data: dict[str, Any] = {
        "id": 1,
        "name": "momentum",
        "symbols": ["AAPL", "MSFT"],
        "sizing": {"method": "fixed_value", "value_usd": 5000},
    }
    return Strategy.model_validate(data | changes)


def run(**changes: Any) -> Run:
    chosen = changes.pop("strategy", None) or strategy()
    data: dict[str, Any] = {
        "run_id": "20130227-143000-1-aaaaaaaa",
        "slot": "manual:1",
        "strategy": chosen,
        "mode": "dry",
        "symbols": chosen.symbols,
        "due_at": OPEN,
    }
    return Run(**(data | changes))
