"""The sandbox's HTTPS door: addresses, bodies, pacing, faults, and the word sandbox everywhere."""

import hmac
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from typing import Any

import httpx
import pytest

from tests.support.sandbox import ACCOUNT, RunningSandbox
from worker.clock import monotonic

MARK = "x-openbell-sandbox"
TICKLE = "/tickle"


@pytest.fixture(autouse=True)
def _undisturbed(sandbox: RunningSandbox) -> Iterator[None]:
    yield
    sandbox.faults(enforce_pacing=False, refuse_address=False)
    sandbox.analyst({})


def raw(sandbox: RunningSandbox, *sent: bytes) -> bytes:
    """What comes back for bytes that no client library would send."""
    context = ssl.create_default_context(cafile=sandbox.certificate)
    address = ("127.0.0.1", sandbox.port)
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        for part in sent:
            connection.sendall(part)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


# Addresses and bodies


def test_both_prefixes_lead_to_the_gateway(sandbox: RunningSandbox) -> None:
    for prefix in ("/v1/api", "/v1/portal"):
        answer = sandbox.client.post(f"{sandbox.address}{prefix}/iserver/auth/status", json={})
        assert answer.json()["authenticated"] is True


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/api/nothing"),
        ("GET", "/v1/api/"),
        ("GET", "/v1/api"),
        ("GET", "/v2/api/tickle"),
        ("GET", "/favicon.ico"),
        ("GET", "/v1/api/../../etc/passwd"),
        ("GET", "/v1/api/iserver/accounts/"),
        ("DELETE", "/v1/api/tickle"),
        ("POST", "/v1/api/iserver/accounts"),
        ("GET", "/sandbox"),
        ("GET", "/analyst/v1/completions"),
    ],
)
def test_any_other_path_is_access_denied(sandbox: RunningSandbox, method: str, path: str) -> None:
    answer = sandbox.client.request(method, f"{sandbox.address}{path}", content=b"")
    assert (answer.status_code, answer.text) == (404, "Access Denied")


def test_an_address_that_is_not_allowed_is_access_denied_everywhere(
    sandbox: RunningSandbox,
) -> None:
    sandbox.faults(refuse_address=True)
    answers = [sandbox.get(TICKLE), sandbox.order("AAPL", "BUY", 1)]
    assert [(a.status_code, a.text) for a in answers] == [(404, "Access Denied")] * 2
    assert sandbox.health()["sandbox"] is True


def test_a_post_without_a_length_is_411(sandbox: RunningSandbox) -> None:
    head = b"POST /v1/api/tickle HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    assert raw(sandbox, head + b"\r\n").startswith(b"HTTP/1.1 411 ")
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert raw(sandbox, chunked).startswith(b"HTTP/1.1 411 ")
    assert raw(sandbox, head + b"Content-Length: 0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("body", [b"{", b"hello", b"\xff\xfe", b"[" * 100_000, b"1" * 5000])
def test_a_body_that_is_not_json_is_400(sandbox: RunningSandbox, body: bytes) -> None:
    path = f"/iserver/account/{ACCOUNT}/orders"
    answer = sandbox.client.post(path, content=body)
    assert (answer.status_code, answer.json()["statusCode"]) == (400, 400)
    for control in ("faults", "session", "analyst", "proof", "orders"):
        refused = sandbox.client.post(f"{sandbox.address}/sandbox/{control}", content=body)
        assert refused.status_code == 400
        assert set(refused.json()) == {"error"}


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET /v1/api/tickle\r\n\r\n",
        b"BREW /v1/api/tickle HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    ],
)
def test_no_odd_bytes_bring_it_down(sandbox: RunningSandbox, sent: bytes) -> None:
    # It may cut such a client off in the middle of what it sends.
    with suppress(OSError):
        raw(sandbox, sent)
    assert sandbox.get(TICKLE).status_code == 200


def test_plain_http_and_other_certificates_are_refused(sandbox: RunningSandbox) -> None:
    with httpx.Client(timeout=5) as client:
        with pytest.raises(httpx.TransportError):
            client.get(f"http://127.0.0.1:{sandbox.port}/v1/api/tickle")
        with pytest.raises(httpx.ConnectError, match="certificate"):
            client.get(f"{sandbox.base_url}/tickle")
    assert sandbox.get(TICKLE).status_code == 200


# The word sandbox


def test_every_answer_says_sandbox(sandbox: RunningSandbox) -> None:
    sandbox.faults({"action": "answer", "path": "/sso/validate", "body": "<html>"})
    answers = [
        sandbox.get(TICKLE),
        sandbox.get("/sso/validate"),
        sandbox.get("/nothing"),
        sandbox.client.get(f"{sandbox.address}/"),
        sandbox.client.get(f"{sandbox.address}/sandbox/book"),
        sandbox.client.put(f"{sandbox.address}/sandbox/book"),
        sandbox.client.get(f"{sandbox.analyst_url}/models"),
    ]
    assert [answer.status_code for answer in answers] == [200, 500, 404, 200, 200, 405, 200]
    assert {answer.headers[MARK] for answer in answers} == {
        "not a broker: no real market, no real money"
    }


def test_the_front_page_says_what_this_is(sandbox: RunningSandbox) -> None:
    page = sandbox.client.get(f"{sandbox.address}/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for words in ("Openbell's sandbox", "not a broker", "No real market", ACCOUNT, "is drawn"):
        assert words in page.text


# Pacing


def test_requests_are_counted_and_nothing_happens_until_pacing_is_enforced(
    sandbox: RunningSandbox,
) -> None:
    before = sandbox.book()
    answers = [sandbox.get("/iserver/account/orders", accountId=ACCOUNT) for _ in range(3)]
    after = sandbox.book()
    name = "GET /iserver/account/orders"
    assert {answer.status_code for answer in answers} == {200}
    assert after["requests"][name] - before["requests"].get(name, 0) == 3
    assert after["violations"] - before["violations"] >= 2


def test_enforced_one_request_too_many_costs_the_penalty_box(sandbox: RunningSandbox) -> None:
    sandbox.faults(enforce_pacing=True)
    found = [sandbox.get("/sso/validate").status_code for _ in range(2)]
    boxed = sandbox.get("/trsrv/stocks", symbols="AAPL")
    assert found[-1] == boxed.status_code == 429
    assert "error" in boxed.json()
    sandbox.faults(enforce_pacing=False)
    assert sandbox.get("/trsrv/stocks", symbols="AAPL").status_code == 200


def test_more_than_five_charts_at_once_are_a_violation(
    start_sandbox: Callable[..., RunningSandbox],
) -> None:
    path = "/iserver/marketdata/history"
    sandbox = start_sandbox()
    sandbox.prime()
    sandbox.faults({"action": "delay", "seconds": 0.5, "path": path, "times": 6})
    with sandbox.make_client() as client, ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: client.get(path, params={"conid": 8314}), range(6)))
    assert {answer.status_code for answer in found} == {200}
    assert sandbox.book()["violations"] == 1


# Faults


def test_a_delay_outlasts_the_client_and_the_work_is_done_all_the_same(
    sandbox: RunningSandbox,
) -> None:
    sandbox.faults(
        {"action": "delay", "seconds": 0.5, "when": "after", "method": "POST", "path": "*/orders"}
    )
    before = len(sandbox.orders())
    ticket = {"conid": 265598, "side": "BUY", "quantity": 1, "orderType": "MKT", "tif": "DAY"}
    with sandbox.make_client(timeout=0.2) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.post(f"/iserver/account/{ACCOUNT}/orders", json={"orders": [ticket]})
    assert len(sandbox.orders()) == before + 1


def test_while_one_request_is_delayed_others_are_answered(sandbox: RunningSandbox) -> None:
    sandbox.faults({"action": "delay", "seconds": 30, "path": "/trsrv/stocks"})
    with sandbox.make_client(timeout=0.1) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.get("/trsrv/stocks")
    began = monotonic()
    assert sandbox.get(TICKLE).status_code == 200
    assert monotonic() - began < 5


@pytest.mark.parametrize(
    ("fault", "status", "kind", "body"),
    [
        ({"status": 503}, 503, "application/json", ""),
        ({"status": 200}, 200, "application/json", ""),
        ({"status": 200, "body": '{"trunc'}, 200, "application/json", '{"trunc'),
        ({"status": 200, "body": {"a": [1]}}, 200, "application/json", '{"a": [1]}'),
        (
            {"status": 403, "body": "<html>Access Denied</html>", "content_type": "text/html"},
            403,
            "text/html; charset=utf-8",
            "<html>Access Denied</html>",
        ),
    ],
)
def test_any_other_answer_can_be_had(
    sandbox: RunningSandbox, fault: dict[str, Any], status: int, kind: str, body: str
) -> None:
    sandbox.faults({"action": "answer", "path": TICKLE, **fault})
    answer = sandbox.get(TICKLE)
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (status, kind, body)
    assert sandbox.get(TICKLE).json()["userId"] == 1


def test_an_answer_can_carry_headers(sandbox: RunningSandbox) -> None:
    sandbox.faults({"action": "answer", "status": 429, "headers": {"Retry-After": "7"}})
    answer = sandbox.get(TICKLE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_what_is_left_of_the_faults_can_be_seen(sandbox: RunningSandbox) -> None:
    sandbox.faults({"action": "answer", "path": TICKLE, "times": 3, "status": 500})
    assert sandbox.get(TICKLE).status_code == 500
    assert [fault["left"] for fault in sandbox.control("faults")["faults"]] == [2]


def test_a_wrong_wish_is_400_and_changes_nothing(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.address}/sandbox/faults"
    before = sandbox.control("faults")
    refused = sandbox.client.post(url, json={"quiet": True, "faults": [{"action": "explode"}]})
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("action: ")
    assert sandbox.control("faults") == before


# Proof


def test_the_proof_is_bound_to_nonce_secret_and_certificate(sandbox: RunningSandbox) -> None:
    nonce = "5a" * 16
    der = ssl.PEM_cert_to_DER_cert(sandbox.certificate.read_text())
    signed = f"{nonce}:{sha256(der).hexdigest()}".encode()
    expected = hmac.new(sandbox.secret.encode(), signed, sha256).hexdigest()
    assert sandbox.control("proof", {"nonce": nonce}) == {"proof": expected}


@pytest.mark.parametrize("wish", [{}, {"nonce": ""}, {"nonce": 5}, {"nonce": "zz" * 16}, [], None])
def test_a_nonce_that_is_no_hex_gets_no_proof(sandbox: RunningSandbox, wish: Any) -> None:
    answer = sandbox.client.post(f"{sandbox.address}/sandbox/proof", json=wish)
    assert answer.status_code == 400


# The analyst


def ask(sandbox: RunningSandbox, **figures: Any) -> httpx.Response:
    content = f"Decide.\n```json\n{json.dumps(figures)}\n```"
    body = {"model": "any", "messages": [{"role": "user", "content": content}]}
    return sandbox.client.post(f"{sandbox.analyst_url}/chat/completions", json=body)


UP = {"symbol": "GOOGL", "last": 790.1, "sma_20": 779.8, "sma_50": 745.7, "rsi_14": 61.1}


def test_the_analyst_answers_like_a_model_and_says_it_is_scripted(sandbox: RunningSandbox) -> None:
    answer = ask(sandbox, **UP, owned_shares=0).json()
    said = json.loads(answer["choices"][0]["message"]["content"])
    assert {"id", "object", "created", "model", "choices", "usage"} <= set(answer)
    assert (answer["object"], answer["model"]) == ("chat.completion", "any")
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert said["signal"] == "BUY"
    assert said["rationale"].startswith("Scripted answer of the sandbox's analyst: ")


def test_overrides_win_for_their_symbol_until_they_are_cleared(sandbox: RunningSandbox) -> None:
    def signal() -> Any:
        return json.loads(ask(sandbox, **UP).json()["choices"][0]["message"]["content"])["signal"]

    sandbox.analyst({"AAPL": {"signal": "SELL"}})
    found = [signal()]
    sandbox.analyst({"GOOGL": {"signal": "SELL", "confidence": 0.9, "rationale": "told"}})
    found.append(signal())
    sandbox.analyst({"*": {"signal": "HOLD"}})
    found.append(signal())
    sandbox.analyst({})
    found.append(signal())
    assert found == ["BUY", "SELL", "HOLD", "BUY"]


def test_the_analyst_can_be_made_to_fail_to_dawdle_and_to_babble(sandbox: RunningSandbox) -> None:
    sandbox.analyst({"GOOGL": {"status": 500}})
    failed = ask(sandbox, **UP)
    assert (failed.status_code, "message" in failed.json()["error"]) == (500, True)
    sandbox.analyst({"GOOGL": {"raw": "Buy!"}})
    assert ask(sandbox, **UP).json()["choices"][0]["message"]["content"] == "Buy!"
    sandbox.analyst({"GOOGL": {"raw": "Buy!", "delay_seconds": 0.2}})
    began = monotonic()
    ask(sandbox, **UP)
    assert monotonic() - began >= 0.2


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"messages": 1}', b'{"messages": [], "stream": true}']
)
def test_a_completion_nobody_can_answer_is_400(sandbox: RunningSandbox, body: bytes) -> None:
    answer = sandbox.client.post(f"{sandbox.analyst_url}/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_book_tells_everything_and_its_time(sandbox: RunningSandbox) -> None:
    book = sandbox.book()
    assert set(book) == {
        "sandbox", "account", "market_time", "orders", "fills", "positions", "cash", "requests",
        "violations", "faults_fired",
    }  # fmt: skip
    assert book["market_time"].startswith("2013-02-27T15:")
