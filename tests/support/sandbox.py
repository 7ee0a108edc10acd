"""A real sandbox for tests: a process of its own on a random port, with a home of its own.

Use the fixtures: `sandbox`, one for a whole module, begun as the module's `SANDBOX` says (a dict
for `RunningSandbox.start`), or `start_sandbox`, a function that starts any number for one test.
"""

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from scripts.parts.guardian import AT_ONCE
from worker.clock import SystemClock, monotonic

PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent
IN_SESSION = "2013-02-27T10:00:00"  # New York; the market is open, and it is a Wednesday
BEFORE_OPEN = "2013-02-27T09:29:40"
ACCOUNT = "DU9000001"
CONIDS = {"AAPL": 265598, "MSFT": 272093, "IBM": 8314, "GOOGL": 208813719}
START_SECONDS, WAIT_SECONDS, PAUSE_SECONDS = 20.0, 20.0, 0.02


class RunningSandbox:
    """Paths given to `get`, `post` and `delete` are below /v1/api."""

    account = ACCOUNT

    def __init__(self, home: Path, at: str, rate: float) -> None:
        self.home, self.at, self.rate = home, at, rate
        self.port = 0
        self.log = home / "sandbox.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None

    @classmethod
    def start(cls, home: Path, at: str = IN_SESSION, rate: float = 1.0) -> Self:
        """Returns once it answers. Market time begins at `at`, unless the home was used before."""
        home.mkdir(parents=True, exist_ok=True)
        sandbox = cls(home, at, rate)
        sandbox.restart()
        return sandbox

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.address}/v1/api"

    @property
    def analyst_url(self) -> str:
        return f"{self.address}/analyst/v1"

    @property
    def certificate(self) -> Path:
        return self.home / "state" / "sandbox" / "cert.pem"

    @property
    def clock_file(self) -> Path:
        return self.home / "state" / "replay.json"

    @property
    def secret(self) -> str:
        return (self.home / "state" / "sandbox_secret").read_text().strip()

    @property
    def pid(self) -> int:
        """Where signals go; the guardian passes them on, all but SIGKILL."""
        assert self._process is not None
        return self._process.pid

    @property
    def client(self) -> httpx.Client:
        assert self._client is not None
        return self._client

    def environment(self) -> dict[str, str]:
        """What a worker needs to use it."""
        return {
            "OPENBELL_HOME": str(self.home),
            "OPENBELL_IBKR__BASE_URL": self.base_url,
            "OPENBELL_IBKR__TLS__PINNED_CERTIFICATE": str(self.certificate),
            "OPENBELL_IBKR__ACCOUNT_ID": self.account,
            "OPENBELL_REPLAY_CLOCK": str(self.clock_file),
            "OPENBELL_SIGNAL__BASE_URL": self.analyst_url,
            "OPENBELL_SIGNAL__TLS__PINNED_CERTIFICATE": str(self.certificate),
        }

    def make_client(self, timeout: float = 10.0) -> httpx.Client:
        """A client of the test's own that trusts the sandbox's certificate alone."""
        context = ssl.create_default_context(cafile=self.certificate)
        return httpx.Client(base_url=self.base_url, verify=context, timeout=timeout)

    # The gateway

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.client.get(path, params=query or None)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        # Not httpx's own encoder: tests send what no encoder should.
        text = json.dumps({} if body is None else body)
        return self.client.post(path, content=text, headers={"Content-Type": "application/json"})

    def delete(self, path: str) -> httpx.Response:
        return self.client.delete(path)

    def prime(self) -> None:
        """What a client does before orders and market data."""
        assert self.get("/iserver/accounts").json()["accounts"] == [self.account]
        self.get("/portfolio/accounts").raise_for_status()

    def order(self, symbol: str, side: str, quantity: float, **ticket: Any) -> httpx.Response:
        """Submit one order: a limit order where `price` is given, else a market order."""
        known = {"conid": CONIDS[symbol], "side": side, "quantity": quantity, "tif": "DAY"}
        kind = {"orderType": "LMT" if "price" in ticket else "MKT"}
        body = {"orders": [known | kind | ticket]}
        return self.post(f"/iserver/account/{self.account}/orders", body)

    def confirm(self, asked: httpx.Response) -> httpx.Response:
        """Say yes to the question of an answer."""
        return self.post(f"/iserver/reply/{asked.json()[0]['id']}", {"confirmed": True})

    # Control

    def control(self, name: str, wish: Any = None) -> Any:
        """GET /sandbox/<name>, or POST it where there is something to ask for."""
        url = f"{self.address}/sandbox/{name}"
        answer = self.client.get(url) if wish is None else self.client.post(url, json=wish)
        assert answer.is_success, answer.text
        return answer.json()

    def health(self) -> dict[str, Any]:
        return dict(self.control("health"))

    def market_now(self) -> datetime:
        return datetime.fromisoformat(self.health()["market_time"])

    def book(self) -> dict[str, Any]:
        return dict(self.control("book"))

    def orders(self) -> list[dict[str, Any]]:
        return list(self.book()["orders"])

    def position(self, symbol: str) -> str:
        held = {row["symbol"]: row["quantity"] for row in self.book()["positions"]}
        return str(held.get(symbol, "0"))

    def faults(self, *faults: dict[str, Any], **switches: Any) -> None:
        """Exactly these faults from now on, and these switches changed."""
        self.control("faults", switches | {"faults": list(faults)})

    def arm(self, *faults: dict[str, Any]) -> list[str]:
        """These faults besides those that are armed; their ids."""
        return list(self.control("faults", list(faults))["armed"])

    def disarm(self, fault_id: str | None = None) -> httpx.Response:
        """One fault, or all."""
        one = "" if fault_id is None else f"/{fault_id}"
        return self.client.delete(f"{self.address}/sandbox/faults{one}")

    def fired(self) -> dict[str, int]:
        """How often each kind of fault has fired, ever."""
        return dict(self.control("faults")["fired"])

    def order_requests(self, coid: str | None = None) -> list[dict[str, Any]]:
        """Every request of an order conversation that the book has; those about one order."""
        noted: list[dict[str, Any]] = []
        more = True
        while more:
            after = noted[-1]["seq"] if noted else 0
            page = self.control(f"book?after={after}")
            noted, more = noted + page["order_requests"], page["more"]
        return [request for request in noted if coid is None or coid in request["cOIDs"]]

    def session(self, **change: bool) -> None:
        self.control("session", change)

    def analyst(self, overrides: dict[str, Any]) -> None:
        self.control("analyst", overrides)

    def wait_until(self, reached: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The book as soon as it is as wanted."""
        ends = monotonic() + WAIT_SECONDS
        while monotonic() < ends:
            book = self.book()
            if reached(book):
                return book
            SystemClock().sleep(PAUSE_SECONDS)
        raise AssertionError(f"after {WAIT_SECONDS:.0f} s not yet: {what}\n{json.dumps(book)}")

    def wait_until_it_listens(self) -> None:
        """After a drill has closed its entrance."""
        ends = monotonic() + WAIT_SECONDS
        while monotonic() < ends:
            with suppress(httpx.TransportError):
                self.health()
                return
            SystemClock().sleep(PAUSE_SECONDS)
        raise AssertionError(f"after {WAIT_SECONDS:.0f} s nobody listens yet")

    def wait_for_status(self, order_id: int | str, *statuses: str) -> dict[str, Any]:
        """The order as the book has it, once it is in one of these states."""

        def found(book: dict[str, Any]) -> list[dict[str, Any]]:
            return [o for o in book["orders"] if str(o["order_id"]) == str(order_id)]

        book = self.wait_until(
            lambda book: any(o["status"] in statuses for o in found(book)),
            f"order {order_id} is {' or '.join(statuses)}",
        )
        return found(book)[0]

    # The process

    def restart(self) -> None:
        """Start it, ended or not, on the same home and port."""
        self.stop()
        # Under the guardian it ends with the tests, however they end.
        command = [sys.executable, "-m", "scripts.parts.guardian", "--"]
        command += [sys.executable, "-m", "scripts.sandbox", "--home", str(self.home)]
        command += ["--port", str(self.port), "--at", self.at, "--rate", str(self.rate)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=PROJECT_ROOT, env=_bare(), stdout=log, stderr=subprocess.STDOUT
            )
        self.port = self._announced_port()
        self._client = self.make_client()
        self.health()

    def go_to(self, at: str) -> None:
        """Restart it with its market clock set to `at`; the book stays."""
        self.stop()
        self.clock_file.unlink()
        self.at = at
        self.restart()

    def kill(self) -> None:
        """Kill -9: no time to tidy up."""
        self._end(AT_ONCE)

    def stop(self) -> int | None:
        """Ends it politely; its exit code."""
        return self._end(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code, once it has ended by itself or by a signal of the test's own."""
        assert self._process is not None
        return self._process.wait(WAIT_SECONDS)

    def _end(self, number: signal.Signals) -> int | None:
        if self._client is not None:
            self._client.close()
            self._client = None
        process, self._process = self._process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(AT_ONCE)
            return process.wait()

    def _announced_port(self) -> int:
        """From the line that it prints when its socket listens."""
        assert self._process is not None
        ends = monotonic() + START_SECONDS
        while monotonic() < ends and self._process.poll() is None:
            for line in self.log.read_text().splitlines():
                if line.strip().startswith("market time"):
                    address = next(x for x in self.log.read_text().split() if x.endswith("/v1/api"))
                    return httpx.URL(address).port or 0
            SystemClock().sleep(PAUSE_SECONDS)
        self.kill()
        said = self.log.read_text()
        raise AssertionError(f"the sandbox did not start: {said}")


def _bare() -> dict[str, str]:
    """The environment without what somebody set for an Openbell of their own."""
    return {name: v for name, v in os.environ.items() if not name.startswith("OPENBELL_")}


@pytest.fixture(scope="module")
def sandbox(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSandbox]:
    """One for the whole module, primed, begun as the module's SANDBOX says."""
    wanted: dict[str, Any] = getattr(request.module, "SANDBOX", {})
    running = RunningSandbox.start(tmp_path_factory.mktemp("sandbox"), **wanted)
    try:
        running.prime()
        yield running
    finally:
        running.stop()


@pytest.fixture
def start_sandbox(tmp_path: Path) -> Iterator[Callable[..., RunningSandbox]]:
    """`start_sandbox(at=..., rate=..., home=...)`, as often as a test likes."""
    running: list[RunningSandbox] = []

    def start(home: Path | None = None, **wanted: Any) -> RunningSandbox:
        sandbox = RunningSandbox.start(home or tmp_path / f"home{len(running)}", **wanted)
        running.append(sandbox)
        return sandbox

    try:
        yield start
    finally:
        for sandbox in running:
            sandbox.stop()
