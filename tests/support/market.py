"""Quotes and bars for tests of what looks at a market."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from worker.models.market import Bar, Quote

NOW = datetime(2013, 2, 27, 14, 32, tzinfo=UTC)


def quote(last: str | None = "130.00", **changes: Any) -> Quote:
    data: dict[str, Any] = {
        "symbol": "AAPL",
        "conid": 265598,
        "as_of": NOW - timedelta(seconds=2),
        "bid": Decimal("129.99"),
        "ask": Decimal("130.01"),
        "last": Decimal(last) if last is not None else None,
        "previous_close": Decimal("128.50"),
        "availability": "RpB",
    }
    return Quote(**(data | changes))


def bars(count: int = 60) -> list[Bar]:
    """Daily bars of a rise that quickens, with a fall every third day; the last is yesterday's."""
    found = []
    for index in range(count):
        fall = 3 if index % 3 == 1 else 0
        price = (Decimal(100) + Decimal(index * index) / 120 - fall).quantize(Decimal("0.01"))
        found.append(
            Bar(
                time=NOW - timedelta(days=count - index, minutes=2),
                open=price,
                high=price + 1,
                low=price - 1,
                close=price,
                volume=Decimal(1_000_000),
            )
        )
    return found
