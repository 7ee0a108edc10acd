"""Proof that the server is Openbell's own sandbox and no broker.

It knows a secret of this home and signs the certificate of the very connection it is asked on. A
real gateway cannot answer; an answer passed on from elsewhere carries another certificate.
"""

import hmac
import secrets
from hashlib import sha256
from urllib.parse import urljoin

import httpx

from worker.errors import NotProved, Unreachable
from worker.http import peer_fingerprint


def prove_sandbox(client: httpx.Client, secret: str | None) -> None:
    """Ask on `client`'s connection. Raises NotProved; Unreachable where nothing answers."""
    if not secret:
        raise NotProved(
            "the server cannot prove to be the sandbox: no OPENBELL_SANDBOX_SECRET is known here"
        )
    nonce = secrets.token_hex(32)
    address = urljoin(str(client.base_url), "/sandbox/proof")
    try:
        response = client.post(address, json={"nonce": nonce})
    except httpx.HTTPError as error:
        raise Unreachable(
            f"no server at {client.base_url} to prove itself the sandbox ({type(error).__name__})"
        ) from None
    expected = hmac.new(
        secret.encode(), f"{nonce}:{peer_fingerprint(response)}".encode(), sha256
    ).hexdigest()
    if not hmac.compare_digest(expected, _answer(response)):
        raise NotProved("the server did not prove to be the sandbox; it gets no order")


def _answer(response: httpx.Response) -> str:
    try:
        data = response.json()
    except ValueError:
        return ""
    given = data.get("proof") if response.is_success and isinstance(data, dict) else None
    return given if isinstance(given, str) and given.isascii() else ""
