"""An alert reaches its address; one that does not harms nobody and shows no address."""

import logging
import socket
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.support.hooks import Hook
from worker.alerts import AppriseAlerts, ConsoleAlerts
from worker.clock import monotonic

SECRET = "T0SECRET"  # pragma: allowlist secret
# apprise's mail plugin still asks for it, and does without.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.close()


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An address that takes connections, never answers, and would be waited for a minute."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"json://user:{SECRET}@127.0.0.1:{server.getsockname()[1]}/{SECRET}?rto=60"


def test_an_alert_is_sent_to_its_severitys_address(hook: Hook) -> None:
    AppriseAlerts({"warning": [hook.address]}).send("warning", "Title", "Text, 1 < 2 & more")
    assert hook.received == [("warning", "Title", "Text, 1 < 2 & more")]


def test_every_address_of_a_severity_is_told(hook: Hook) -> None:
    AppriseAlerts({"info": [hook.address, hook.address]}).send("info", "Title", "Text")
    assert hook.received == [("info", "Title", "Text")] * 2


def test_a_severity_without_an_address_uses_the_next_lower_one(hook: Hook) -> None:
    AppriseAlerts({"info": [hook.address]}).send("critical", "Title", "Text")
    assert hook.received == [("failure", "Title", "Text")]


def test_a_lower_severity_does_not_wake_those_of_a_higher(hook: Hook) -> None:
    AppriseAlerts({"critical": [hook.address]}).send("warning", "Title", "Text")
    assert hook.received == []


def test_every_alert_is_a_log_event() -> None:
    with capture_logs() as events:
        ConsoleAlerts().send("critical", "Title", "Text")
    assert events == [
        {"event": "alert", "log_level": "error", "severity": "critical", "title": "Title",
         "text": "Text"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (f"json://127.0.0.1:9/{SECRET}", "the other side refused it, or was not reached"),
        (f"nosuchservice://{SECRET}", "apprise cannot read it; see its documentation of addresses"),
        (f"json://[{SECRET}", "apprise cannot read it; see its documentation of addresses"),
    ],
)
def test_an_address_that_fails_is_logged_without_itself(
    address: str, why: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as events:
        AppriseAlerts({"critical": [address]}).send("critical", "Title", "Text")
    assert [event["event"] for event in events] == ["alert", "alert_not_delivered"]
    assert events[1]["why"] == f"address 1: {why}"
    shown = "".join(map(str, (events, caplog.text, *capfd.readouterr())))
    assert SECRET not in shown


def test_an_address_that_never_answers_holds_nobody_up(hook: Hook, black_hole: str) -> None:
    alerts = AppriseAlerts({"critical": [black_hole, black_hole, hook.address]})
    before = monotonic()
    with capture_logs() as events:
        alerts.send("critical", "Title", "Text")
    assert monotonic() - before < 6
    assert hook.received == [("failure", "Title", "Text")]
    assert [event["event"] for event in events] == [
        "alert", "alert_not_delivered", "alert_not_delivered",
    ]  # fmt: skip
    assert [event["why"] for event in events[1:]] == [
        "address 1: no answer in 5 s", "address 2: no answer in 5 s",
    ]  # fmt: skip
    assert SECRET not in str(events) + repr(alerts)
