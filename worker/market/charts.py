"""The price chart a person looks at: candles, their average, and the signal where it was given."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from worker.models.market import Bar
from worker.models.signal import Signal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS_SHOWN = 120
AVERAGE = 20
_UP, _DOWN, _INK, _FAINT, _LINE = "#12876f", "#c9403a", "#1f2933", "#7b8794", "#2f5fb3"
_SIDES = {"BUY": (_UP, "^"), "SELL": (_DOWN, "v"), "HOLD": ("#616e7c", "D")}
_HALF_A_CANDLE = 0.34
_EXCHANGE_ZONE = ZoneInfo("America/New_York")
# matplotlib's font cache and text layout are not made for threads.
_ONE_AT_A_TIME = threading.Lock()


def price_chart(
    symbol: str, bars: Sequence[Bar], signal: Signal | None = None, *, note: str | None = None
) -> bytes:
    """A PNG of the last 120 of at least one bar, oldest first. `note` stands under the chart."""
    with _ONE_AT_A_TIME:
        return _draw(symbol, bars, signal, note)


def _draw(symbol: str, bars: Sequence[Bar], signal: Signal | None, note: str | None) -> bytes:
    # The object interface: pyplot would keep each figure, and is not made for threads.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = bars[-BARS_SHOWN:]
    figure = Figure(figsize=(12, 6.75), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.03, 0.13, 0.90, 0.70))
    _candles(axes, shown)
    _average(axes, bars, len(shown))
    _limits(axes, shown)
    if signal is not None:
        _mark(axes, shown, signal)
    _time_axis(axes, shown)
    _price_axis(axes)
    _legend(axes)
    _captions(axes, symbol, shown, signal, note)
    out = BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _candles(axes: "Axes", bars: Sequence[Bar]) -> None:
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.colors import to_rgba

    wicks, bodies, colours = [], [], []
    for at, bar in enumerate(bars):
        low, high, first, last = map(float, (bar.low, bar.high, bar.open, bar.close))
        left, right = at - _HALF_A_CANDLE, at + _HALF_A_CANDLE
        wicks.append([(at, low), (at, high)])
        bodies.append([(left, first), (right, first), (right, last), (left, last)])
        colours.append(to_rgba(_UP if last >= first else _DOWN, 0.35 if bar.partial else 1.0))
    axes.add_collection(LineCollection(wicks, colors=colours, linewidths=1.0, zorder=2))
    axes.add_collection(
        PolyCollection(bodies, facecolors=colours, edgecolors=colours, linewidths=0.8, zorder=3)
    )
    if bars[-1].partial:
        label = "running session, not complete"
        axes.plot([], [], color=colours[-1], linewidth=6, label=label)


def _average(axes: "Axes", bars: Sequence[Bar], shown: int) -> None:
    """The simple average of complete bars, from before the chart's first where there are any."""
    import numpy

    closes = [float(bar.close) for bar in bars if not bar.partial]
    if len(closes) < AVERAGE:
        return
    means = numpy.convolve(closes, numpy.ones(AVERAGE) / AVERAGE, mode="valid")
    places = numpy.arange(AVERAGE - 1, len(closes)) - (len(bars) - shown)
    inside = places >= 0
    label = f"average of {AVERAGE} bars"
    axes.plot(places[inside], means[inside], color=_LINE, linewidth=1.4, label=label, zorder=4)


def _limits(axes: "Axes", bars: Sequence[Bar]) -> None:
    low, high = float(min(bar.low for bar in bars)), float(max(bar.high for bar in bars))
    room = (high - low) * 0.10 or high * 0.01
    axes.set_ylim(low - room, high + room)
    width = max(len(bars), 40)
    axes.set_xlim(len(bars) - width - 1, len(bars) + width * 0.09)


def _mark(axes: "Axes", bars: Sequence[Bar], signal: Signal) -> None:
    """The signal beside the last bar, at the price the analyst saw."""
    colour, marker = _SIDES[signal.side]
    price = float(bars[-1].close if signal.price_usd is None else signal.price_usd)
    at = len(bars) - 1
    axes.axhline(price, color=colour, linewidth=0.9, linestyle=(0, (4, 4)), alpha=0.7, zorder=1)
    axes.plot(
        [at + 2], [price], marker=marker, markersize=12, color=colour, markeredgecolor="white",
        linestyle="none", zorder=6,
    )  # fmt: skip
    axes.annotate(
        signal.side if signal.abstained else _verdict(signal), (at + 2, price), (10, 0),
        textcoords="offset points", va="center", fontsize=10, fontweight="bold", color="white",
        bbox={"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "none"},
        zorder=7, annotation_clip=False,
    )  # fmt: skip


def _time_axis(axes: "Axes", bars: Sequence[Bar]) -> None:
    """Bars stand side by side, whatever nights and holidays lie between them."""
    places = list(range(0, len(bars), max(1, -(-len(bars) // 9))))
    daily, labels, year = _are_daily(bars), [], None
    for place in places:
        time = bars[place].time if daily else bars[place].time.astimezone(_EXCHANGE_ZONE)
        label = time.strftime("%d %b" if daily else "%d %b\n%H:%M")
        labels.append(f"{label}\n{time.year}" if daily and time.year != year else label)
        year = time.year
    axes.set_xticks(places, labels, fontsize=9, color=_FAINT)
    axes.tick_params(axis="x", length=0)


def _are_daily(bars: Sequence[Bar]) -> bool:
    return len(bars) < 2 or bars[-1].time - bars[-2].time > timedelta(hours=12)


def _price_axis(axes: "Axes") -> None:
    from matplotlib.ticker import StrMethodFormatter

    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.2f}"))
    axes.set_ylabel("USD", color=_FAINT, fontsize=10)
    axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=_FAINT)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#cbd2d9")


def _legend(axes: "Axes") -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend(
            loc="lower left", bbox_to_anchor=(-0.008, 1.0), ncols=2, frameon=False, fontsize=9,
            labelcolor=_FAINT,
        )  # fmt: skip


def _captions(
    axes: "Axes", symbol: str, bars: Sequence[Bar], signal: Signal | None, note: str | None
) -> None:
    def write(x: float, y: float, text: str, **style: Any) -> None:
        # A $ is a price here, not the start of a formula.
        axes.figure.text(x, y, _plain(text), **{"parse_math": False, "va": "top", **style})

    write(0.03, 0.975, symbol, fontsize=19, fontweight="bold", color=_INK)
    write(0.03, 0.915, _subtitle(bars, signal), fontsize=10.5, color=_FAINT)
    if note:
        write(0.97, 0.965, note, fontsize=9.5, color=_DOWN, ha="right")
    if signal is not None:
        lines = wrap(signal.abstained or signal.rationale, 150, max_lines=2, placeholder=" ...")
        write(0.03, 0.055, "\n".join(lines), fontsize=9.5, color=_INK)


def _subtitle(bars: Sequence[Bar], signal: Signal | None) -> str:
    kind = "Daily bars" if _are_daily(bars) else "Bars"
    parts = [f"{kind} from {_day(bars[0].time)} to {_day(bars[-1].time)}"]
    if signal is not None:
        moment = signal.as_of.astimezone(_EXCHANGE_ZONE).strftime("%d %b %Y %H:%M:%S %Z")
        price = "" if signal.price_usd is None else f" at {signal.price_usd:,.2f} USD"
        parts.append(f"{_verdict(signal)}{price}, {moment}, by {signal.analyst}")
    return "  |  ".join(parts)


def _verdict(signal: Signal) -> str:
    return (
        f"{signal.side}, abstained"
        if signal.abstained
        else f"{signal.side} {signal.confidence:.0%}"
    )


def _day(moment: datetime) -> str:
    return moment.strftime("%d %b %Y")


def _plain(text: str) -> str:
    """Only what the chart's font can show."""
    return text.encode("latin-1", "replace").decode("latin-1")
