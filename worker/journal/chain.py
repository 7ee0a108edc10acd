"""How an event is hashed: over its own columns and the hash of the event before it.

So an edit, a gap or an insertion shows where it is. Every stored hash was made in this way: for
the events that exist it can never be changed, which is why the migration uses it too.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

HASHED = (
    "account_id", "seq", "coid", "run_id", "at", "state", "cause", "data", "version",
    "previous_hash",
)  # fmt: skip


def event_hash(event: Mapping[Any, Any]) -> str:
    """SHA-256 over canonical JSON of the columns as the database holds them: times and data are
    text there, and are hashed as that text."""
    told = {name: event[name] for name in HASHED}
    return hashlib.sha256(
        json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()
