"""The sandbox's pages and paths, put together."""

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from scripts.sandbox import completions, control, report
from scripts.sandbox.door import gateway
from scripts.sandbox.entrance import Entrance
from scripts.sandbox.replies import access_denied
from scripts.sandbox.sandbox import Sandbox

PREFIXES = ("/v1/api", "/v1/portal")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
MARK = (b"x-openbell-sandbox", b"not a broker: no real market, no real money")
CLOSE = (b"connection", b"close")
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Openbell sandbox, not a broker</title></head>
<body style="font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto">
<h1>This is Openbell's sandbox. It is not a broker.</h1>
<p>No real market, no real money. It speaks the web API of a broker's gateway so that strategies can
be practised on it. Daily prices are real ones of the past; how they move within a day is drawn.
Nobody can log in here, and no password belongs here.</p>
<p>Account {account}. In New York it is {new_york}, and time runs {rate:g} times as fast as
outside.</p>
<p><a href="/sandbox/book">The book</a>: every order, fill and position, and the cash.
<a href="/sandbox/faults">The faults</a>: what goes wrong on order, for drills.</p>
</body>
</html>
"""


class Marked:
    """Says "sandbox" on every answer, whoever wrote it, and "close" on the last of a connection."""

    def __init__(self, app: ASGIApp, entrance: Entrance) -> None:
        self._app, self._entrance = app, entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marking(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                last = (CLOSE,) if self._entrance.closed else ()
                message["headers"] = [*message.get("headers", ()), MARK, *last]
            await send(message)

        # When the sandbox ends, whoever still waits for a delayed answer is cut off without a word.
        with suppress(asyncio.CancelledError):
            await self._app(scope, receive, marking)


async def page(request: Request) -> Response:
    sandbox: Sandbox = request.app.state.sandbox
    sandbox.advance()
    shown = report.health(sandbox)
    account, new_york = escape(shown["account"]), escape(shown["new_york"])
    return HTMLResponse(PAGE.format(account=account, new_york=new_york, rate=shown["rate"]))


async def nothing_here(_request: Request, _error: Exception) -> Response:
    return access_denied()


def make_app(sandbox: Sandbox) -> ASGIApp:
    routes = [
        Route("/", page),
        *control.ROUTES,
        Route("/analyst/v1/chat/completions", completions.complete, methods=["POST"]),
        Route("/analyst/v1/models", completions.models),
        *(Route(prefix + "/{path:path}", gateway, methods=METHODS) for prefix in PREFIXES),
    ]
    app = Starlette(routes=routes, exception_handlers={404: nothing_here})
    app.router.redirect_slashes = False
    app.state.sandbox = sandbox
    return Marked(app, sandbox.entrance)
