"""The sandbox as a program: how it starts, refuses, ends, and what survives it."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sandbox import BEFORE_OPEN, PROJECT_ROOT, RunningSandbox
from worker.clock import ReplayClock, monotonic


def program(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.sandbox", *map(str, arguments)]
    return subprocess.run(
        command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=20, check=False
    )


def test_it_starts_twenty_seconds_before_an_open_and_says_where(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox(at=BEFORE_OPEN)
    said = sandbox.log.read_text()
    for words in ("not a broker", sandbox.base_url, sandbox.account, str(sandbox.certificate)):
        assert words in said
    assert "market time  2013-02-27 09:29:4" in said
    assert sandbox.health()["open"] is False


def test_nobody_else_can_read_what_it_writes(start_sandbox: Callable[..., RunningSandbox]) -> None:
    sandbox = start_sandbox()
    found = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (sandbox.home / "state").rglob("*")
        if path.is_file()
    }
    assert {"replay.json", "sandbox_secret", "book.db", "cert.pem", "key.pem"} <= set(found)
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quickly_and_cleanly(
    number: signal.Signals, start_sandbox: Callable[..., RunningSandbox]
) -> None:
    sandbox = start_sandbox()
    sandbox.faults({"action": "delay", "seconds": 60})
    with sandbox.make_client() as client, pytest.raises(Exception, match="timed out"):
        client.get("/tickle", timeout=0.1)
    began = monotonic()
    os.kill(sandbox.pid, number)
    assert sandbox.wait() == 0
    assert monotonic() - began < 5
    assert "Traceback" not in sandbox.log.read_text()


def test_a_signal_ends_it_while_it_refuses_connections(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox()
    sandbox.arm({"kind": "refuse", "seconds": 60, "at_once": True})
    began = monotonic()
    assert sandbox.stop() == 0
    assert monotonic() - began < 5
    assert "Traceback" not in sandbox.log.read_text()


def test_killed_at_any_moment_its_book_has_every_order_it_answered_for(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox(rate=20)
    sandbox.prime()
    coids = []
    for number in range(5):
        coids.append(f"kill-{number}")
        answer = sandbox.order("MSFT", "BUY", 300, price=28.1, cOID=coids[-1])
        order_id = answer.json()[0]["order_id"]
        sandbox.kill()
        sandbox.restart()
        sandbox.prime()
    order = sandbox.wait_for_status(order_id, "Filled")
    book = sandbox.book()
    assert [o["cOID"] for o in book["orders"]] == coids
    assert (order["filled"], sandbox.position("MSFT")) == ("300", "1500")
    assert [f["quantity"] for f in book["fills"]].count("200") == 5
    assert "already registered" in sandbox.order("MSFT", "BUY", 1, cOID=coids[0]).text


def test_a_home_goes_on_where_its_clock_is(start_sandbox: Callable[..., RunningSandbox]) -> None:
    sandbox = start_sandbox()
    sandbox.stop()
    sandbox.at, sandbox.rate = "2012-07-02T12:00:00", 7.0
    sandbox.restart()
    assert sandbox.health()["rate"] == 1.0
    assert sandbox.health()["market_time"].startswith("2013-02-27")
    assert "This home's clock goes on" in sandbox.log.read_text()


def test_workers_read_the_sandboxs_time(start_sandbox: Callable[..., RunningSandbox]) -> None:
    sandbox = start_sandbox(rate=20)
    clock = ReplayClock.from_file(sandbox.clock_file)
    before = clock.market_now()
    assert before <= sandbox.market_now() <= clock.market_now()


def test_two_sandboxes_do_not_share_a_home(start_sandbox: Callable[..., RunningSandbox]) -> None:
    sandbox = start_sandbox()
    second = program("--home", sandbox.home)
    assert second.returncode == 2
    assert second.stderr == (
        f"The sandbox did not start: another sandbox is using the home {sandbox.home}.\n"
    )
    assert sandbox.health()["sandbox"] is True


def test_two_homes_live_side_by_side(start_sandbox: Callable[..., RunningSandbox]) -> None:
    one, two = start_sandbox(), start_sandbox()
    assert one.port != two.port
    assert one.secret != two.secret


def test_a_port_in_use_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = program("--home", home, "--port", port)
    assert refused.returncode == 2
    assert refused.stderr == (
        "The sandbox did not start: cannot listen on 127.0.0.1,"
        f" port {port}: Address already in use.\n"
    )
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--at", "yesterday"], "'yesterday' is not a date and time; write it like 2013-02-27T"),
        (["--at", "2000-02-29"], "prices from 2000-03-01 to 2013-03-01; choose --at in between"),
        (["--at", "2013-03-02"], "prices from 2000-03-01 to 2013-03-01; choose --at in between"),
        (["--rate", "0"], "the rate must be above 0"),
        (["--rate", "-2"], "the rate must be above 0"),
        (["--rate", "nan"], "the rate must be above 0"),
        (["--rate", "1e9"], "at most 3600"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid, port 0: "),
    ],
)
def test_a_wrong_option_is_one_sentence_and_leaves_nothing(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    refused = program("--home", home, *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert says in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not home.exists()


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    refused = program("--home", file)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"The sandbox did not start: cannot write to the home {file}")


def test_a_broken_clock_is_named(tmp_path: Path) -> None:
    clock = tmp_path / "state" / "replay.json"
    clock.parent.mkdir()
    clock.write_text("{}")
    refused = program("--home", tmp_path)
    assert refused.returncode == 2
    assert f"the replay clock in {clock} cannot be read" in refused.stderr


def test_help_explains_every_option() -> None:
    shown = program("--help")
    assert shown.returncode == 0
    for option in ("--home", "--host", "--port", "--at", "--rate", "/sandbox/faults"):
        assert option in shown.stdout


def test_a_saturday_is_a_moment_like_any_other(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    sandbox = start_sandbox(at="2013-02-23T12:00:00")
    sandbox.prime()
    assert sandbox.health()["open"] is False
    order = sandbox.order("AAPL", "BUY", 1).json()[0]
    assert order["order_status"] == "PreSubmitted"
