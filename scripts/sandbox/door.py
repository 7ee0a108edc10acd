"""What happens to a request to the gateway: counted, noted, disturbed on order, answered.

Counting and pacing come first, as with the broker, where a request that fails counts too. Nothing
waits between `advance` and the answer, and the book is on disk by then.
"""

import asyncio
import socket
import struct

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from scripts.sandbox.faults.disturb import disturbed
from scripts.sandbox.gateway.call import Answer, answer
from scripts.sandbox.notes import CUT
from scripts.sandbox.replies import Cut, access_denied, reply
from scripts.sandbox.sandbox import Doing, Sandbox
from scripts.sandbox.visit import Visit, receive

TOO_MANY = Answer({"error": "Too many requests (sandbox)", "statusCode": 429}, 429)
RESET_AT_ONCE = struct.pack("ii", 1, 0)  # linger on, for no time: closing sends a reset


async def gateway(request: Request) -> Response:
    visit = await receive(request)
    with visit.sandbox.pacing.running(visit.name):
        answered = await (_noted(visit) if _is_noted(visit) else _answered(visit, None))
    return await _cut(request) if isinstance(answered, Cut) else answered


def _is_noted(visit: Visit) -> bool:
    return visit.endpoint is not None and visit.endpoint.noted


async def _noted(visit: Visit) -> Response:
    """The book has the request before anything is done, and its answer before it leaves."""
    notes = visit.sandbox.book.notes
    seq = notes.arrived(visit.arrival())
    answered = await _answered(visit, seq)
    said = CUT if isinstance(answered, Cut) else answered.status_code
    notes.answered(seq, said, visit.faults)
    return answered


async def _answered(visit: Visit, seq: int | None) -> Response:
    async def work() -> Response:
        return _work(visit, seq)

    return await disturbed(visit, work) if _paced(visit) else reply(TOO_MANY)


def _paced(visit: Visit) -> bool:
    """Counts the request in the book; false when it is to be answered with 429."""
    sandbox: Sandbox = visit.sandbox
    wall, pacing = sandbox.clock.wall(), sandbox.pacing
    violated = pacing.violated(visit.name, wall)
    sandbox.book.count_request(visit.name, wall, violated)
    if not sandbox.switches.enforce_pacing:
        return True
    if violated and not pacing.boxed(wall):
        pacing.box(wall)
    return not pacing.boxed(wall)


def _work(visit: Visit, seq: int | None) -> Response:
    request, sandbox, endpoint = visit.request, visit.sandbox, visit.endpoint
    if endpoint is None or sandbox.switches.refuse_address:
        return access_denied()
    if request.method == "POST" and "content-length" not in request.headers:
        return PlainTextResponse("Length Required", 411)
    sandbox.advance()
    sandbox.use_session(visit.path)
    sandbox.doing = Doing()
    # Together: no order is in the book that its request does not own up to.
    with sandbox.book.transaction():
        answered = reply(answer(visit.call, endpoint))
        if seq is not None:
            sandbox.book.notes.worked(seq, sandbox.doing.committed)
    visit.faults += sandbox.doing.faults
    return answered


async def _cut(request: Request) -> Response:
    transport: asyncio.Transport = request.state.transport
    if not transport.is_closing():  # the client may have gone first
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        transport.abort()
    await request.receive()  # returns once the connection is gone
    return Response()
