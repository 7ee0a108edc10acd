"""What the journal knows of orders, read-only: the program writes them through `OrderBook`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, and_, select

from worker.journal.engine import Journal
from worker.journal.events import read_head
from worker.journal.foreign import strays_in, unexplained_in
from worker.journal.ownership import owned_in, selling_in, working_in
from worker.journal.tables import decisions, fills, order_events, orders
from worker.models.chain import ChainHead
from worker.models.decision import OrderLine
from worker.models.order import ACTIVE, Fill, OrderIntent, OrderRecord


class OrderViews:
    """Of one account, but for what says otherwise."""

    def __init__(self, journal: Journal, account_id: str) -> None:
        self._journal, self.account_id = journal, account_id

    def get(self, coid: str) -> OrderRecord:
        with self._journal.read() as connection:
            query = select(orders).where(orders.c.coid == coid)
            return record_of(connection.execute(query).mappings().one())

    def find(self, coid: str) -> OrderRecord | None:
        found = self._records(orders.c.coid == coid)
        return found[0] if found else None

    def starting_with(self, prefix: str) -> Sequence[OrderRecord]:
        """Orders, of any account, whose client order id begins like this."""
        return self._records(orders.c.coid.startswith(prefix, autoescape=True))

    def of_run(self, run_id: str) -> Sequence[OrderRecord]:
        return self._records(orders.c.run_id == run_id)

    def open_orders(self) -> Sequence[OrderRecord]:
        """Every order that may still change, the oldest first."""
        return self._records(
            and_(orders.c.state.in_(ACTIVE), orders.c.account_id == self.account_id)
        )

    def open_elsewhere(self) -> int:
        """How many orders of other accounts may still change; nobody here can look at them."""
        elsewhere = and_(orders.c.state.in_(ACTIVE), orders.c.account_id != self.account_id)
        return len(self._records(elsewhere))

    def recent(self, limit: int = 50) -> Sequence[OrderRecord]:
        """The newest orders first, of any account."""
        query = select(orders).order_by(orders.c.created_at.desc()).limit(limit)
        with self._journal.read() as connection:
            return [record_of(row) for row in connection.execute(query).mappings()]

    def fills_of_run(self, run_id: str) -> Sequence[Fill]:
        query = (
            select(fills, orders.c.broker_order_id, orders.c.conid)
            .join(orders, orders.c.coid == fills.c.coid)
            .where(orders.c.run_id == run_id)
            .order_by(fills.c.executed_at, fills.c.execution_id)
        )
        with self._journal.read() as connection:
            return [_fill(row) for row in connection.execute(query).mappings()]

    def events(self, coid: str) -> Sequence[dict[str, Any]]:
        """What happened to the order, the oldest first."""
        query = select(order_events).where(order_events.c.coid == coid).order_by(order_events.c.id)
        with self._journal.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def head(self) -> ChainHead:
        """Where the account's chain of events ends now."""
        with self._journal.read() as connection:
            return read_head(connection, self.account_id)

    def lines(self, run_id: str) -> dict[str, OrderLine]:
        """The run's decisions by symbol."""
        query = select(decisions).where(decisions.c.run_id == run_id)
        with self._journal.read() as connection:
            rows = connection.execute(query).mappings().all()
        return {row["symbol"]: OrderLine.from_json(row["line"]) for row in rows}

    def owned(self, strategy_id: int, symbol: str) -> Decimal:
        """Shares that the strategy's own orders filled."""
        with self._journal.read() as connection:
            return owned_in(connection, self.account_id, symbol, strategy_id)

    def owned_by_all(self, symbol: str) -> Decimal:
        with self._journal.read() as connection:
            return owned_in(connection, self.account_id, symbol)

    def working(self, strategy_id: int, symbol: str) -> Decimal:
        """What its open orders still buy, less what they sell."""
        with self._journal.read() as connection:
            return working_in(connection, self.account_id, symbol, strategy_id)

    def selling(self, symbol: str) -> Decimal:
        """Shares in open sales of all strategies."""
        with self._journal.read() as connection:
            return selling_in(connection, self.account_id, symbol)

    def blocked_by(self, symbol: str) -> str | None:
        """Why nothing may be sent for the symbol: it is not known what became of an order, or whose
        its shares are."""
        rows = self._records(
            and_(
                orders.c.account_id == self.account_id,
                orders.c.symbol == symbol,
                orders.c.state.in_(("UNKNOWN", "SENDING")),
            )
        )
        if rows:
            return f"what became of order {rows[0].intent.coid} is not known"
        with self._journal.read() as connection:
            unexplained = unexplained_in(connection, self.account_id, symbol)
            strays = strays_in(connection, self.account_id)
        if unexplained is not None:
            more = "more" if unexplained > 0 else "fewer"
            return f"the account holds {abs(unexplained)} {more} shares than is explained"
        for stray in strays:
            if stray.symbol == symbol:
                return f"order {stray.coid} works at the broker and is not in the journal"
        return None

    def _records(self, condition: Any) -> list[OrderRecord]:
        query = select(orders).where(condition).order_by(orders.c.created_at, orders.c.coid)
        with self._journal.read() as connection:
            return [record_of(row) for row in connection.execute(query).mappings()]


def record_of(row: RowMapping) -> OrderRecord:
    return OrderRecord(
        intent=OrderIntent.from_json(row["intent"]),
        state=row["state"],
        broker_order_id=row["broker_order_id"],
        filled_quantity=row["filled_quantity"],
        average_price=row["average_price"],
        reasons=tuple(row["reasons"]),
        send_by=row["send_by"],
        session_closes_at=row["session_closes_at"],
        acknowledged_at=row["acknowledged_at"],
        cancel_requested_at=row["cancel_requested_at"],
        absent_since=row["absent_since"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _fill(row: RowMapping) -> Fill:
    names = ("execution_id", "coid", "broker_order_id", "conid", "symbol", "side", "quantity",
             "price", "commission_usd", "executed_at")  # fmt: skip
    return Fill(**{name: row[name] for name in names})
