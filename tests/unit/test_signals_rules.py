"""The rules analyst: the same figures, the same signal, and none where a figure is missing."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.market import NOW, bars, quote
from worker.market.indicators import indicators_of
from worker.models.indicators import Indicators
from worker.models.market import Bar, Quote
from worker.models.signal import Signal
from worker.signals.rules import RulesAnalyst

UP = Indicators(
    bars=60,
    sma_20=Decimal(120),
    sma_50=Decimal(110),
    rsi_14=Decimal(62),
    atr_14=Decimal(10),
    macd_histogram=Decimal("0.31"),
)
DOWN = UP.evolve(
    sma_20=Decimal(140), sma_50=Decimal(150), rsi_14=Decimal(38), macd_histogram=Decimal("-0.31")
)


def analyse(figures: Indicators, found: Quote | None = None, **changes: Any) -> Signal:
    analyst = RulesAnalyst(lambda _: figures)
    data: dict[str, Any] = {
        "symbol": "AAPL",
        "quote": found or quote(),
        "bars": bars(),
        "owned": Decimal(0),
    }
    return analyst.analyse(**(data | {"now": NOW} | changes))


def signal(side: str, confidence: str, rationale: str) -> Signal:
    return Signal.model_validate(
        {
            "symbol": "AAPL",
            "side": side,
            "confidence": confidence,
            "rationale": rationale,
            "analyst": "rules",
            "as_of": NOW,
            "price_usd": "130.00",
        }
    )


UP_WORDS = "last 130.00, 20-day mean 120.00, 50-day mean 110.00, RSI"
DOWN_WORDS = "last 130.00, 20-day mean 140.00, 50-day mean 150.00, RSI"


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        (
            UP,
            signal(
                "BUY",
                "0.82",
                f"uptrend with rising momentum: {UP_WORDS} 62, MACD histogram +0.31",
            ),
        ),
        (
            DOWN,
            signal(
                "SELL",
                "0.82",
                f"downtrend with falling momentum: {DOWN_WORDS} 38, MACD histogram -0.31",
            ),
        ),
        (
            UP.evolve(rsi_14=Decimal(70)),
            signal("HOLD", "0.50", f"uptrend, but overbought: {UP_WORDS} 70, MACD histogram +0.31"),
        ),
        (
            UP.evolve(macd_histogram=Decimal(0)),
            signal(
                "HOLD", "0.50", f"uptrend, but momentum fades: {UP_WORDS} 62, MACD histogram +0.00"
            ),
        ),
        (
            DOWN.evolve(macd_histogram=Decimal(1)),
            signal(
                "HOLD",
                "0.50",
                f"downtrend, but momentum recovers: {DOWN_WORDS} 38, MACD histogram +1.00",
            ),
        ),
        (
            UP.evolve(sma_20=Decimal(131)),
            signal(
                "HOLD",
                "0.50",
                "no clear trend: last 130.00, 20-day mean 131.00, 50-day mean 110.00, RSI 62, "
                "MACD histogram +0.31",
            ),
        ),
    ],
)
def test_the_trend_and_its_momentum_make_the_signal(figures: Indicators, expected: Signal) -> None:
    assert analyse(figures) == expected


def test_the_farther_the_means_the_surer_up_to_an_end() -> None:
    far = analyse(UP.evolve(atr_14=Decimal("0.01"))).confidence
    near = analyse(UP.evolve(atr_14=Decimal(1000), rsi_14=Decimal(40))).confidence
    assert (near, far) == (Decimal("0.60"), Decimal("0.95"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quote": None}, "there is no quote"),
        ({"quote": quote(None)}, "the quote has no last price"),
        ({"quote": quote("0")}, "the quote has no last price"),
        ({"quote": quote(symbol="MSFT")}, "the quote is of MSFT"),
        ({"quote": quote(last_is_close=True)}, "the last price is an earlier session's close"),
        ({"quote": quote(as_of=None)}, "the quote does not say when it was made"),
        (
            {"quote": quote(as_of=NOW + timedelta(seconds=6))},
            "the quote is from the future (2013-02-27 14:32:06 UTC)",
        ),
    ],
)
def test_without_a_usable_price_it_abstains(changes: dict[str, Any], reason: str) -> None:
    found = RulesAnalyst(lambda _: UP).analyse(
        symbol="AAPL", quote=changes["quote"], bars=bars(), owned=Decimal(0), now=NOW
    )
    last = changes["quote"].last if changes["quote"] else None
    assert found == Signal(
        symbol="AAPL",
        side="HOLD",
        confidence=Decimal(0),
        rationale=f"abstained: {reason}",
        analyst="rules",
        as_of=NOW,
        price_usd=last,
        abstained=reason,
    )


@pytest.mark.parametrize("missing", ["sma_20", "sma_50", "rsi_14", "atr_14", "macd_histogram"])
def test_a_figure_that_is_not_known_abstains(missing: str) -> None:
    found = analyse(UP.evolve(**{missing: None}))
    assert (found.side, found.abstained) == ("HOLD", "only 60 complete bars, 50 are needed")


def test_real_indicators_over_too_few_bars_abstain() -> None:
    found = RulesAnalyst(indicators_of).analyse(
        symbol="AAPL", quote=quote(), bars=bars(49), owned=Decimal(0), now=NOW
    )
    assert found.abstained == "only 49 complete bars, 50 are needed"


def test_real_indicators_of_a_steady_rise_say_buy() -> None:
    found = RulesAnalyst(indicators_of).analyse(
        symbol="AAPL", quote=quote(), bars=bars(60), owned=Decimal(0), now=NOW
    )
    assert found.side == "BUY"


def poisoned(time_shift: timedelta, *, partial: bool) -> Bar:
    return bars(1)[0].evolve(
        time=NOW + time_shift, close=Decimal(9999), high=Decimal(9999), partial=partial
    )


@pytest.mark.parametrize(
    "bar",
    [
        poisoned(timedelta(minutes=-2), partial=True),  # the running session's
        poisoned(timedelta(days=1), partial=False),  # tomorrow's
        poisoned(timedelta(seconds=1), partial=False),
    ],
)
def test_a_bar_that_is_not_finished_by_now_changes_nothing(bar: Bar) -> None:
    clean: dict[str, Any] = {"symbol": "AAPL", "quote": quote(), "owned": Decimal(0), "now": NOW}
    analyst = RulesAnalyst(indicators_of)
    expected = analyst.analyse(**clean, bars=bars(60))
    assert analyst.analyse(**clean, bars=[*bars(60), bar]) == expected
