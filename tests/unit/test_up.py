"""What `openbell up` says of orders, and the day on which it begins."""

import json
from datetime import datetime, timedelta

import pytest

from scripts.sandbox.analyst import opinion
from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.history import bars
from scripts.sandbox.market import Market
from scripts.sandbox.prices import daily_prices, dollars
from scripts.sandbox.sessions import nyse
from scripts.up import FIRST_MOMENT, orders
from worker.market.indicators import indicators_of
from worker.models.market import Bar
from worker.models.strategy import Mode
from worker.schedule.strategies import StrategyFiles
from worker.settings import PROJECT_ROOT

MARKET = Market(nyse(), daily_prices())
FIRST = StrategyFiles(PROJECT_ROOT / "config" / "strategies").by_id(1)
BEGINS = datetime.fromisoformat(FIRST_MOMENT).replace(tzinfo=NEW_YORK)


def signal(symbol: str, at: datetime) -> str:
    """What the scripted analyst says of the figures that a run would show it."""
    tick = MARKET.tick(symbol, at)
    assert tick is not None
    finished = bars(MARKET, symbol, f"{FIRST.signal.bars}d", "1d", at)[:-1]
    figures = indicators_of(
        [
            Bar(
                time=bar.start,
                volume=bar.volume,
                **{name: dollars(getattr(bar, name)) for name in ("open", "high", "low", "close")},
            )
            for bar in finished
        ]
    )
    seen = {"symbol": symbol, "last": str(tick.last), **figures.to_json()}
    return str(json.loads(opinion(seen).text())["signal"])


def test_it_begins_shortly_before_an_open() -> None:
    opens = MARKET.sessions.at(BEGINS + timedelta(seconds=40))
    assert opens is not None
    assert MARKET.sessions.at(BEGINS) is None
    assert BEGINS + timedelta(seconds=40) == opens.opens


@pytest.mark.parametrize("minutes", range(30))
def test_whoever_looks_first_sees_each_symbol_bought(minutes: int) -> None:
    opens = BEGINS + timedelta(seconds=40)
    at = opens + FIRST.market.not_before_open + timedelta(minutes=minutes)
    said = {symbol: signal(symbol, at) for symbol in FIRST.symbols}
    assert said == dict.fromkeys(("AAPL", "GOOGL", "MSFT"), "BUY")


@pytest.mark.parametrize(
    ("mode", "in_sandbox", "expected"),
    [
        ("dry", False, "none, every run is dry; --no-dry-run is refused (mode: dry)"),
        (
            "paper",
            False,
            "by --no-dry-run, to a server that proves to be the sandbox; "
            "at any other each is denied",
        ),
        ("paper", True, "on paper and to the sandbox alone, by --no-dry-run"),
    ],
)
def test_where_orders_go_is_said(mode: Mode, in_sandbox: bool, expected: str) -> None:
    assert orders(mode, in_sandbox) == expected
