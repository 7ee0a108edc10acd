"""What the HTTP server sends back, or does instead."""

import json
from typing import Any

from starlette.responses import PlainTextResponse, Response

from scripts.sandbox.gateway.call import Answer


class Json(Response):
    """Any value that JSON can hold, text that is no valid Unicode included."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode()


class Cut(Response):
    """No answer: the client sees its connection reset."""


def access_denied() -> Response:
    """How the gateway refuses an address that is not in its list."""
    return PlainTextResponse("Access Denied", 404)


def reply(given: Answer) -> Response:
    if given.payload is None:
        return Response(status_code=given.status)
    return Json(given.payload, given.status)
