"""A gateway that says whatever a test wants, over real HTTP, for what the sandbox cannot be.

gateway.says("GET /iserver/accounts", {...})             # from now on
gateway.says("GET /iserver/accounts", first, second)     # in turn; the last stays
gateway.says("GET /sso/validate", Said("", 401))
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

BASE = "/v1/api"


@dataclass(frozen=True)
class Said:
    """A body as text, and what goes with it."""

    body: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class FakeGateway:
    def __init__(self) -> None:
        self.requests: list[str] = []
        self.bodies: list[str] = []
        self.queries: list[dict[str, str]] = []
        self._answers: dict[str, list[Any]] = {}
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer goes out in one piece

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                gateway.bodies.append(self.rfile.read(length).decode())
                url = urlsplit(self.path)
                said = gateway._said(f"{self.command} {url.path.removeprefix(BASE)}", url.query)
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said.body.encode())))
                self.end_headers()
                self.wfile.write(said.body.encode())

            do_POST = do_DELETE = do_GET  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}{BASE}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def says(self, request: str, *answers: Any) -> None:
        self._answers[request] = list(answers)

    def count(self, request: str) -> int:
        return self.requests.count(request)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _said(self, request: str, query: str) -> Said:
        self.requests.append(request)
        self.queries.append({name: values[0] for name, values in parse_qs(query).items()})
        answers = self._answers.get(request)
        if not answers:
            return Said("Access Denied", 404)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, Said) else Said(json.dumps(answer))


@pytest.fixture
def fake_gateway() -> Iterator[FakeGateway]:
    gateway = FakeGateway()
    yield gateway
    gateway.close()
