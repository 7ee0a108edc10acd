"""When a login and its brokerage session end by themselves."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scripts.sandbox.clock import NEW_YORK
from scripts.sandbox.lifetimes import Ended, Lifetimes
from scripts.sandbox.sandbox import Sandbox, open_sandbox

NOON = datetime(2013, 2, 27, 12, 0, tzinfo=NEW_YORK)


class HandClock:
    rate = 1.0

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds - 1000)

    def wall(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("path", "idle", "ended"),
    [
        ("/tickle", 300, Ended.NOTHING),
        ("/tickle", 301, Ended.BROKERAGE),
        ("/iserver/accounts", 301, Ended.BROKERAGE),
        ("/tickle", 480, Ended.BROKERAGE),
        ("/tickle", 481, Ended.LOGIN),
        ("/portfolio/accounts", 480, Ended.NOTHING),
        ("/portfolio/accounts", 481, Ended.LOGIN),
    ],
)
def test_an_unused_session_ends(path: str, idle: float, ended: Ended) -> None:
    lifetimes = Lifetimes()
    lifetimes.use(path, 1000, NOON)
    assert lifetimes.ended(1000 + idle, NOON) is ended


def test_midnight_in_new_york_ends_the_login() -> None:
    lifetimes = Lifetimes()
    late = datetime(2013, 2, 27, 23, 59, 59, tzinfo=NEW_YORK)
    lifetimes.use("/tickle", 1000, late)
    assert lifetimes.ended(1001, late) is Ended.NOTHING
    assert lifetimes.ended(1001, late + timedelta(seconds=1)) is Ended.LOGIN
    lifetimes.begin()
    assert lifetimes.ended(9999, late + timedelta(seconds=1)) is Ended.NOTHING


@pytest.mark.parametrize("switched_on", [True, False])
def test_sessions_end_only_where_it_is_switched_on(switched_on: bool, tmp_path: Path) -> None:
    clock = HandClock()
    sandbox = open_sandbox(tmp_path, clock, "ab" * 32, {})
    sandbox.faults.change({"session_lifetimes": switched_on})
    found = []
    for idle in (0, 299, 301, 481):
        clock.seconds += idle
        sandbox.advance()
        sandbox.use_session("/tickle")
        found.append((sandbox.login.sso, sandbox.login.brokerage))
    sandbox.book.close()
    ends = [(True, True), (True, True), (True, False), (False, False)]
    assert found == (ends if switched_on else [(True, True)] * 4)


def test_a_wall_clock_that_is_set_back_does_not_set_the_market_back(tmp_path: Path) -> None:
    clock = HandClock()
    sandbox: Sandbox = open_sandbox(tmp_path, clock, "ab" * 32, {})
    clock.seconds += 60
    sandbox.advance()
    clock.seconds -= 3600
    sandbox.advance()
    sandbox.book.close()
    assert sandbox.now == NOON + timedelta(seconds=60)
