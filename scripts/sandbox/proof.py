"""How the sandbox proves that it is one: it knows a secret of this home, and signs its certificate.

No real gateway can answer this, and an answer is worth nothing on a connection with another
certificate. Orders are sent only where the answer is right.
"""

import hmac
import os
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

VARIABLE = "OPENBELL_SANDBOX_SECRET"


def read_secret(home: Path, environment: Mapping[str, str]) -> str:
    """From the environment, or this home's own, made on first use."""
    given = environment.get(VARIABLE)
    if given:
        return given
    path = home / "state" / "sandbox_secret"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))
    try:
        os.link(draft, path)  # whole or not at all, and the first to come decides
    except FileExistsError:
        return path.read_text().strip()
    finally:
        draft.unlink()
    return path.read_text().strip()


def proof(secret: str, nonce: str, fingerprint: str) -> str:
    """Hex HMAC-SHA256 over the client's nonce and the certificate it sees."""
    message = f"{nonce}:{fingerprint}".encode()
    return hmac.new(secret.encode(), message, sha256).hexdigest()
