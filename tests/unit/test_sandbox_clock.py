"""The replay clock, the secret and the proof."""

import hmac
import json
import stat
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from scripts.sandbox.clock import ClockError, open_clock, parse_moment
from scripts.sandbox.proof import VARIABLE, proof, read_secret
from worker.clock import ReplayClock, SystemClock

AT = datetime(2013, 2, 27, 14, 29, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2013-02-27T09:29:40", AT),
        ("2013-02-27 09:29:40", AT),
        ("2013-02-27T14:29:40Z", AT),
        ("2013-02-27T15:29:40+01:00", AT),
        ("2012-07-02", datetime(2012, 7, 2, 4, tzinfo=UTC)),
    ],
)
def test_a_moment_without_an_offset_is_new_yorks(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "27.02.2013", "2013-02-30", "0001-01-01T00:00:00+23:00"]
)
def test_an_unreadable_moment_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ClockError, match="2013-02-27T09:29:40"):
        parse_moment(text)


def test_the_first_clock_of_a_home_stays(tmp_path: Path) -> None:
    path = tmp_path / "state" / "replay.json"
    first = open_clock(path, AT, 3)
    again = open_clock(path, datetime(2012, 1, 3, tzinfo=UTC), 9)
    assert again == first
    assert (first.origin, first.rate) == (AT, 3)


def test_workers_read_the_same_time_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "replay.json"
    ours = open_clock(path, AT, 60)
    theirs = ReplayClock.from_file(path)
    before = ours.now()
    read = theirs.market_now()
    assert before <= read <= ours.now()


def test_market_time_runs_at_the_rate(tmp_path: Path) -> None:
    clock = open_clock(tmp_path / "replay.json", AT, 1000)
    started, wall = clock.now(), SystemClock().wall_now()
    passed = (clock.now() - started).total_seconds()
    assert passed <= 1000 * (SystemClock().wall_now() - wall).total_seconds() + 100


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_rate_that_makes_no_sense_is_refused_and_nothing_is_written(
    rate: float, tmp_path: Path
) -> None:
    path = tmp_path / "replay.json"
    with pytest.raises(ClockError, match="rate"):
        open_clock(path, AT, rate)
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({"origin": "soon", "started_at": 1.0, "rate": 1}),
        json.dumps({"origin": "2013-02-27T00:00:00", "started_at": 1.0, "rate": 1}),
        json.dumps({"origin": AT.isoformat(), "started_at": None, "rate": 1}),
        json.dumps({"origin": AT.isoformat(), "started_at": 1.0, "rate": -1}),
        json.dumps({"origin": AT.isoformat(), "started_at": 1.0, "rate": 3600}),
        json.dumps({"origin": AT.isoformat(), "started_at": float("inf"), "rate": 1}),
    ],
)
def test_a_broken_clock_file_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "replay.json"
    path.write_text(text)
    with pytest.raises(ClockError, match=r"replay\.json cannot be read"):
        open_clock(path, AT, 1)


def test_the_homes_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = read_secret(tmp_path, {})
    path = tmp_path / "state" / "sandbox_secret"
    assert len(first) == 64
    assert read_secret(tmp_path, {}) == first == path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_of_the_environment_wins_and_leaves_no_file(tmp_path: Path) -> None:
    assert read_secret(tmp_path, {VARIABLE: "given"}) == "given"
    assert not (tmp_path / "state").exists()


def test_the_proof_signs_nonce_and_certificate_together() -> None:
    expected = hmac.new(b"secret", b"00ff:" + b"ab" * 32, sha256).hexdigest()
    assert proof("secret", "00ff", "ab" * 32) == expected
    others = {proof("other", "00ff", "ab" * 32), proof("secret", "00ff", "cd" * 32)}
    assert expected not in others
