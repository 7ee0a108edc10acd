"""What a terminal shows of runs, steps and orders."""

import io
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from scripts.demonstration.runs import Progress, Shown
from scripts.demonstration.story import Story
from scripts.demonstration.view import RunsView
from scripts.follow import FollowView
from scripts.show.moments import moments_of
from scripts.show.stacked import Stacked
from scripts.show.steps import STEP_NAMES, standing, step_stories
from scripts.show.story import OrderStory, SymbolStory
from scripts.show.symbols import print_symbols
from tests.support.records import signal
from tests.support.values import OPEN, run
from worker.clock import SystemClock
from worker.journal.runs import RunRow
from worker.journal.steps import StepRow
from worker.models.decision import OrderLine
from worker.runtime import Services, reset_services, services

RATIONALE = (
    "Scripted answer of the sandbox's analyst: the trend is up, not overbought: last 1,607.26, "
    "20-day mean 1,580.776, 50-day mean 1,523.455, RSI 67."
)
WALL = datetime(2026, 1, 5, 7, 14, 33, tzinfo=UTC)


@pytest.fixture
def s() -> Iterator[Services]:
    reset_services()
    yield services()
    reset_services()


def narrow() -> Console:
    return Console(width=80, file=io.StringIO())


def printed(console: Console) -> list[str]:
    file = console.file
    assert isinstance(file, io.StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def row(**changes: Any) -> RunRow:
    made = run()
    data: dict[str, Any] = {
        "run_id": made.run_id, "strategy_id": 1, "strategy_name": "momentum", "slot": made.slot,
        "mode": "dry", "status": "queued", "cancelled": False, "outcome": None, "reason": None,
        "failed_step": None, "initial": made.to_json(), "task_ids": None, "due_at": made.due_at,
        "not_after": None, "created_at": OPEN, "queued_at": OPEN, "closed_at": None,
        "published": 1, "published_at": OPEN, "version": "0.1.0",
    }  # fmt: skip
    return RunRow(**(data | changes))


def step(number: int, state: str = "done", **changes: Any) -> StepRow:
    began = OPEN + timedelta(seconds=number)
    data: dict[str, Any] = {
        "run_id": run().run_id, "number": number, "step": STEP_NAMES[number - 1], "state": state,
        "token": 1, "lease_until": None, "wake_at": None, "waits_for": None, "attempts": 0,
        "hops": 0, "takeovers": 0, "started_at": began,
        "finished_at": began + timedelta(seconds=0.2) if state == "done" else None,
        "output": run().to_json() if state == "done" else None, "error": None,
    }  # fmt: skip
    return StepRow(**(data | changes))


def closed_steps() -> list[StepRow]:
    """Nine steps of a run whose third found the exchange closed."""
    closed = run().ended("closed", "the market is closed").to_json()
    return [step(1), step(2), *(step(number, output=closed) for number in range(3, 10))]


def states(rows: Sequence[StepRow]) -> list[str]:
    return [each.state for each in step_stories(rows)]


def test_steps_that_only_handed_an_ended_run_on_are_skipped() -> None:
    assert states(closed_steps()) == [*["done"] * 3, *["skipped"] * 4, "done", "done"]


def test_step_that_ended_the_run_itself_is_done_and_one_that_failed_stays_failed() -> None:
    held = run().ended("held", "nothing to do").to_json()
    assert states([step(6), step(7, output=held), step(8, output=held)]) == ["done"] * 3
    assert states([step(3, output=held), step(4, "failed")]) == ["done", "failed"]


@pytest.mark.parametrize(
    ("status", "outcome", "rows", "word"),
    [
        ("created", None, [], "not started"),
        ("queued", None, [], "queued"),
        ("queued", None, [step(1), step(2, "running")], "under way"),
        ("queued", None, [step(1)], "under way"),
        ("queued", None, [step(3, "waiting", wake_at=OPEN)], "waiting"),
        ("queued", None, [step(4, "released", wake_at=OPEN)], "waiting"),
        ("ending", "failed", [step(4, "failed")], "failed"),
        ("closed", "held", closed_steps(), "held"),
    ],
)
def test_run_stands_in_one_word(
    status: str, outcome: str | None, rows: list[StepRow], word: str
) -> None:
    assert standing(status, outcome, step_stories(rows)) == word


def order() -> OrderStory:
    return OrderStory(
        coid="ob-dff69b68979b3dd4abe8cada", broker_order_id="1", side="SELL", quantity=10_000,
        limit_price=Decimal("1234.56"), state="CANCELLED", filled_quantity=Decimal(9_500),
        average_price=Decimal("1234.60"), reasons=(), created_at=OPEN, updated_at=OPEN, events=(),
        fills=(),
    )  # fmt: skip


def test_symbols_fit_80_columns_and_nothing_of_an_order_is_cut() -> None:
    line = OrderLine(
        symbol="GOOGL", outcome="not previewed", side="SELL", quantity=10_000,
        limit_price=Decimal("1234.56"), reason="the broker gave no preview", state="CANCELLED",
        owned_before=Decimal(10_000), owned_after=Decimal(500),
    )  # fmt: skip
    said = signal("GOOGL", "SELL", "0.87", rationale=RATIONALE, price_usd=Decimal("1234.56"))
    console = narrow()
    print_symbols([SymbolStory(symbol="GOOGL", signal=said, decision=line, order=order())], console)
    lines = printed(console)
    assert max(map(len, lines)) <= 80
    assert re.split(r" {2,}", lines[3]) == [
        "GOOGL", "SELL", "87%", "1,234.56", "not previewed", "SELL 10,000", "1,234.56", "CANCELLED",
    ]  # fmt: skip
    whole = " ".join(" ".join(lines).split())
    for part in (RATIONALE, "9,500 filled at 1,234.60", "the strategy owns 10,000 → 500"):
        assert part in whole


def test_stacked_row_that_is_wider_than_the_terminal_is_printed_whole() -> None:
    table, console = Stacked("run", ">shares"), narrow()
    table.add_row("r" * 90, "12", below=[Text("b" * 10)])
    table.add_row("s", "1")
    table.print_on(console)
    rows = [line for line in printed(console) if line]
    assert [line.split() for line in rows[2:]] == [["r" * 90, "12"], ["b" * 10], ["s", "1"]]


def keep_replay(s: Services, origin: datetime, started_at: datetime, rate: float = 1) -> None:
    file = s.settings.home / "state" / "replay.json"
    file.parent.mkdir(parents=True)
    data = {"origin": origin.isoformat(), "started_at": started_at.timestamp(), "rate": rate}
    file.write_text(json.dumps(data))


def test_moments_of_a_replayed_run_are_the_markets_after_its_set_has_ended(s: Services) -> None:
    keep_replay(s, OPEN, WALL, rate=2)
    moments = moments_of(s, row(created_at=WALL, due_at=OPEN))
    assert moments.replayed
    assert moments.at(WALL) == "2013-02-27 09:30:00 EST"
    assert moments.near(WALL + timedelta(minutes=1)) == "2013-02-27 09:32:00 EST"


def test_moments_of_a_real_run_in_the_same_home_are_the_walls_in_the_exchanges_zone(
    s: Services,
) -> None:
    keep_replay(s, OPEN, WALL)
    moments = moments_of(s, row(created_at=WALL, due_at=WALL - timedelta(seconds=3)))
    assert (moments.replayed, moments.time(WALL)) == (False, "02:14:33 EST")


def test_replay_clock_that_cannot_be_read_leaves_the_wall(s: Services) -> None:
    keep_replay(s, OPEN, WALL)
    (s.settings.home / "state" / "replay.json").write_text("{")
    assert not moments_of(s, row(created_at=WALL, due_at=OPEN)).replayed


def test_time_of_today_is_told_without_its_date(s: Services) -> None:
    now = SystemClock().wall_now()
    moments = moments_of(s, row(created_at=now, due_at=now))
    assert moments.near(now) == moments.time(now)
    assert moments.near(now - timedelta(days=2)) == moments.at(now - timedelta(days=2))


def test_following_a_run_that_is_over_tells_when_it_was(s: Services) -> None:
    console = narrow()
    over = row(status="closed", outcome="closed", closed_at=OPEN + timedelta(seconds=10))
    FollowView(s, console).show(over, closed_steps())
    lines = printed(console)
    assert lines[0] == "2013-02-27 09:30:01 EST  start_tracking        done 0.20 s"
    assert lines[3] == "2013-02-27 09:30:04 EST  check_ibkr_auth       skipped"


def test_terminal_that_follows_a_run_that_is_over_shows_its_end(s: Services) -> None:
    console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    over = row(status="closed", outcome="closed", closed_at=OPEN + timedelta(seconds=10))
    with FollowView(s, console) as view:
        view.show(over, closed_steps())
    shown = "\n".join(printed(console))
    assert "Ended 2013-02-27 09:30:10 EST  closed" in shown
    assert "Market time" not in shown


def test_terminal_that_follows_a_waiting_run_says_until_when_on_the_markets_clock(
    s: Services,
) -> None:
    keep_replay(s, OPEN - timedelta(days=1), WALL)
    waiting = [step(3, "waiting", wake_at=WALL + timedelta(days=1), waits_for="it is closed")]
    console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    with FollowView(s, console) as view:
        view.show(row(created_at=WALL, due_at=OPEN - timedelta(days=1)), waiting)
    shown = " ".join("\n".join(printed(console)).split())
    assert "(the sandbox's) waiting" in shown
    assert "until 2013-02-27 09:30:00" in shown


def test_three_runs_side_by_side_fit_80_columns(s: Services) -> None:
    held = step_stories([step(3, "waiting", wake_at=SystemClock().wall_now() + timedelta(days=2))])
    steps = step_stories(closed_steps())
    progress = [
        Progress(Shown("strategy 1, paper", 1), row(), run(), held),
        Progress(Shown("strategy 2, by Beat", 2)),
        Progress(Shown("strategy 2, dry", 2), row(outcome="closed"), run(), steps),
    ]
    console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    view = RunsView(console, s, Story("closed", OPEN, OPEN, None))
    with view:
        view.show(progress)
    lines = printed(console)
    shown = "\n".join(lines)
    for part in ("paper", "by Beat", "validate_environment", "skipped", "not started"):
        assert part in shown
    assert re.search(r"check_market_open +until [A-Z][a-z]{2} \d\d:\d\d +· +done 0\.20 s", shown)
    assert re.search(r"run +waiting +not started +closed", shown)
    assert "…" not in shown
