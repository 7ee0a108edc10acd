"""/sandbox/: the proof, the book, and the switches for drills. No broker has these paths."""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scripts.sandbox import report
from scripts.sandbox.faults.disturb import refuse_at_once
from scripts.sandbox.proof import proof
from scripts.sandbox.records import Status
from scripts.sandbox.replies import Json
from scripts.sandbox.sandbox import Sandbox
from scripts.sandbox.wishes import (
    Nonce,
    OrderChange,
    Override,
    Page,
    SessionChange,
    WishError,
    read,
)


def _prove(sandbox: Sandbox, wish: Any) -> Any:
    nonce = read(Nonce, wish).nonce
    return {"proof": proof(sandbox.secret, nonce, sandbox.fingerprint)}


def _set_faults(sandbox: Sandbox, wish: Any) -> Any:
    """A list arms further faults; an object changes switches and sets the faults as a whole."""
    armed = sandbox.faults.arm(wish) if isinstance(wish, list) else sandbox.faults.change(wish)
    for fault in armed:
        refuse_at_once(sandbox, fault)
    if not sandbox.switches.enforce_pacing:
        sandbox.pacing.release()
    return {"armed": [fault.id for fault in armed]} | report.faults(sandbox)


async def _disarm(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    fault_id = request.path_params.get("id")
    if fault_id is None:
        sandbox.faults.armed.clear()
    elif not sandbox.faults.disarm(fault_id):
        return Json({"error": f"no fault named {fault_id} is armed"}, 404)
    return Json(report.faults(sandbox))


async def _book(request: Request) -> Response:
    """The requests are long: they come only where they are asked for, a page at a time."""
    sandbox: Sandbox = request.app.state.sandbox
    sandbox.advance()
    query = dict(request.query_params)
    try:
        shown = report.book_page(sandbox, read(Page, query)) if query else report.book(sandbox)
    except WishError as problem:
        return Json({"error": str(problem)}, 400)
    return Json(shown)


def _change_session(sandbox: Sandbox, wish: Any) -> Any:
    change = read(SessionChange, wish)
    sandbox.login.change(change.sso, change.brokerage, change.competing)
    if change.sso or change.brokerage:
        sandbox.lifetimes.begin()
    return report.session(sandbox)


def _change_order(sandbox: Sandbox, wish: Any) -> Any:
    change = read(OrderChange, wish)
    order = next((o for o in sandbox.book.working() if o.order_id == change.order_id), None)
    if order is None:
        raise WishError(f"order_id: no working order is {change.order_id}")
    sandbox.exchange.set_aside(order, Status(change.status), change.reason, sandbox.now)
    return report.book(sandbox)


def _direct_analyst(sandbox: Sandbox, wish: Any) -> Any:
    if not isinstance(wish, dict):
        raise WishError('write an object, such as {"AAPL": {"signal": "BUY"}}; {} clears')
    overrides = {}
    for symbol, override in wish.items():
        try:
            overrides[symbol] = read(Override, override)
        except WishError as problem:
            raise WishError(f"{symbol}: {problem}") from None
    sandbox.overrides = overrides
    return _overrides(sandbox)


def _overrides(sandbox: Sandbox) -> Any:
    shown = sandbox.overrides.items()
    return {symbol: override.model_dump(exclude_none=True) for symbol, override in shown}


def _showing(path: str, show: Callable[[Sandbox], Any]) -> Route:
    async def shown(request: Request) -> Response:
        sandbox: Sandbox = request.app.state.sandbox
        sandbox.advance()
        return Json(show(sandbox))

    return Route(path, shown, methods=["GET"])


def _changing(path: str, change: Callable[[Sandbox, Any], Any]) -> Route:
    async def changed(request: Request) -> Response:
        sandbox: Sandbox = request.app.state.sandbox
        body = await request.body()
        sandbox.advance()
        try:
            return Json(change(sandbox, json.loads(body)))
        except WishError as problem:
            return Json({"error": str(problem)}, 400)
        except (ValueError, RecursionError):
            return Json({"error": "the body is not JSON"}, 400)

    return Route(path, changed, methods=["POST"])


ROUTES = (
    _changing("/sandbox/proof", _prove),
    _showing("/sandbox/health", report.health),
    Route("/sandbox/book", _book, methods=["GET"]),
    _showing("/sandbox/faults", report.faults),
    _changing("/sandbox/faults", _set_faults),
    Route("/sandbox/faults", _disarm, methods=["DELETE"]),
    Route("/sandbox/faults/{id}", _disarm, methods=["DELETE"]),
    _showing("/sandbox/session", report.session),
    _changing("/sandbox/session", _change_session),
    _changing("/sandbox/orders", _change_order),
    _showing("/sandbox/analyst", _overrides),
    _changing("/sandbox/analyst", _direct_analyst),
)
