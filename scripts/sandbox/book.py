"""The sandbox's own account of everything, on disk before any answer goes out.

A SQLite of its own: whatever a client believes, what happened can be read here. It survives a
restart of the sandbox, as orders at a broker survive the loss of a session.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, fields
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from scripts.sandbox.faults.fate import Decided, Fate
from scripts.sandbox.faults.kinds import read_fated
from scripts.sandbox.notes import Notes
from scripts.sandbox.records import DONE, ZERO, Fill, Order, Position, Status, Ticket

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    order_id INTEGER PRIMARY KEY AUTOINCREMENT, coid TEXT, conid INTEGER NOT NULL,
    symbol TEXT NOT NULL, side TEXT NOT NULL, order_type TEXT NOT NULL, quantity TEXT NOT NULL,
    limit_price TEXT, tif TEXT NOT NULL, status TEXT NOT NULL, filled TEXT NOT NULL,
    value TEXT NOT NULL, commission TEXT NOT NULL, reason TEXT, accepted_at TEXT NOT NULL,
    changed_at TEXT NOT NULL, filled_at TEXT, expires_at TEXT);
CREATE INDEX IF NOT EXISTS orders_coid ON orders (coid);
CREATE TABLE IF NOT EXISTS fills (
    execution_id TEXT PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, coid TEXT,
    conid INTEGER NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, quantity TEXT NOT NULL,
    price TEXT NOT NULL, commission TEXT NOT NULL, time TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS positions (
    symbol TEXT PRIMARY KEY, quantity TEXT NOT NULL, cost TEXT NOT NULL, realized TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cash (currency TEXT PRIMARY KEY, amount TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    path TEXT NOT NULL, second INTEGER NOT NULL, count INTEGER NOT NULL,
    violations INTEGER NOT NULL, PRIMARY KEY (path, second));
CREATE TABLE IF NOT EXISTS fates (
    order_id INTEGER NOT NULL REFERENCES orders, fault_id TEXT NOT NULL, wish TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS fates_order ON fates (order_id);
"""
FIRST_ORDER_ID = 1370093000
DECIMALS = {"quantity", "limit_price", "filled", "value", "commission", "price", "cost", "realized"}
TIMES = {"accepted_at", "changed_at", "filled_at", "expires_at", "time"}
Kind = TypeVar("Kind")


class Book:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA busy_timeout=10000")
        self._db.executescript(SCHEMA)
        self.notes = Notes(self._db, self.transaction)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is written within, or nothing. One inside another is part of it."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def seed(self, cash: Decimal, holdings: Mapping[str, tuple[Decimal, Decimal]]) -> None:
        """What the account holds at its beginning: symbol to quantity and cost. Once only."""
        with self.transaction():
            if self._db.execute("SELECT 1 FROM cash").fetchone():
                return
            self._db.execute("INSERT INTO cash VALUES ('USD', ?)", (str(cash),))
            self._db.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES ('orders', ?)", (FIRST_ORDER_ID,)
            )
            for symbol, (quantity, cost) in holdings.items():
                self._save_position(Position(symbol, quantity, cost, ZERO))

    def accept(
        self,
        ticket: Ticket,
        status: Status,
        at: datetime,
        ends: datetime | None,
        decided: Iterable[Decided] = (),
    ) -> Order:
        """Write an order down, with what drills decided about it, and give it its id."""
        with self.transaction():
            (last,) = self._db.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'orders'"
            ).fetchone()
            order = Order(
                last + 1, ticket.coid, ticket.conid, ticket.symbol, ticket.side, ticket.order_type,
                ticket.quantity, ticket.limit_price, ticket.tif, status,
                ZERO, ZERO, ZERO, None, at, at, None, ends,
            )  # fmt: skip
            self._insert("orders", order)
            for one in decided:
                self._db.execute(
                    "INSERT INTO fates VALUES (?, ?, ?)",
                    (order.order_id, one.fault_id, one.wish.model_dump_json()),
                )
        return order

    def record(
        self, order: Order, fills: Iterable[Fill] = (), fired: Iterable[Decided] = ()
    ) -> None:
        """An order's new state together with the fills that led to it, cash and position moved,
        and the faults that took effect."""
        with self.transaction():
            for one in fired:
                self.notes.fire(one.fault_id, one.wish.kind, order.order_id)
            self._insert("orders", order, replace=True)
            for fill in fills:
                self._insert("fills", fill)
                self._save_position(self.position(fill.symbol).after(fill))
                self._db.execute("UPDATE cash SET amount = ?", (str(self.cash() + fill.cash),))

    def orders(self) -> list[Order]:
        rows = self._db.execute("SELECT * FROM orders ORDER BY order_id")
        return [_read(Order, row) for row in rows]

    def working(self) -> list[Order]:
        marks = ", ".join("?" * len(DONE))
        rows = self._db.execute(
            f"SELECT * FROM orders WHERE status NOT IN ({marks}) ORDER BY order_id",  # noqa: S608
            tuple(DONE),
        )
        return [_read(Order, row) for row in rows]

    def fates(self, order_ids: Iterable[int]) -> dict[int, Fate]:
        """Of those among them that drills have decided something about."""
        rows = self._db.execute(
            "SELECT * FROM fates WHERE order_id IN (SELECT value FROM json_each(?)) ORDER BY rowid",
            (json.dumps(list(order_ids)),),
        )
        decided: dict[int, tuple[Decided, ...]] = {}
        for row in rows:
            one = Decided(row["fault_id"], read_fated(json.loads(row["wish"])))
            decided[row["order_id"]] = (*decided.get(row["order_id"], ()), one)
        return {order_id: Fate(ones) for order_id, ones in decided.items()}

    def order(self, order_id: int) -> Order | None:
        row = self._db.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
        return _read(Order, row) if row else None

    def with_coid(self, coid: str) -> list[Order]:
        rows = self._db.execute("SELECT * FROM orders WHERE coid = ?", (coid,))
        return [_read(Order, row) for row in rows]

    def fills(self) -> list[Fill]:
        rows = self._db.execute("SELECT * FROM fills ORDER BY time, execution_id")
        return [_read(Fill, row) for row in rows]

    def fills_of(self, order_id: int) -> list[Fill]:
        rows = self._db.execute("SELECT * FROM fills WHERE order_id = ? ORDER BY time", (order_id,))
        return [_read(Fill, row) for row in rows]

    def cash(self) -> Decimal:
        (amount,) = self._db.execute("SELECT amount FROM cash").fetchone()
        return Decimal(amount)

    def positions(self) -> list[Position]:
        """Those that hold something or have earned something."""
        rows = self._db.execute("SELECT * FROM positions ORDER BY symbol")
        return [_read(Position, row) for row in rows]

    def position(self, symbol: str) -> Position:
        row = self._db.execute("SELECT * FROM positions WHERE symbol = ?", (symbol,)).fetchone()
        return _read(Position, row) if row else Position(symbol, ZERO, ZERO, ZERO)

    def count_request(self, path: str, wall: float, violation: bool) -> None:
        with self.transaction():
            self._db.execute(
                "INSERT INTO requests VALUES (?, ?, 1, ?) ON CONFLICT (path, second) DO UPDATE"
                " SET count = count + 1, violations = violations + excluded.violations",
                (path, int(wall), int(violation)),
            )

    def requests(self) -> dict[str, int]:
        rows = self._db.execute("SELECT path, sum(count) FROM requests GROUP BY path ORDER BY path")
        return dict(rows.fetchall())

    def violations(self) -> int:
        (count,) = self._db.execute("SELECT coalesce(sum(violations), 0) FROM requests").fetchone()
        return int(count)

    def _save_position(self, position: Position) -> None:
        self._insert("positions", position, replace=True)

    def _insert(self, table: str, record: Any, replace: bool = False) -> None:
        values = [_plain(value) for value in astuple(record)]
        names = ", ".join(field.name for field in fields(record))
        verb = "INSERT OR REPLACE" if replace else "INSERT"
        marks = ", ".join("?" * len(values))
        self._db.execute(f"{verb} INTO {table} ({names}) VALUES ({marks})", values)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _read(kind: type[Kind], row: sqlite3.Row) -> Kind:
    return kind(**{name: _rich(name, row[name]) for name in row.keys()})  # noqa: SIM118


def _rich(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in DECIMALS:
        return Decimal(value)
    if name in TIMES:
        return datetime.fromisoformat(value)
    return Status(value) if name == "status" else value
