"""Every path of the gateway, and which of them a request means."""

from starlette.routing import compile_path

from scripts.sandbox.gateway import contracts, figures, live, marketdata, orders, portfolio, session
from scripts.sandbox.gateway.call import Endpoint

ENDPOINTS = (
    *session.ENDPOINTS,
    *contracts.ENDPOINTS,
    *marketdata.ENDPOINTS,
    *orders.ENDPOINTS,
    *live.ENDPOINTS,
    *portfolio.ENDPOINTS,
    *figures.ENDPOINTS,
)
_PATTERNS = [(endpoint, compile_path(endpoint.path)[0]) for endpoint in ENDPOINTS]


def find(method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
    """The endpoint and what its braces stand for; the first that fits."""
    for endpoint, pattern in _PATTERNS:
        match = pattern.match(path)
        if match and endpoint.method == method:
            return endpoint, match.groupdict()
    return None
