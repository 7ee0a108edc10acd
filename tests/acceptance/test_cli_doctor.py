"""The doctor before a gateway with each of the usual troubles; real servers on loopback."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from scripts.doctor_findings import Finding
from scripts.doctor_gateway import gateway
from scripts.parts.ports import Ports
from tests.support.fake_gateway import FakeGateway
from tests.support.sandbox import ACCOUNT
from tests.support.stack import Stack
from tests.support.tls_server import Behaviour, Peer, TlsServer
from worker.clock import SystemClock
from worker.runtime import reset_services, services

STACK = {"workers": False}
BASE_URL = "OPENBELL_IBKR__BASE_URL"
PIN = "OPENBELL_IBKR__TLS__PINNED_CERTIFICATE"
HEALTHY = {"authenticated": True, "connected": True, "competing": False, "established": True}
LOGIN_PAGE = "<html><title>Client Portal</title></html>"
Look = Callable[..., list[Finding]]


@pytest.fixture
def look(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Look:
    """What the doctor says of the gateway, the configuration being the stack's but for these."""

    def looked(environment: Mapping[str, str] | None = None) -> list[Finding]:
        for name, value in (environment or {}).items():
            monkeypatch.setenv(name, value)
        reset_services()
        return list(gateway(services()))

    return looked


def wrong(findings: list[Finding]) -> Finding:
    """The one problem. It is the last finding: what stands on it is not looked at."""
    [problem] = [finding for finding in findings if finding.verdict == "problem"]
    assert findings[-1] == problem
    assert problem.fix
    return problem


def saying(answers: Mapping[str, Any], date: datetime | None = None) -> Behaviour:
    """A server with these answers by path; 404 for everything else."""

    def behave(peer: Peer) -> None:
        while request := peer.request():
            path = request.split()[1].decode().partition("?")[0].removeprefix("/v1/api")
            known = path in answers
            answer = answers.get(path, "not here")
            body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            head = f"HTTP/1.1 {200 if known else 404} X\r\nContent-Length: {len(body)}\r\n"
            if date is not None:
                head += f"Date: {format_datetime(date, usegmt=True)}\r\n"
            peer.answer(head.encode() + b"\r\n" + body)

    return behave


def at(server: TlsServer) -> dict[str, str]:
    return {BASE_URL: server.base_url, PIN: str(server.certificate)}


def test_a_healthy_sandbox_is_all_right(look: Look) -> None:
    found = look()
    assert [(finding.part, finding.verdict) for finding in found] == [
        ("gateway", "ok"),
        ("certificate", "ok"),
        ("login", "ok"),
        ("account", "ok"),
        ("sandbox", "ok"),
        ("market data", "ok"),
    ]
    told = " ".join(finding.sentence for finding in found)
    assert "DU9…01, paper, proved by isPaper" in told
    assert ACCOUNT not in told


def test_nothing_that_listens_is_named(look: Look) -> None:
    with Ports() as ports:
        port = ports.take()
        problem = wrong(look({BASE_URL: f"https://127.0.0.1:{port}/v1/api"}))
    assert problem.sentence == f"nothing listens at 127.0.0.1:{port} (refused)"
    assert BASE_URL in str(problem.fix)


def test_a_server_without_tls_is_told_from_one_with_a_wrong_certificate(look: Look) -> None:
    server = FakeGateway()
    try:
        problem = wrong(look({BASE_URL: server.base_url.replace("http:", "https:")}))
    finally:
        server.close()
    assert "does not speak TLS" in problem.sentence
    assert "listenSsl" in str(problem.fix)


def test_an_untrusted_certificate_comes_with_the_command_that_exports_it(
    look: Look, tmp_path: Path
) -> None:
    problem = wrong(look({PIN: ""}))
    assert problem.part == "certificate"
    assert "self-signed certificate" in problem.sentence
    assert problem.command is not None
    python = shutil.which("python3")
    assert python is not None
    subprocess.run(problem.command, shell=True, cwd=tmp_path, check=True)  # noqa: S602 - as pasted
    found = look({PIN: str(tmp_path / "gateway.pem")})
    assert [finding for finding in found if finding.verdict == "problem"] == []


def test_a_certificate_that_is_not_the_pinned_one_is_told(
    stack: Stack, look: Look, tmp_path: Path
) -> None:
    with TlsServer(tmp_path, saying({})) as server:
        problem = wrong(look({BASE_URL: server.base_url, PIN: str(stack.sandbox.certificate)}))
    assert (problem.part, problem.sentence) == ("certificate", "it is not the pinned one")


def test_a_pin_that_is_no_certificate_is_told(look: Look, tmp_path: Path) -> None:
    problem = wrong(look({PIN: str(tmp_path / "missing.pem")}))
    assert problem.part == "certificate"
    assert "missing.pem is no certificate in PEM" in problem.sentence


def test_a_login_page_instead_of_the_api_means_a_wrong_path(look: Look, tmp_path: Path) -> None:
    with TlsServer(tmp_path, saying({"/iserver/auth/status": LOGIN_PAGE})) as server:
        problem = wrong(look(at(server)))
    assert "with a web page" in problem.sentence
    assert "must end in /v1/api" in str(problem.fix)


def test_a_path_that_is_not_there_means_a_wrong_path_too(look: Look, tmp_path: Path) -> None:
    with TlsServer(tmp_path, saying({})) as server:
        problem = wrong(look(at(server)))
    assert "404" in problem.sentence
    assert "must end in /v1/api" in str(problem.fix)


def test_nobody_logged_in_says_where_to_log_in(stack: Stack, look: Look) -> None:
    stack.sandbox.session(sso=False)
    try:
        problem = wrong(look())
    finally:
        stack.sandbox.session(sso=True)
    assert problem.part == "login"
    assert "401" in problem.sentence
    assert problem.fix == f"open {stack.sandbox.address} in a browser and log in"


def test_a_logout_is_seen_though_the_answer_is_200(stack: Stack, look: Look) -> None:
    stack.sandbox.post("/logout")
    try:
        problem = wrong(look())
    finally:
        stack.sandbox.session(sso=True)
    assert (problem.part, problem.sentence) == ("login", "nobody is logged in")


def test_a_login_without_a_brokerage_session_is_told_apart(stack: Stack, look: Look) -> None:
    stack.sandbox.session(brokerage=False)
    try:
        problem = wrong(look())
    finally:
        stack.sandbox.session(brokerage=True)
    assert problem.sentence.startswith("logged in, but there is no brokerage session")


def test_a_competing_session_names_the_others(stack: Stack, look: Look) -> None:
    stack.sandbox.session(competing=True)
    try:
        problem = wrong(look())
    finally:
        stack.sandbox.session(competing=False)
    assert "competing" in problem.sentence
    assert "TWS" in str(problem.fix)


def test_a_denied_address_names_the_list_in_the_gateways_file(stack: Stack, look: Look) -> None:
    stack.sandbox.faults(refuse_address=True)
    try:
        problem = wrong(look())
    finally:
        stack.sandbox.faults(refuse_address=False)
    assert "Access Denied" in problem.sentence
    assert "ips.allow" in str(problem.fix)


def test_a_gateway_whose_broker_is_away_asks_for_patience(stack: Stack, look: Look) -> None:
    away = {"action": "answer", "path": "/iserver/auth/status", "status": 503, "times": 9}
    stack.sandbox.faults(away | {"body": {"error": "Service Unavailable", "statusCode": 503}})
    try:
        problem = wrong(look())
    finally:
        stack.sandbox.faults()
    assert "503" in problem.sentence
    assert str(problem.fix).startswith("wait: ")


def test_another_account_is_told_by_both_ends_of_their_ids(look: Look) -> None:
    problem = wrong(look({"OPENBELL_IBKR__ACCOUNT_ID": "DU1234567"}))
    assert problem.part == "account"
    assert problem.sentence == "DU1…67 is configured, the gateway has DU9…01"


def test_an_account_that_is_not_configured_is_told(look: Look) -> None:
    problem = wrong(look({"OPENBELL_IBKR__ACCOUNT_ID": ""}))
    assert problem.sentence == "none is configured; the gateway has DU9…01"


def test_a_live_account_in_paper_mode_is_a_problem(
    look: Look, stack: Stack, tmp_path: Path
) -> None:
    account = "U7654321"
    answers = {
        "/iserver/auth/status": HEALTHY,
        "/iserver/accounts": {"accounts": [account], "selectedAccount": account, "isPaper": False},
        "/portfolio/accounts": [{"accountId": account, "type": "INDIVIDUAL"}],
        "/sso/validate": {"LOGIN_TYPE": 1},
    }
    stack.redis.flushdb()  # what processes share of another gateway
    with TlsServer(tmp_path, saying(answers)) as server:
        problem = wrong(look({**at(server), "OPENBELL_IBKR__ACCOUNT_ID": account}))
    stack.redis.flushdb()
    assert problem.sentence == "the configuration says paper, the account is live"


def test_a_paper_account_elsewhere_than_in_the_sandbox_gets_no_order(
    look: Look, stack: Stack, tmp_path: Path
) -> None:
    answers = {
        "/iserver/auth/status": HEALTHY,
        "/iserver/accounts": {"accounts": [ACCOUNT], "selectedAccount": ACCOUNT, "isPaper": True},
        "/portfolio/accounts": [{"accountId": ACCOUNT, "type": "DEMO"}],
        "/sso/validate": {"LOGIN_TYPE": 2},
    }
    stack.redis.flushdb()
    with TlsServer(tmp_path, saying(answers)) as server:
        found = look(at(server))
    stack.redis.flushdb()
    told = {finding.part: finding for finding in found}
    assert told["account"].verdict == "ok"
    assert told["sandbox"].verdict == "problem"
    assert "did not prove to be the sandbox" in told["sandbox"].sentence


def test_delayed_data_are_a_problem(stack: Stack, look: Look) -> None:
    stack.sandbox.faults(delayed_data=True)
    try:
        problem = wrong(look())
    finally:
        stack.sandbox.faults(delayed_data=False)
    assert problem.part == "market data"
    assert problem.sentence.startswith("AAPL is delayed by a quarter of an hour (D")


@pytest.mark.parametrize(
    ("off", "words"),
    [
        (timedelta(seconds=60), "(5[0-9]|60) s behind the gateway's"),
        (timedelta(seconds=-60), "6[0-9] s ahead of the gateway's"),
    ],
)
def test_clocks_that_disagree_are_a_problem(
    look: Look, tmp_path: Path, off: timedelta, words: str
) -> None:
    date = SystemClock().wall_now() + off
    with TlsServer(tmp_path, saying({"/iserver/auth/status": HEALTHY}, date)) as server:
        found = look(at(server))
    [problem] = [finding for finding in found if finding.part == "clock"]
    assert problem.verdict == "problem"
    assert re.search(words, problem.sentence)


def test_clocks_that_agree_are_not_mentioned(look: Look, tmp_path: Path) -> None:
    now = SystemClock().wall_now()
    with TlsServer(tmp_path, saying({"/iserver/auth/status": HEALTHY}, now)) as server:
        assert "clock" not in {finding.part for finding in look(at(server))}
