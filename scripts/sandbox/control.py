"""/sandbox/: the proof, the book, and the switches for drills. No broker has these paths."""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scripts.sandbox import report
from scripts.sandbox.door import Json
from scripts.sandbox.proof import proof
from scripts.sandbox.records import Status
from scripts.sandbox.sandbox import Sandbox
from scripts.sandbox.wishes import Nonce, OrderChange, Override, SessionChange, WishError, read


def _prove(sandbox: Sandbox, wish: Any) -> Any:
    nonce = read(Nonce, wish).nonce
    return {"proof": proof(sandbox.secret, nonce, sandbox.fingerprint)}


def _set_faults(sandbox: Sandbox, wish: Any) -> Any:
    sandbox.faults.change(wish)
    if not sandbox.switches.enforce_pacing:
        sandbox.pacing.release()
    return sandbox.faults.as_json()


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
    _showing("/sandbox/book", report.book),
    _showing("/sandbox/faults", lambda sandbox: sandbox.faults.as_json()),
    _changing("/sandbox/faults", _set_faults),
    _showing("/sandbox/session", report.session),
    _changing("/sandbox/session", _change_session),
    _changing("/sandbox/orders", _change_order),
    _showing("/sandbox/analyst", _overrides),
    _changing("/sandbox/analyst", _direct_analyst),
)
