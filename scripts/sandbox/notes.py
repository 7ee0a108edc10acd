"""The book's notes for drills: each request of an order conversation, and each fault that fired.

With them one can count how often an order was asked for, and find the orders nobody asked for.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS order_requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, account TEXT, coids TEXT NOT NULL, body TEXT NOT NULL,
    body_sha256 TEXT NOT NULL, committed TEXT NOT NULL DEFAULT '[]',
    faults TEXT NOT NULL DEFAULT '[]', answer TEXT);
CREATE TABLE IF NOT EXISTS fired (
    fault_id TEXT NOT NULL, kind TEXT NOT NULL, order_id INTEGER);
CREATE INDEX IF NOT EXISTS fired_order ON fired (order_id);
"""
LONGEST_BODY = 4000
CUT = "cut"


@dataclass(frozen=True)
class Arrival:
    wall: float
    method: str
    path: str
    account: str | None
    coids: tuple[str, ...]
    body: bytes


class Notes:
    """A request without an answer waits for one, or was left without by the sandbox's end."""

    def __init__(
        self, db: sqlite3.Connection, transaction: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._db, self._transaction = db, transaction
        self._db.executescript(SCHEMA)

    def arrived(self, arrival: Arrival) -> int:
        """A request that was read whole; its number."""
        row = (
            datetime.fromtimestamp(arrival.wall, UTC).isoformat(),
            arrival.method,
            arrival.path,
            arrival.account,
            json.dumps(arrival.coids),
            arrival.body.decode(errors="replace")[:LONGEST_BODY],
            sha256(arrival.body).hexdigest(),
        )
        with self._transaction():
            added = self._db.execute(
                "INSERT INTO order_requests (at, method, path, account, coids, body, body_sha256)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        return int(added.lastrowid or 0)

    def worked(self, seq: int, committed: Iterable[int]) -> None:
        """What came of it: the orders it made or cancelled."""
        with self._transaction():
            self._db.execute(
                "UPDATE order_requests SET committed = ? WHERE seq = ?",
                (json.dumps(list(committed)), seq),
            )

    def answered(self, seq: int, answer: int | str, faults: Iterable[str]) -> None:
        """A status or CUT, directly before it leaves, and the faults that took the request."""
        with self._transaction():
            self._db.execute(
                "UPDATE order_requests SET answer = ?, faults = ? WHERE seq = ?",
                (json.dumps(answer), json.dumps(list(faults)), seq),
            )

    def requests(self, after: int, limit: int) -> list[dict[str, Any]]:
        """From the one that follows number `after`, in their order."""
        rows = self._db.execute(
            "SELECT * FROM order_requests WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        )
        return [_shown(row) for row in rows]

    def fire(self, fault_id: str, kind: str, order_id: int | None = None) -> None:
        with self._transaction():
            self._db.execute("INSERT INTO fired VALUES (?, ?, ?)", (fault_id, kind, order_id))

    def has_fired(self, fault_id: str, order_id: int) -> bool:
        """Whether it has taken effect on this order."""
        asked = "SELECT 1 FROM fired WHERE order_id = ? AND fault_id = ?"
        return self._db.execute(asked, (order_id, fault_id)).fetchone() is not None

    def fired(self) -> list[dict[str, Any]]:
        """How often each fault has fired, ever."""
        rows = self._db.execute(
            "SELECT fault_id AS id, kind, count(*) AS count FROM fired"
            " GROUP BY fault_id, kind ORDER BY min(rowid)"
        )
        return [dict(row) for row in rows]


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "seq": row["seq"],
        "at": row["at"],
        "method": row["method"],
        "path": row["path"],
        "account": row["account"],
        "cOIDs": json.loads(row["coids"]),
        "body": row["body"],
        "body_sha256": row["body_sha256"],
        "committed": json.loads(row["committed"]),
        "faults": json.loads(row["faults"]),
        "answer": json.loads(row["answer"] or "null"),
    }
