"""Figures and moments in words that a trader reads."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rich.text import Text

NOTHING = "·"
STYLES = {
    "done": "green", "running": "bold cyan", "waiting": "yellow", "released": "yellow",
    "failed": "bold red", "skipped": "dim",
    "not started": "cyan", "queued": "cyan", "under way": "cyan",
    "FILLED": "green", "PARTIAL": "cyan", "WORKING": "cyan", "SENDING": "cyan", "INTENDED": "cyan",
    "DENIED": "yellow", "CANCELLED": "yellow", "EXPIRED": "yellow", "REJECTED": "red",
    "UNKNOWN": "bold red",
    "placed": "green", "previewed": "green", "held": "dim", "denied": "yellow",
    "blocked": "bold red", "not previewed": "yellow", "missed": "yellow",
    "BUY": "bold green", "SELL": "bold red", "HOLD": "dim",
    "ok": "green", "warning": "yellow", "problem": "bold red",
}  # fmt: skip


def styled(word: str | None) -> Text:
    """A state, an outcome or a side in its colour."""
    return Text(word or NOTHING, STYLES.get(word or "", "" if word else "dim"))


def usd(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value:,.2f}"


def shares(value: Decimal | int | None) -> str:
    """Without a fraction where there is none."""
    if value is None:
        return NOTHING
    number = Decimal(value)
    whole = number == number.to_integral_value()
    return f"{number:,.0f}" if whole else f"{number.normalize():,f}"


def percent(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def took(seconds: float | None) -> str:
    """5 ms, 0.42 s, 12.3 s, 4 min 10 s, 2 h 5 min, 3 d 4 h."""
    if seconds is None:
        return NOTHING
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 2 * 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = whole // 60
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def wall(moment: datetime | None) -> str:
    """A moment of the wall clock, told apart from market time by its UTC."""
    return NOTHING if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def between(begun: datetime | None, ended: datetime | None) -> float | None:
    if begun is None or ended is None:
        return None
    return (ended - begun) / timedelta(seconds=1)


def market_of(clock: Any, moment: datetime) -> datetime:
    """The market time at a moment of the wall, to the nearest second."""
    exact: datetime = clock.market_now() + (moment - clock.wall_now()) * clock.rate
    return (exact + timedelta(seconds=0.5)).replace(microsecond=0)


def flat(text: str) -> str:
    """One line, whatever a model or a broker wrote."""
    return " ".join(text.split())
