"""Sessions, holidays, half days and overrides, by dates that anyone can look up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from worker.errors import ConfigurationError
from worker.market.calendar import ExchangeCalendar, Hours, Release
from worker.models.strategy import MarketWindow

# exchange_calendars is not ready for pandas 4; nothing of that is in our hands.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")

WEEK = ("mon", "tue", "wed", "thu", "fri")
WINDOW = MarketWindow(not_before_open="2m", before_close="5m")
Make = Callable[..., ExchangeCalendar]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(
        overrides: str = "{}\n", *, name: str = "XNYS", days: tuple[str, ...] = WEEK
    ) -> ExchangeCalendar:
        file = tmp_path / "overrides.yaml"
        file.write_text(overrides)
        return ExchangeCalendar(name, days, file)

    return make


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(opens: str, closes: str) -> Hours:
    return Hours(opens_at=utc(opens), closes_at=utc(closes))


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-11-25", ("14:30", "21:00")),  # an ordinary winter day
        ("2026-11-26", None),  # Thanksgiving
        ("2026-11-27", ("14:30", "18:00")),  # the day after: 13:00 in New York
        ("2026-04-03", None),  # Good Friday
        ("2026-06-19", None),  # Juneteenth
        ("2026-07-03", None),  # Independence Day, observed
        ("2024-07-03", ("13:30", "17:00")),  # the day before it: a half day
        ("2026-12-24", ("14:30", "18:00")),
        ("2026-03-06", ("14:30", "21:00")),  # before the clocks go forward
        ("2026-03-09", ("13:30", "20:00")),  # after
        ("2026-10-30", ("13:30", "20:00")),  # before they go back
        ("2026-11-02", ("14:30", "21:00")),  # after
        ("2026-11-28", None),  # a Saturday
        ("2012-10-29", None),  # Sandy
        ("2013-02-27", ("14:30", "21:00")),  # where the sandbox replays
    ],
)
def test_each_day_has_the_hours_the_exchange_announced(
    make: Make, day: str, expected: tuple[str, str] | None
) -> None:
    calendar = make()
    found = {calendar.hours_at(utc(day) + timedelta(minutes=m)) for m in range(0, 1440, 15)}
    wanted = {hours(f"{day} {expected[0]}", f"{day} {expected[1]}")} if expected else set()
    assert found - {None} == wanted


def test_at_the_open_it_is_open_and_at_the_close_no_more(make: Make) -> None:
    calendar, day = make(), hours("2026-11-25 14:30", "2026-11-25 21:00")
    tick = timedelta(microseconds=1)
    moments = (day.opens_at - tick, day.opens_at, day.closes_at - tick, day.closes_at)
    assert [calendar.hours_at(moment) for moment in moments] == [None, day, day, None]


def test_next_hours_are_the_first_that_open_later(make: Make) -> None:
    calendar = make()
    friday = hours("2026-11-27 14:30", "2026-11-27 18:00")
    monday = hours("2026-11-30 14:30", "2026-11-30 21:00")
    assert calendar.next_hours(utc("2026-11-25 15:00")) == friday
    assert calendar.next_hours(utc("2026-11-27 14:29")) == friday
    assert calendar.next_hours(utc("2026-11-27 14:30")) == monday
    assert calendar.next_hours(utc("2026-11-28 12:00")) == monday


@pytest.mark.parametrize(
    ("now", "open_now", "at"),
    [
        ("2026-11-27 14:30:00", False, "2026-11-27 14:32"),
        ("2026-11-27 14:31:59", False, "2026-11-27 14:32"),
        ("2026-11-27 14:32:00", True, "2026-11-27 14:32"),
        ("2026-11-27 17:55:00", True, "2026-11-27 14:32"),
        ("2026-11-27 17:55:01", False, "2026-11-30 14:32"),  # too late for this session
        ("2026-11-27 18:00:00", False, "2026-11-30 14:32"),
        ("2026-11-28 16:00:00", False, "2026-11-30 14:32"),
    ],
)
def test_a_run_is_released_inside_its_window(make: Make, now: str, open_now: bool, at: str) -> None:
    end = "18:00" if at.startswith("2026-11-27") else "21:00"
    expected = Release(
        open_now=open_now, at=utc(at), hours=hours(at[:10] + " 14:30", f"{at[:10]} {end}")
    )
    assert make().release(utc(now), WINDOW) == expected


def test_a_session_shorter_than_the_window_is_passed_over(make: Make) -> None:
    long = MarketWindow(not_before_open="2h", before_close="2h")
    release = make().release(utc("2026-11-27 15:00"), long)
    assert (release.open_now, release.at) == (False, utc("2026-11-30 16:30"))


def test_a_window_that_fits_no_session_is_refused(make: Make) -> None:
    impossible = MarketWindow(not_before_open="4h", before_close="4h")
    with pytest.raises(ConfigurationError, match=r"market\.not_before_open"):
        make().release(utc("2026-11-27 15:00"), impossible)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("XHKG", ("01:30", "04:00"), ("05:00", "08:00")),
        ("XTKS", ("00:00", "02:30"), ("03:30", "06:30")),
    ],
)
def test_the_exchange_is_closed_over_lunch(
    make: Make, name: str, before: tuple[str, str], after: tuple[str, str]
) -> None:
    calendar, day = make(name=name), "2026-11-25 "
    morning, afternoon = (hours(day + opens, day + closes) for opens, closes in (before, after))
    assert calendar.hours_at(morning.closes_at - timedelta(minutes=1)) == morning
    assert calendar.hours_at(morning.closes_at) is None
    assert calendar.next_hours(morning.closes_at) == afternoon
    assert calendar.hours_at(afternoon.opens_at) == afternoon
    release = calendar.release(morning.closes_at - timedelta(minutes=4), WINDOW)
    assert release == Release(
        open_now=False, at=afternoon.opens_at + timedelta(minutes=2), hours=afternoon
    )


def test_days_that_are_no_trading_days_count_as_closed(make: Make) -> None:
    calendar = make(days=("mon", "tue", "wed", "thu"))
    assert calendar.hours_at(utc("2026-11-20 15:00")) is None
    assert calendar.next_hours(utc("2026-11-19 22:00")).opens_at == utc("2026-11-23 14:30")


def test_an_operator_closes_a_day(make: Make) -> None:
    calendar = make("closed: [2026-11-25]\n")
    assert calendar.hours_at(utc("2026-11-25 15:00")) is None
    assert calendar.next_hours(utc("2026-11-24 22:00")).opens_at == utc("2026-11-27 14:30")


def test_an_operator_closes_early_but_never_later(make: Make) -> None:
    calendar = make("early_close: {2026-11-25: '12:00', 2026-11-27: '15:00'}\n")
    assert calendar.hours_at(utc("2026-11-25 15:00")) == hours(
        "2026-11-25 14:30", "2026-11-25 17:00"
    )
    assert calendar.hours_at(utc("2026-11-27 15:00")) == hours(
        "2026-11-27 14:30", "2026-11-27 18:00"
    )


def test_an_early_close_before_lunch_takes_the_afternoon_away(make: Make) -> None:
    calendar = make("early_close: {2026-11-25: '12:00'}\n", name="XHKG")
    assert calendar.next_hours(utc("2026-11-25 02:00")).opens_at == utc("2026-11-26 01:30")


def test_an_operator_opens_a_saturday_at_the_regular_hours(make: Make) -> None:
    calendar = make("open: [2026-11-28]\nearly_close: {2026-11-28: '11:00'}\n")
    assert calendar.hours_at(utc("2026-11-28 15:00")) == hours(
        "2026-11-28 14:30", "2026-11-28 16:00"
    )


def test_a_change_of_the_overrides_counts_at_once(make: Make, tmp_path: Path) -> None:
    calendar, now = make(), utc("2026-11-25 15:00")
    assert calendar.hours_at(now) is not None
    make("closed: [2026-11-25]\n")
    assert calendar.hours_at(now) is None
    make("closed: [2026-11-24]\n")
    assert calendar.hours_at(now) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("closd: []\n", "line 1, key closd: this key is not known"),
        ("closed: [2026-13-01]\n", "a value cannot be read: month must be in 1..12"),
        ("closed: [20261127]\n", "line 1, key closed.0: write a date"),
        ("closed: 2026-11-27\n", "line 1, key closed: "),
        ("\nearly_close: {2026-11-27: 13:00}\n", "line 2, key early_close.2026-11-27: write the"),
        ("early_close: {tomorrow: '13:00'}\n", "line 1, key early_close.tomorrow"),
        ("early_close: {2026-11-25: '09:30'}\n", "line 1, key early_close.2026-11-25: this is"),
        ("closed: [2026-11-27]\nopen: [2026-11-27]\n", "2026-11-27 is closed and also open"),
        ("closed: [\n", "this is not YAML"),
    ],
)
def test_overrides_that_cannot_be_read_stop_everything(
    make: Make, text: str, expected: str
) -> None:
    calendar = make(text)
    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            calendar.hours_at(utc("2026-11-25 15:00"))
        assert expected in caught.value.sentence
        assert "overrides.yaml" in caught.value.sentence


def test_overrides_that_are_gone_stop_everything(make: Make, tmp_path: Path) -> None:
    calendar = make()
    calendar.hours_at(utc("2026-11-25 15:00"))
    (tmp_path / "overrides.yaml").unlink()
    with pytest.raises(ConfigurationError, match=r"does not exist; create it"):
        calendar.release(utc("2026-11-25 15:00"), WINDOW)


def test_an_unknown_calendar_is_refused(make: Make) -> None:
    with pytest.raises(ConfigurationError, match=r"'NYSE2' is not a calendar .*market\.calendar"):
        make(name="NYSE2").hours_at(utc("2026-11-25 15:00"))


def test_a_moment_beyond_what_the_calendar_knows_is_refused(make: Make) -> None:
    with pytest.raises(ConfigurationError, match="does not know the sessions around 1999"):
        make().hours_at(utc("1999-11-25 15:00"))


def test_the_zone_is_the_exchanges(make: Make) -> None:
    zone = make(name="XTKS").zone
    assert f"{utc('2026-11-25 00:00').astimezone(zone):%H:%M %Z}" == "09:00 JST"
