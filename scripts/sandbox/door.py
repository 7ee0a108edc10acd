"""What happens to a request to the gateway: counted, disturbed on order, answered.

Counting and pacing come first, as with the broker, where a request that fails counts too. Nothing
waits between `advance` and the answer, and the book is on disk by then.
"""

import asyncio
import json
import socket
import struct
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from scripts.sandbox.gateway.call import Answer, Call, Unreadable, answer
from scripts.sandbox.gateway.paths import find
from scripts.sandbox.sandbox import Sandbox
from scripts.sandbox.wishes import Fault

UNKNOWN = "(unknown path)"
TOO_MANY = Answer({"error": "Too many requests (sandbox)", "statusCode": 429}, 429)
RESET_AT_ONCE = struct.pack("ii", 1, 0)  # linger on, for no time: closing sends a reset


class Json(Response):
    """Any value that JSON can hold, text that is no valid Unicode included."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode()


def access_denied() -> Response:
    """How the gateway refuses an address that is not in its list."""
    return PlainTextResponse("Access Denied", 404)


async def gateway(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    body = await request.body()
    method, path = request.method, "/" + request.path_params["path"]
    found = find(method, path)
    name = f"{method} {found[0].path if found else UNKNOWN}"
    with sandbox.pacing.running(name):
        if not _paced(sandbox, name):
            return _response(TOO_MANY)
        disturbed = await _disturbed(request, sandbox.faults.due("before", method, path))
        if disturbed:
            return disturbed
        done = _work(sandbox, request, path, body)
        return await _disturbed(request, sandbox.faults.due("after", method, path)) or done


def _paced(sandbox: Sandbox, name: str) -> bool:
    """Counts the request in the book; false when it is to be answered with 429."""
    wall, pacing = sandbox.clock.wall(), sandbox.pacing
    violated = pacing.violated(name, wall)
    sandbox.book.count_request(name, wall, violated)
    if not sandbox.switches.enforce_pacing:
        return True
    if violated and not pacing.boxed(wall):
        pacing.box(wall)
    return not pacing.boxed(wall)


def _work(sandbox: Sandbox, request: Request, path: str, body: bytes) -> Response:
    found = find(request.method, path)
    if found is None or sandbox.switches.refuse_address:
        return access_denied()
    if request.method == "POST" and "content-length" not in request.headers:
        return PlainTextResponse("Length Required", 411)
    endpoint, params = found
    sandbox.advance()
    sandbox.use_session(path)
    call = Call(sandbox, params, request.query_params, _decoded(body))
    return _response(answer(call, endpoint))


async def _disturbed(request: Request, faults: list[Fault]) -> Response | None:
    for fault in faults:
        if fault.action == "delay":
            await asyncio.sleep(fault.seconds)
        elif fault.action == "cut":
            return await _cut(request)
        else:
            text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
            return Response(text, fault.status, fault.headers, fault.content_type)
    return None


async def _cut(request: Request) -> Response:
    """The client sees its connection reset, and never the answer."""
    transport: asyncio.Transport = request.state.transport
    if not transport.is_closing():  # the client may have gone first
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        transport.abort()
    await request.receive()  # returns once the connection is gone
    return Response()


def _response(given: Answer) -> Response:
    if given.payload is None:
        return Response(status_code=given.status)
    return Json(given.payload, given.status)


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        return Unreadable()
