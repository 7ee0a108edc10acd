"""What the demonstration shows at a moment of the data."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.demonstration.story import Story, story_at, strategies_of, write_strategies
from tests.support.values import strategy
from worker.market.calendar import ExchangeCalendar
from worker.models.strategy import CronEntry, Schedule
from worker.schedule.slots import due_slots
from worker.schedule.strategies import StrategyFiles

DAYS = ("mon", "tue", "wed", "thu", "fri")
OPEN, MONDAY = datetime(2013, 2, 27, 14, 30, tzinfo=UTC), datetime(2013, 2, 25, 14, 30, tzinfo=UTC)


def at(day: int, hour: int, minute: int, second: int = 0) -> datetime:
    """A moment in February 2013, New York's winter time."""
    return datetime(2013, 2, day, hour + 5, minute, second, tzinfo=UTC)


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> ExchangeCalendar:
    overrides = tmp_path_factory.mktemp("config") / "overrides.yaml"
    overrides.write_text("{}")
    return ExchangeCalendar("XNYS", DAYS, overrides)


@pytest.mark.parametrize(
    ("moment", "story"),
    [
        (at(27, 9, 29, 40), Story("bell", at(27, 9, 29, 40), OPEN, OPEN)),
        (at(27, 9, 27), Story("bell", at(27, 9, 27), OPEN, OPEN)),
        (at(27, 9, 26, 59), Story("closed", at(27, 9, 26, 59), OPEN, None)),
        (at(27, 11, 0, 35), Story("session", at(27, 11, 0, 35), OPEN, at(27, 11, 1))),
        (at(27, 11, 0, 45), Story("session", at(27, 11, 0, 45), OPEN, at(27, 11, 2))),
        (at(23, 12, 0), Story("closed", at(23, 12, 0), MONDAY, None)),
        (at(22, 17, 0), Story("closed", at(22, 17, 0), MONDAY, None)),
        # The window ends five minutes before the close, before Beat could start a run in it.
        (at(22, 15, 54, 50), Story("closed", at(22, 15, 54, 50), MONDAY, None)),
    ],
)
def test_moment_decides_the_story(
    calendar: ExchangeCalendar, moment: datetime, story: Story
) -> None:
    assert story_at(moment, calendar) == story


def test_strategies_are_dry_and_beat_starts_the_second_once_in_the_minute_of_the_bell(
    tmp_path: Path,
) -> None:
    schedule = Schedule(entries=(CronEntry(cron="35 9 * * *"),))
    first = strategy(id=1, name="first", schedule=schedule, dry_run=False, enabled=False)
    second = strategy(id=2, name="second", schedule=schedule, when_closed="wait")
    story = Story("bell", at(27, 9, 29, 40), OPEN, OPEN)
    write_strategies(tmp_path, strategies_of(story, first, second))
    shown = StrategyFiles(tmp_path).all()
    assert [
        (one.id, one.symbols, one.when_closed, one.signal.analyst, one.enabled, one.dry_run)
        for one in shown
    ] == [
        (1, ("AAPL", "GOOGL", "MSFT"), "wait", "model", True, True),
        (2, ("AAPL", "MSFT"), "skip", "rules", True, True),
    ]
    week = (at(25, 0, 0), at(28, 18, 0))
    assert [[slot.due for slot in due_slots(one, *week)] for one in shown] == [[], [OPEN]]


def test_closed_market_leaves_nothing_to_beat(tmp_path: Path) -> None:
    story = Story("closed", at(23, 12, 0), MONDAY, None)
    write_strategies(tmp_path, strategies_of(story, strategy(id=1), strategy(id=2, name="second")))
    assert [one.schedule.entries for one in StrategyFiles(tmp_path).all()] == [(), ()]
