"""When a strategy falls due, on ordinary days and on those when the clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.support.values import strategy
from worker.models.strategy import Strategy
from worker.schedule.slots import Slot, due_slots, next_due

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def scheduled(*crons: str | dict[str, str], zone: str = "America/New_York") -> Strategy:
    entries = [{"cron": cron} if isinstance(cron, str) else cron for cron in crons]
    return strategy(schedule={"timezone": zone, "entries": entries})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slot(key: str, due: str) -> Slot:
    return Slot(key=key, due=utc(due))


def dues(found: Strategy, first: str, last: str, step: timedelta | None = None) -> list[str]:
    """Every due moment between two, as one look sees it, or as many looks in a row do."""
    start, end = utc(first), utc(last)
    edges = [start, end]
    if step is not None:
        edges = [start + step * n for n in range(int((end - start) / step) + 1)]
    slots = [s for a, b in pairwise(edges) for s in due_slots(found, a, b)]
    assert len({s.key for s in slots}) == len(slots)
    return [f"{s.due:%m-%d %H:%M}" for s in slots]


def test_a_weekday_entry_falls_due_at_its_hour_in_its_zone() -> None:
    found = due_slots(scheduled("35 9 * * 1-5"), MONDAY, MONDAY + timedelta(days=7))
    assert found == [
        slot(f"cron:0:2026-11-{day}T14:35:00Z", f"2026-11-{day} 14:35") for day in range(23, 28)
    ]


def test_the_edges_are_after_exclusive_until_inclusive() -> None:
    found, due = scheduled("35 9 * * 1-5"), utc("2026-11-23 14:35")
    second = timedelta(seconds=1)
    assert due_slots(found, due - second, due - timedelta(microseconds=1)) == []
    assert len(due_slots(found, due - second, due)) == 1
    assert due_slots(found, due, due + second) == []


def test_a_slot_comes_from_its_due_time_however_late_it_is_seen() -> None:
    found, due = scheduled("35 9 * * 1-5"), utc("2026-11-23 14:35")
    seen = [
        due_slots(found, due - timedelta(seconds=30), due + timedelta(seconds=late, milliseconds=7))
        for late in (0, 1, 3600)
    ]
    assert seen[0] == seen[1] == seen[2] == [slot("cron:0:2026-11-23T14:35:00Z", f"{due:%F %H:%M}")]


def test_entries_are_told_apart_by_name_or_place() -> None:
    found = scheduled("0 10 * * *", {"cron": "0 10 * * *", "name": "ten"}, "30 9 * * *")
    assert due_slots(found, MONDAY, MONDAY + timedelta(days=1)) == [
        slot("cron:2:2026-11-23T14:30:00Z", "2026-11-23 14:30"),
        slot("cron:0:2026-11-23T15:00:00Z", "2026-11-23 15:00"),
        slot("cron:ten:2026-11-23T15:00:00Z", "2026-11-23 15:00"),
    ]


SECONDS, MINUTES = timedelta(seconds=1), timedelta(minutes=1)

DAYS = [
    # New York goes forward on 2027-03-14 at 02:00 (07:00 UTC), back on 2026-11-01 at 06:00 UTC.
    ("America/New_York", "30 2 * * *", "2027-03-13", ["03-13 07:30", "03-14 07:00", "03-15 06:30"]),
    ("America/New_York", "30 1 * * *", "2026-10-31", ["10-31 05:30", "11-01 05:30", "11-02 06:30"]),
    ("America/New_York", "35 9 * * *", "2027-03-13", ["03-13 14:35", "03-14 13:35", "03-15 13:35"]),
    ("America/New_York", "35 9 * * *", "2026-10-31", ["10-31 13:35", "11-01 14:35", "11-02 14:35"]),
    # Berlin goes forward on 2027-03-28 at 02:00 (01:00 UTC), back on 2026-10-25 at 01:00 UTC.
    ("Europe/Berlin", "30 2 * * *", "2027-03-27", ["03-27 01:30", "03-28 01:00", "03-29 00:30"]),
    ("Europe/Berlin", "30 2 * * *", "2026-10-24", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
    ("Europe/Berlin", "0 9 * * *", "2027-03-27", ["03-27 08:00", "03-28 07:00", "03-29 07:00"]),
    ("Europe/Berlin", "0 9 * * *", "2026-10-24", ["10-24 07:00", "10-25 08:00", "10-26 08:00"]),
]


@pytest.mark.parametrize(("zone", "cron", "first", "expected"), DAYS)
def test_when_the_clocks_change_an_entry_falls_due_once_a_day(
    zone: str, cron: str, first: str, expected: list[str]
) -> None:
    found, last = scheduled(cron, zone=zone), f"{utc(first) + timedelta(days=3):%F}"
    assert dues(found, first, last) == expected
    assert dues(found, first, last, MINUTES) == expected


@pytest.mark.parametrize(
    ("zone", "cron", "first", "last", "expected"),
    [
        ("America/New_York", "30 1 * * *", "2026-11-01 05:29", "2026-11-01 07:31", "11-01 05:30"),
        ("America/New_York", "30 2 * * *", "2027-03-14 06:59", "2027-03-14 08:31", "03-14 07:00"),
        ("Europe/Berlin", "30 2 * * *", "2026-10-25 00:29", "2026-10-25 02:31", "10-25 00:30"),
        ("Europe/Berlin", "30 2 * * *", "2027-03-28 00:59", "2027-03-28 02:31", "03-28 01:00"),
    ],
)
def test_looking_every_second_through_the_change_sees_it_once(
    zone: str, cron: str, first: str, last: str, expected: str
) -> None:
    assert dues(scheduled(cron, zone=zone), first, last, SECONDS) == [expected]


def test_an_hourly_entry_falls_due_in_every_real_hour() -> None:
    hourly = scheduled("0 * * * *")
    assert dues(hourly, "2026-11-01 04:30", "2026-11-01 08:00") == [
        "11-01 05:00", "11-01 06:00", "11-01 07:00", "11-01 08:00",
    ]  # fmt: skip


def test_next_due_is_the_earliest_of_all_entries() -> None:
    found = scheduled("35 9 * * 1-5", "0 16 * * 1-5")
    assert next_due(found, utc("2026-11-23 14:34")) == utc("2026-11-23 14:35")
    assert next_due(found, utc("2026-11-23 14:35")) == utc("2026-11-23 21:00")
    assert next_due(found, utc("2026-11-27 21:00")) == utc("2026-11-30 14:35")
    assert next_due(scheduled(), MONDAY) is None


def test_an_entry_that_never_comes_is_never_due() -> None:
    found = scheduled("0 9 30 2 1")
    assert due_slots(strategy(), MONDAY, MONDAY + timedelta(days=400)) == []
    assert next_due(found, MONDAY) == utc("2027-02-01 14:00")  # cron joins day and weekday by OR
