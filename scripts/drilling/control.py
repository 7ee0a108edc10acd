"""The sandbox's switches and its book, as a drill uses them."""

from pathlib import Path
from typing import Any, Self

import httpx

from scripts.demonstration.book import Book, read_book
from scripts.parts.part import PartFailed
from scripts.parts.sandbox_server import SandboxServer
from worker.clock import SystemClock, monotonic
from worker.http import Tls, make_client

# A drill closes the sandbox's entrance for seconds.
PATIENCE_SECONDS, PAUSE_SECONDS = 30.0, 0.2


class Control:
    def __init__(self, url: str, certificate: Path) -> None:
        self._url, self._certificate = url, certificate
        self._client = make_client(url, tls=Tls(pinned_certificate=certificate), timeout_seconds=10)

    @classmethod
    def of(cls, server: SandboxServer) -> Self:
        return cls(server.url, server.certificate)

    def close(self) -> None:
        self._client.close()

    def direct(self, side: str, symbols: tuple[str, ...]) -> None:
        """What the analyst says of each symbol from now on."""
        self._ask("POST", "analyst", {symbol: {"signal": side} for symbol in symbols})

    def arm(self, fault: dict[str, Any]) -> None:
        try:
            self._ask("POST", "faults", [fault])
        except httpx.HTTPStatusError as error:
            # The answer to a first attempt may have been lost to another fault.
            if "is armed already" not in error.response.text:
                raise

    def fired(self) -> set[str]:
        """The ids of the faults that have acted, ever."""
        return {one["id"] for one in self._ask("GET", "book")["faults_fired"]}

    def book(self) -> Book:
        self._ask("GET", "health")
        return read_book(self._url, self._certificate)

    def requests(self) -> list[dict[str, Any]]:
        """Every request of an order conversation that ever arrived."""
        noted: list[dict[str, Any]] = []
        more = True
        while more:
            after = noted[-1]["seq"] if noted else 0
            page = self._ask("GET", f"book?after={after}")
            noted, more = noted + page["order_requests"], page["more"]
        return noted

    def _ask(self, method: str, path: str, wish: Any = None) -> Any:
        end = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._client.request(method, f"/sandbox/{path}", json=wish)
                return answer.raise_for_status().json()
            except httpx.TransportError as error:
                if monotonic() > end:
                    raise PartFailed("sandbox", f"the sandbox does not answer: {error}") from None
                SystemClock().sleep(PAUSE_SECONDS)
