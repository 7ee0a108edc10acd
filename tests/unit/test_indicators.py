"""Indicators against their definitions, and bars that must not be looked at."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from worker.market.bars import bars_from_json, bars_to_json, mark_partial
from worker.market.calendar import Hours
from worker.market.indicators import indicators_of
from worker.models.indicators import Indicators
from worker.models.market import Bar

FIRST = datetime(2012, 11, 1, 13, 30, tzinfo=UTC)
TODAY = Hours(
    opens_at=datetime(2013, 2, 27, 14, 30, tzinfo=UTC),
    closes_at=datetime(2013, 2, 27, 21, 0, tzinfo=UTC),
)


def bar(day: int, close: str, *, partial: bool = False) -> Bar:
    price = Decimal(close)
    return Bar(
        time=FIRST + timedelta(days=day),
        open=price,
        high=price + 1,
        low=price - 1,
        close=price,
        volume=Decimal(1000),
        partial=partial,
    )


def wave(count: int) -> list[Bar]:
    """Rises for four days of five."""
    return [bar(day, f"{100 + day * 0.5 - (2 if day % 5 == 4 else 0):.2f}") for day in range(count)]


def mean(bars: Sequence[Bar], count: int) -> Decimal:
    return (sum(bar.close for bar in bars[-count:]) / Decimal(count)).quantize(Decimal("0.0001"))


def rsi_14(bars: Sequence[Bar]) -> Decimal:
    """Wilder's definition, by hand."""
    changes = [later.close - earlier.close for earlier, later in pairwise(bars)]
    gain = sum((max(change, Decimal(0)) for change in changes[:14]), Decimal(0)) / 14
    loss = sum((max(-change, Decimal(0)) for change in changes[:14]), Decimal(0)) / 14
    for change in changes[14:]:
        gain = (gain * 13 + max(change, Decimal(0))) / 14
        loss = (loss * 13 + max(-change, Decimal(0))) / 14
    return (100 - 100 / (1 + gain / loss)).quantize(Decimal("0.01"))


def test_each_figure_is_what_its_definition_says() -> None:
    bars = wave(80)
    found = indicators_of(bars)
    assert (found.bars, found.as_of) == (80, bars[-1].time)
    assert (found.sma_20, found.sma_50) == (mean(bars, 20), mean(bars, 50))
    assert found.rsi_14 == rsi_14(bars)
    assert found.atr_14 is not None
    assert Decimal(2) < found.atr_14 < Decimal(4)
    assert found.macd_histogram is not None


def test_a_steady_rise_has_the_true_range_of_its_bars_and_no_macd_histogram() -> None:
    found = indicators_of([bar(day, str(100 + day)) for day in range(120)])
    assert found.atr_14 == Decimal("2.0000")
    assert found.rsi_14 == Decimal("100.00")
    assert found.macd_histogram is not None
    assert abs(found.macd_histogram) < Decimal("0.01")


@pytest.mark.parametrize(
    ("name", "needed"),
    [("sma_20", 20), ("sma_50", 50), ("rsi_14", 15), ("atr_14", 15), ("macd_histogram", 34)],
)
def test_a_figure_is_unknown_until_there_are_enough_bars(name: str, needed: int) -> None:
    assert getattr(indicators_of(wave(needed - 1)), name) is None
    assert getattr(indicators_of(wave(needed)), name) is not None


def test_no_bars_give_no_figures() -> None:
    assert indicators_of([]) == Indicators()
    assert indicators_of([bar(0, "100", partial=True)]) == Indicators()


def test_the_running_bar_changes_nothing() -> None:
    bars = wave(60)
    assert indicators_of([*bars, bar(60, "9999", partial=True)]) == indicators_of(bars)


def test_bars_in_another_order_give_the_same_figures() -> None:
    bars = wave(60)
    assert indicators_of(bars[::-1]) == indicators_of(bars)


def test_bars_come_back_from_json_exactly() -> None:
    bars = (bar(0, "444.570000001"), bar(1, "0.1", partial=True))
    assert bars_from_json(bars_to_json(bars)) == bars


@pytest.mark.parametrize(
    ("time", "partial"),
    [
        ("2013-02-27T14:30:00+00:00", True),  # the open, as the broker stamps a daily bar
        ("2013-02-27T05:00:00+00:00", True),  # midnight in New York
        ("2013-02-27T00:00:00+00:00", True),  # midnight in UTC
        ("2013-02-27T20:59:00+00:00", True),  # a minute of the session
        ("2013-02-26T14:30:00+00:00", False),
        ("2013-02-26T05:00:00+00:00", False),
        ("2013-02-26T00:00:00+00:00", False),
        ("2013-02-26T20:59:00+00:00", False),
    ],
)
def test_a_bar_of_the_running_session_is_partial(time: str, partial: bool) -> None:
    found = bar(0, "100").evolve(time=datetime.fromisoformat(time))
    assert mark_partial([found], TODAY) == (found.evolve(partial=partial),)


def test_once_the_session_is_over_its_bar_is_complete() -> None:
    found = bar(0, "100").evolve(time=TODAY.opens_at, partial=True)
    assert mark_partial([found], TODAY, TODAY.closes_at) == (found.evolve(partial=False),)
    almost = TODAY.closes_at - timedelta(seconds=1)
    assert mark_partial([found], TODAY, almost) == (found,)
