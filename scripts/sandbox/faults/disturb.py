"""Faults on requests: one function a kind, wrapped around the request's work.

Each fault that acts is given what lies inside it, the work or the next fault, and returns what is
answered instead.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.responses import HTMLResponse, Response

from scripts.sandbox.faults import kinds
from scripts.sandbox.faults.armed import Armed, fires_at_once
from scripts.sandbox.gateway.call import already_registered as refusal
from scripts.sandbox.replies import Cut, Json, reply
from scripts.sandbox.sandbox import Sandbox
from scripts.sandbox.visit import Visit

Inside = Callable[[], Awaitable[Response]]


async def disturbed(visit: Visit, work: Inside) -> Response:
    """The answer, after the faults that act on this request; without any it is the work's."""
    met = [f for f in visit.sandbox.faults.armed if type(f.wish) in ACTS and f.meets(visit.subject)]
    return await _onward(visit, met, work)


def refuse_at_once(sandbox: Sandbox, fault: Armed) -> None:
    if isinstance(fault.wish, kinds.Refuse) and fires_at_once(fault):
        sandbox.fire(fault)
        sandbox.entrance.close(fault.wish.seconds)


async def _onward(visit: Visit, faults: list[Armed], work: Inside) -> Response:
    for index, fault in enumerate(faults, 1):
        if fault.use():
            visit.take(fault)
            act = ACTS[type(fault.wish)]
            return await act(fault.wish, visit, partial(_onward, visit, faults[index:], work))
    return await work()


async def _refuse(fault: kinds.Refuse, visit: Visit, inside: Inside) -> Response:
    answer = await inside()
    visit.sandbox.entrance.close(fault.seconds)
    return answer


async def _cut_before(_fault: kinds.CutBefore, _visit: Visit, _inside: Inside) -> Response:
    return Cut()


async def _cut_after(_fault: kinds.CutAfter, _visit: Visit, inside: Inside) -> Response:
    await inside()
    return Cut()


async def _slow(fault: kinds.Slow, _visit: Visit, inside: Inside) -> Response:
    await asyncio.sleep(fault.delay_seconds)
    return await inside()


async def _late(fault: kinds.Late, _visit: Visit, inside: Inside) -> Response:
    answer = await inside()
    await asyncio.sleep(fault.delay_seconds)
    return answer


async def _status(fault: kinds.StatusBefore, _visit: Visit, _inside: Inside) -> Response:
    return _said(fault)


async def _status_after(fault: kinds.StatusAfter, _visit: Visit, inside: Inside) -> Response:
    await inside()
    return _said(fault)


async def _empty_body(fault: kinds.EmptyBody, _visit: Visit, inside: Inside) -> Response:
    await _worked(fault.committed, inside)
    return Response(status_code=fault.status)


async def _html(fault: kinds.Html, _visit: Visit, inside: Inside) -> Response:
    await _worked(fault.committed, inside)
    return HTMLResponse(fault.body, fault.status)


async def _truncated_body(_fault: kinds.TruncatedBody, _visit: Visit, inside: Inside) -> Response:
    whole = await inside()
    half = bytes(whole.body)[: len(whole.body) // 2]
    return Response(half, whole.status_code, media_type=whole.media_type)


async def _already_registered(
    fault: kinds.AlreadyRegistered, visit: Visit, inside: Inside
) -> Response:
    await _worked(fault.committed, inside)
    coid = visit.subject.coids[0] if visit.subject.coids else None
    return reply(refusal(coid, fault.status))


async def _empty_orders(fault: kinds.EmptyOrders, _visit: Visit, _inside: Inside) -> Response:
    return Json({"orders": [], "snapshot": fault.snapshot})


async def _empty_trades(_fault: kinds.EmptyTrades, _visit: Visit, _inside: Inside) -> Response:
    return Json([])


async def _worked(wanted: bool, inside: Inside) -> None:
    if wanted:
        await inside()


def _said(fault: kinds.Said) -> Response:
    body = fault.body
    if body is None:
        body = {"error": _phrase(fault.status), "statusCode": fault.status}
    text = body if isinstance(body, str) else json.dumps(body)
    return Response(text, fault.status, fault.headers, fault.content_type)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"


ACTS: dict[type[kinds.Fault], Callable[[Any, Visit, Inside], Awaitable[Response]]] = {
    kinds.Refuse: _refuse,
    kinds.CutBefore: _cut_before,
    kinds.CutAfter: _cut_after,
    kinds.Slow: _slow,
    kinds.Late: _late,
    kinds.StatusBefore: _status,
    kinds.StatusAfter: _status_after,
    kinds.EmptyBody: _empty_body,
    kinds.Html: _html,
    kinds.TruncatedBody: _truncated_body,
    kinds.AlreadyRegistered: _already_registered,
    kinds.EmptyOrders: _empty_orders,
    kinds.EmptyTrades: _empty_trades,
}
