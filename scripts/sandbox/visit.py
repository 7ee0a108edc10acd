"""One request to the gateway: what it asks for, whom it is about, and what came of it."""

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from scripts.sandbox.faults.armed import Armed
from scripts.sandbox.faults.subject import Subject, coids_in, of_ticket, symbols_in
from scripts.sandbox.gateway.call import Call, Endpoint, Unreadable, whole_number
from scripts.sandbox.gateway.paths import find
from scripts.sandbox.notes import Arrival
from scripts.sandbox.sandbox import ACCOUNT, Sandbox

UNKNOWN = "(unknown path)"


@dataclass
class Visit:
    request: Request
    sandbox: Sandbox
    path: str  # below the prefix
    endpoint: Endpoint | None
    call: Call
    body: bytes
    subject: Subject
    faults: list[str] = field(default_factory=list)  # those that took it, by their ids

    @property
    def name(self) -> str:
        """What it is counted under."""
        return f"{self.request.method} {self.endpoint.path if self.endpoint else UNKNOWN}"

    def take(self, fault: Armed) -> None:
        self.sandbox.fire(fault)
        self.faults.append(fault.id)

    def arrival(self) -> Arrival:
        about, wall = self.subject, self.sandbox.clock.wall()
        return Arrival(wall, about.method, about.path, about.account, about.coids, self.body)


async def receive(request: Request) -> Visit:
    """The whole request, or nothing: a client that goes away before has asked for nothing."""
    sandbox: Sandbox = request.app.state.sandbox
    body = await request.body()
    path = "/" + request.path_params["path"]
    endpoint, params = find(request.method, path) or (None, {})
    call = Call(sandbox, params, request.query_params, _decoded(body))
    subject = _subject(call, request.method, path)
    return Visit(request, sandbox, path, endpoint, call, body, subject)


def _subject(call: Call, method: str, path: str) -> Subject:
    about = _standing(call)
    account = call.params.get("account") or call.query.get("accountId") or about.account
    coids = about.coids or coids_in(call.body)
    return Subject(account, coids, about.symbols or symbols_in(call.body), method, path)


def _standing(call: Call) -> Subject:
    """The order that a reply, a cancel or a question for its status is about."""
    waiting = call.sandbox.inside.pending.get(call.params.get("reply", ""))
    if waiting:
        return of_ticket(waiting.ticket, ACCOUNT)
    order_id = whole_number(call.params.get("order"))
    order = call.sandbox.book.order(order_id) if order_id is not None else None
    if order is None:
        return Subject()
    return Subject(ACCOUNT, (order.coid,) if order.coid else (), (order.symbol,))


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        return Unreadable()
