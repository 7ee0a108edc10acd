"""Before the curtain rises: the moment, the strategies, the parts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytz

from scripts.demonstration.story import (
    MODEL_STRATEGY,
    RULES_STRATEGY,
    Story,
    story_at,
    strategies_of,
    write_strategies,
)
from scripts.parts.apart import apart, become
from scripts.parts.embedded import EmbeddedSet, embedded_set
from scripts.parts.ports import Ports
from scripts.parts.practice import Practice
from worker.clock import monotonic
from worker.market.calendar import ExchangeCalendar
from worker.schedule.strategies import StrategyFiles
from worker.settings import PROJECT_ROOT, load_settings

# A day on which the scripted analyst buys, and what it buys fills.
DEFAULT_DAY = datetime(2013, 2, 27, tzinfo=pytz.utc)
# When the clock begins, the sandbox and the workers are still to start: on any machine that takes
# about as long as what was started before them.
LEAD_FACTOR, LEAD_SECONDS, LONGEST_LEAD_SECONDS = 1.3, 5.0, 160.0


@dataclass(frozen=True)
class Setting:
    """`default_day`: nobody asked for another, so it is known what will happen."""

    story: Story
    parts: EmbeddedSet
    default_day: bool


def set_the_stage(home: Path, ports: Ports, at: datetime | None) -> Setting:
    """Decide everything and write it into the home. From here on this process's environment is the
    demonstration's: nothing of a person's own configuration reaches into it, or is reached."""
    own = _own(home)
    given = apart(home, own)
    story = _story(given, at)
    files = StrategyFiles(PROJECT_ROOT / "config" / "strategies")
    first, second = files.by_id(MODEL_STRATEGY), files.by_id(RULES_STRATEGY)
    write_strategies(home / "strategies", strategies_of(story, first, second))
    began = monotonic()

    def begin() -> datetime:
        if at is not None:
            return at
        lead = LEAD_SECONDS + LEAD_FACTOR * (monotonic() - began)
        return story.release - timedelta(seconds=min(lead, LONGEST_LEAD_SECONDS))

    parts = embedded_set(home, ports, given, Practice(story.at, begin=begin), own)
    become(parts.environment)
    return Setting(story, parts, default_day=at is None)


def _story(given: dict[str, str], at: datetime | None) -> Story:
    settings = load_settings(given)
    market = settings.market
    calendar = ExchangeCalendar(
        market.calendar, market.trading_days, settings.config_dir / market.overrides
    )
    opens_at = calendar.next_hours(DEFAULT_DAY).opens_at
    return story_at(at or opens_at - timedelta(minutes=1), calendar)


def _own(home: Path) -> dict[str, str]:
    """What the configuration may say otherwise, and must not here."""
    return {
        "OPENBELL_STRATEGIES": str(home / "strategies"),
        "OPENBELL_DATABASE_URL": f"sqlite:///{home / 'state' / 'journal.db'}",
        "OPENBELL_STORE_URL": str(home / "state" / "store"),
        "OPENBELL_MLFLOW__ENABLED": "true",
    }
