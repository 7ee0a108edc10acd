"""What the demonstration shows: from when on, with which strategies, and what must come of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import pytz
import yaml

from worker.market.calendar import ExchangeCalendar
from worker.models.strategy import CronEntry, MarketWindow, Schedule, Strategy

MODEL_STRATEGY, RULES_STRATEGY = 1, 2
SYMBOLS = ("AAPL", "GOOGL", "MSFT")
WINDOW = MarketWindow(not_before_open=timedelta(0), max_wait=timedelta(hours=72))
# A bell further away than this is not waited for: its release time is shown instead.
PATIENCE = timedelta(minutes=3)
MINUTE = timedelta(minutes=1)
# What the sandbox and the workers take to start, once the clock has begun.
START_UP = timedelta(seconds=20)

Kind = Literal["bell", "session", "closed"]


@dataclass(frozen=True)
class Story:
    """`at`: where market time begins. `release`: when runs of the first strategy may trade.

    bell: they are held until the exchange opens. session: it is open already. closed: it stays
    closed for longer than a person would watch. `beat_due`: the minute Beat starts the second
    strategy in; None where it is triggered by hand.
    """

    kind: Kind
    at: datetime
    release: datetime
    beat_due: datetime | None


def story_at(at: datetime, calendar: ExchangeCalendar) -> Story:
    release = calendar.release(at, WINDOW)
    if release.open_now:
        due = _next_minute(at + START_UP)
        if calendar.release(due, WINDOW).open_now:
            return Story("session", at, release.at, due)
    elif release.at - at <= PATIENCE:
        return Story("bell", at, release.at, release.at)
    later = calendar.release(at + PATIENCE, WINDOW)
    return Story("closed", at, later.at, None)


def strategies_of(story: Story, first: Strategy, second: Strategy) -> tuple[Strategy, Strategy]:
    """The two strategies as the demonstration runs them. Both stay dry unless told otherwise."""
    entries: tuple[CronEntry, ...] = ()
    zone = second.schedule.timezone
    if story.beat_due is not None:
        entries = (CronEntry(name="demo", cron=_cron(story.beat_due, zone)),)
    return (
        first.evolve(
            symbols=SYMBOLS,
            enabled=True,
            schedule=Schedule(timezone=first.schedule.timezone),
            when_closed="wait",
            market=WINDOW,
            signal=first.signal.evolve(analyst="model"),
            dry_run=True,
        ),
        second.evolve(
            enabled=True,
            schedule=Schedule(timezone=zone, entries=entries),
            when_closed="skip",
            market=WINDOW,
            signal=second.signal.evolve(analyst="rules"),
            dry_run=True,
        ),
    )


def write_strategies(folder: Path, strategies: tuple[Strategy, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for strategy in strategies:
        text = yaml.safe_dump(strategy.to_json(), sort_keys=False, allow_unicode=True)
        (folder / f"{strategy.name}.yaml").write_text(text, encoding="utf-8")


def _next_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0) + MINUTE


def _cron(due: datetime, zone: str) -> str:
    """Due once, in exactly this minute."""
    local = due.astimezone(pytz.timezone(zone))
    return f"{local.minute} {local.hour} {local.day} {local.month} *"
