"""The chart is a picture that shows what was seen and said; nothing in the words breaks it."""

import struct
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest

from tests.support.records import bars, signal
from worker.market.charts import price_chart


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def shows(png: bytes, colour: tuple[int, int, int]) -> bool:
    """Have more than 20 pixels that colour, or nearly so?"""
    from matplotlib.image import imread

    pixels = imread(BytesIO(png), format="png")[:, :, :3] * 255
    return bool((abs(pixels - colour).max(axis=2) < 2).sum() > 20)


GREEN, RED, GREY = (18, 135, 111), (201, 64, 58), (97, 110, 124)
LIGHT_GREEN = (172, 213, 205)  # a partial bar's


@pytest.mark.parametrize(("side", "colour"), [("BUY", GREEN), ("SELL", RED), ("HOLD", GREY)])
def test_a_signal_is_marked_in_its_colour(side: Any, colour: tuple[int, int, int]) -> None:
    falling = [bar.evolve(open=bar.close, close=bar.open) for bar in bars()]
    rising_or_falling = falling if side == "BUY" else bars()
    bare = price_chart("AAPL", rising_or_falling)
    marked = price_chart("AAPL", rising_or_falling, signal("AAPL", side, "0.72"))
    assert size(marked) == size(bare) == (1200, 675)
    assert not shows(bare, colour)
    assert shows(marked, colour)


def test_the_running_sessions_bar_is_lighter() -> None:
    complete = [bar.evolve(partial=False) for bar in bars()]
    assert shows(price_chart("AAPL", bars()), LIGHT_GREEN)
    assert not shows(price_chart("AAPL", complete), LIGHT_GREEN)


def test_only_the_last_120_bars_are_drawn() -> None:
    many = bars(300)
    assert price_chart("AAPL", many) == price_chart("AAPL", many[-140:])
    assert price_chart("AAPL", many) != price_chart("AAPL", many[-119:])


@pytest.mark.parametrize("text", ["$1 < $2 and $x^", "\\frac{", "涨势 and more", "a" * 160, " "])
def test_no_words_of_a_model_break_the_chart(text: str) -> None:
    given = signal("AAPL", "BUY", "0.5", rationale=text, analyst="model $gpt$")
    assert size(price_chart("BRK B", bars(), given, note="$ note")) == (1200, 675)


def test_a_note_is_shown_only_where_it_is_given() -> None:
    assert price_chart("AAPL", bars(), note="Sandbox") != price_chart("AAPL", bars())


def test_few_flat_bars_are_a_chart_too() -> None:
    flat = [
        bar.evolve(open=Decimal(5), high=Decimal(5), low=Decimal(5), close=Decimal(5))
        for bar in bars(2)
    ]
    given = signal("AAPL", "HOLD", "0", abstained="the answer is no JSON", price_usd=None)
    assert size(price_chart("AAPL", flat[:1], given)) == (1200, 675)
    assert size(price_chart("AAPL", flat)) == (1200, 675)


def test_charts_drawn_by_many_threads_are_the_same() -> None:
    with ThreadPoolExecutor(4) as pool:
        charts = list(pool.map(lambda _: price_chart("AAPL", bars()), range(8)))
    assert len(set(charts)) == 1
