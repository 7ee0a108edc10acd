"""What of the account is nobody's here: orders, executions and shares that no run explains.

What is there at the first look is the baseline. Later, foreign executions move the foreign shares;
whatever else moves a position is unexplained, and blocks its symbol.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from worker.clock import Clock
from worker.journal.engine import Journal
from worker.journal.fills import owner_of
from worker.journal.ownership import SIGN, ZERO, owned_in
from worker.journal.tables import (
    baselines,
    fills,
    foreign_fills,
    foreign_orders,
    foreign_positions,
    orders,
)
from worker.models.account import GONE, OVER, ForeignOrder, Look, Shares
from worker.models.market import Position
from worker.models.order import ACTIVE, COID_PREFIX, BrokerOrder, Fill, LiveOrders, Trades

# Longer than a read of the broker's lists is shared: the second look is at another one.
SECOND_LOOK_AFTER = timedelta(seconds=6)


class ForeignBook:
    def __init__(self, journal: Journal, clock: Clock, account_id: str) -> None:
        self._journal, self._clock, self._account_id = journal, clock, account_id

    def look(self, positions: Sequence[Position], listed: LiveOrders, trades: Trades) -> Look:
        """Compare the account, as just read, with what the journal explains.

        The first look is complete when two in a row, some seconds apart, saw the same.
        """
        try:
            with self._journal.write() as connection:
                return self._look(connection, positions, listed, trades)
        except IntegrityError:
            return Look(ready=False)  # another process looked for the first time in this moment

    def _look(
        self,
        connection: Connection,
        positions: Sequence[Position],
        listed: LiveOrders,
        trades: Trades,
    ) -> Look:
        held = {each.conid: each for each in positions}
        taken = self._baseline(connection, lock=True)
        if taken is None or taken["taken_at"] is None:
            if not self._take_baseline(connection, taken, held, trades):
                return Look(ready=False)
            self._see_orders(connection, listed, in_baseline=True)
        self._see_fills(connection, trades.fills)
        self._see_orders(connection, listed, in_baseline=False)
        shares = self._compare(connection, held)
        return Look(ready=True, shares=shares, strays=strays_in(connection, self._account_id))

    def is_ready(self) -> bool:
        with self._journal.read() as connection:
            row = self._baseline(connection)
            return row is not None and row["taken_at"] is not None

    def expected(self, symbol: str, conid: int) -> Decimal | None:
        """Shares the account must hold by all that is known; None before the first look."""
        with self._journal.read() as connection:
            row = self._baseline(connection)
            if row is None or row["taken_at"] is None:
                return None
            mine = self._position(connection, conid)
            foreign = mine["quantity"] if mine else ZERO
            return owned_in(connection, self._account_id, symbol) + foreign

    def orders(self, limit: int = 50) -> Sequence[ForeignOrder]:
        """The newest first."""
        query = (
            select(foreign_orders)
            .where(foreign_orders.c.account_id == self._account_id)
            .order_by(foreign_orders.c.first_seen_at.desc(), foreign_orders.c.broker_order_id)
        )
        with self._journal.read() as connection:
            rows = connection.execute(query.limit(limit)).mappings()
            return [_foreign_order(row) for row in rows]

    # The first look

    def _baseline(self, connection: Connection, *, lock: bool = False) -> RowMapping | None:
        """`lock`: one looks at a time."""
        query = select(baselines).where(baselines.c.account_id == self._account_id)
        query = query.with_for_update() if lock else query
        return connection.execute(query).mappings().one_or_none()

    def _take_baseline(
        self,
        connection: Connection,
        pending: RowMapping | None,
        held: Mapping[int, Position],
        trades: Trades,
    ) -> bool:
        now, seen = self._clock.wall_now(), _digest(held, trades)
        if pending is None:
            values = {"account_id": self._account_id, "seen": seen, "seen_at": now}
            connection.execute(insert(baselines).values(**values))
            return False
        mine = baselines.c.account_id == self._account_id
        settled = trades.complete and not self._has_orders_underway(connection)
        if pending["seen"] != seen or not settled:
            connection.execute(update(baselines).where(mine).values(seen=seen, seen_at=now))
            return False
        if now < pending["seen_at"] + SECOND_LOOK_AFTER:
            return False
        connection.execute(update(baselines).where(mine).values(taken_at=now))
        for fill in trades.fills:
            if self._is_foreign(connection, fill):
                self._insert_fill(connection, fill, in_baseline=True)
        for conid, position in held.items():
            symbol = self._symbol(connection, conid, position.symbol, position.security_type)
            owned = owned_in(connection, self._account_id, symbol)
            self._set(connection, conid, symbol, quantity=max(ZERO, position.quantity - owned))
        return True

    def _has_orders_underway(self, connection: Connection) -> bool:
        """Orders of an earlier version, whose fills would be taken for foreign shares."""
        underway = tuple(ACTIVE - {"INTENDED"})
        query = select(orders.c.coid).where(
            orders.c.account_id == self._account_id, orders.c.state.in_(underway)
        )
        return connection.execute(query.limit(1)).scalar_one_or_none() is not None

    # What is seen later

    def _see_fills(self, connection: Connection, found: Sequence[Fill]) -> None:
        once = {fill.execution_id: fill for fill in found}.values()
        # All orders are locked before the shares are: who counts a fill does it in that order too.
        for fill in [each for each in once if self._is_foreign(connection, each)]:
            self._insert_fill(connection, fill, in_baseline=False)
            symbol = self._symbol(connection, fill.conid, fill.symbol)
            row = self._position(connection, fill.conid)
            before = row["quantity"] if row else ZERO
            moved = SIGN[fill.side] * fill.quantity
            self._set(connection, fill.conid, symbol, quantity=max(ZERO, before + moved))

    def _is_foreign(self, connection: Connection, fill: Fill) -> bool:
        """No order of the journal explains it, and none whose id is not known yet may."""
        for known in (fills, foreign_fills):
            query = select(known.c.execution_id).where(known.c.execution_id == fill.execution_id)
            if connection.execute(query).scalar_one_or_none() is not None:
                return False
        if owner_of(connection, self._account_id, fill) is not None:
            return False
        return fill.coid is not None or not self._may_be_ours(connection, fill)

    def _may_be_ours(self, connection: Connection, fill: Fill) -> bool:
        query = select(orders.c.coid).where(
            orders.c.account_id == self._account_id,
            orders.c.conid == fill.conid,
            orders.c.side == fill.side,
            orders.c.broker_order_id.is_(None),
            orders.c.state.in_(("SENDING", "UNKNOWN", "PARTIAL")),
        )
        return connection.execute(query.limit(1)).scalar_one_or_none() is not None

    def _insert_fill(self, connection: Connection, fill: Fill, *, in_baseline: bool) -> None:
        connection.execute(
            insert(foreign_fills).values(
                execution_id=fill.execution_id,
                account_id=self._account_id,
                conid=fill.conid,
                symbol=fill.symbol,
                side=fill.side,
                quantity=fill.quantity,
                executed_at=fill.executed_at,
                in_baseline=in_baseline,
                recorded_at=self._clock.wall_now(),
            )
        )

    def _see_orders(self, connection: Connection, listed: LiveOrders, *, in_baseline: bool) -> None:
        now = self._clock.wall_now()
        for row in listed.orders:
            if not _is_ours(connection, self._account_id, row):
                self._see_order(connection, row, now, in_baseline=in_baseline)
        if listed.snapshot:
            connection.execute(
                update(foreign_orders)
                .where(
                    foreign_orders.c.account_id == self._account_id,
                    foreign_orders.c.last_seen_at < now,
                    foreign_orders.c.status.not_in(OVER),
                )
                .values(status=GONE)
            )

    def _see_order(
        self, connection: Connection, row: BrokerOrder, now: datetime, *, in_baseline: bool
    ) -> None:
        mine = and_(
            foreign_orders.c.account_id == self._account_id,
            foreign_orders.c.broker_order_id == row.broker_order_id,
        )
        values = {
            "symbol": self._symbol(connection, row.conid, row.symbol),
            "status": row.status,
            "remaining_quantity": row.remaining_quantity,
            "last_seen_at": now,
        }
        seen = connection.execute(update(foreign_orders).where(mine).values(**values))
        if seen.rowcount:
            return
        connection.execute(
            insert(foreign_orders).values(
                account_id=self._account_id,
                broker_order_id=row.broker_order_id,
                coid=row.coid,
                conid=row.conid,
                side=row.side,
                in_baseline=in_baseline,
                first_seen_at=now,
                **values,
            )
        )

    # Who has what

    def _compare(self, connection: Connection, held: Mapping[int, Position]) -> tuple[Shares, ...]:
        symbols = {
            conid: self._symbol(connection, conid, each.symbol, each.security_type)
            for conid, each in held.items()
        }
        traded = select(orders.c.conid, orders.c.symbol).where(
            orders.c.account_id == self._account_id
        )
        symbols |= {row.conid: row.symbol for row in connection.execute(traded.distinct())}
        known = select(foreign_positions.c.conid, foreign_positions.c.symbol).where(
            foreign_positions.c.account_id == self._account_id
        )
        symbols = {row.conid: row.symbol for row in connection.execute(known)} | symbols
        return tuple(
            self._shares(connection, conid, symbol, held.get(conid))
            for conid, symbol in sorted(symbols.items(), key=lambda pair: pair[1])
        )

    def _shares(
        self, connection: Connection, conid: int, symbol: str, position: Position | None
    ) -> Shares:
        row = self._position(connection, conid)
        if row is not None and row["symbol"] != symbol:
            self._set(connection, conid, symbol)
        foreign = row["quantity"] if row else ZERO
        owned = owned_in(connection, self._account_id, symbol)
        holds = position.quantity if position else ZERO
        difference = holds - owned - foreign
        confirmed = self._note_difference(connection, row, conid, symbol, difference)
        return Shares(
            conid=conid, symbol=symbol, owned=owned, foreign=foreign, held=holds,
            unexplained=difference or None, confirmed=confirmed,
        )  # fmt: skip

    def _note_difference(
        self,
        connection: Connection,
        row: RowMapping | None,
        conid: int,
        symbol: str,
        difference: Decimal,
    ) -> bool:
        """Keep what is not explained, and since when; is it confirmed by a second look?"""
        now = self._clock.wall_now()
        if difference == 0:
            if row is not None and row["unexplained"] is not None:
                self._set(
                    connection, conid, symbol, unexplained=None, unexplained_since=None,
                    confirmed_at=None,
                )  # fmt: skip
            return False
        if row is None or row["unexplained"] is None:
            self._set(connection, conid, symbol, unexplained=difference, unexplained_since=now)
            return False
        if row["confirmed_at"] is not None:
            # Once it blocks, another number unblocks nothing.
            self._set(connection, conid, symbol, unexplained=difference)
            return True
        if row["unexplained"] != difference:
            self._set(connection, conid, symbol, unexplained=difference, unexplained_since=now)
            return False
        if now < row["unexplained_since"] + SECOND_LOOK_AFTER:
            return False
        self._set(connection, conid, symbol, confirmed_at=now)
        return True

    def _position(self, connection: Connection, conid: int) -> RowMapping | None:
        query = select(foreign_positions).where(
            foreign_positions.c.account_id == self._account_id, foreign_positions.c.conid == conid
        )
        return connection.execute(query).mappings().one_or_none()

    def _set(self, connection: Connection, conid: int, symbol: str, **values: Any) -> None:
        mine = and_(
            foreign_positions.c.account_id == self._account_id, foreign_positions.c.conid == conid
        )
        changes = {"symbol": symbol, "updated_at": self._clock.wall_now(), **values}
        done = connection.execute(update(foreign_positions).where(mine).values(**changes))
        if done.rowcount == 0:
            new = {"account_id": self._account_id, "conid": conid}
            connection.execute(
                insert(foreign_positions).values(**({"quantity": ZERO} | new | changes))
            )

    def _symbol(
        self, connection: Connection, conid: int, shown: str, kind: str | None = "STK"
    ) -> str:
        """The journal's own name of a contract; else the broker's text, made to name this contract
        alone: an option has its stock's ticker, and owns none of the stock's shares."""
        query = select(orders.c.symbol).where(orders.c.conid == conid).limit(1)
        traded = connection.execute(query).scalar_one_or_none()
        if traded is not None:
            return str(traded)
        is_stock = kind in (None, "STK")
        return (
            shown
            if is_stock and not self._is_anothers(connection, conid, shown)
            else (f"{shown} #{conid}")
        )

    def _is_anothers(self, connection: Connection, conid: int, symbol: str) -> bool:
        for table in (orders, foreign_positions):
            query = select(table.c.conid).where(
                table.c.account_id == self._account_id,
                table.c.symbol == symbol,
                table.c.conid != conid,
            )
            if connection.execute(query.limit(1)).scalar_one_or_none() is not None:
                return True
        return False


def unexplained_in(connection: Connection, account_id: str, symbol: str) -> Decimal | None:
    """What blocks a symbol: a position that moved without an execution, as two looks saw."""
    query = select(foreign_positions.c.unexplained).where(
        foreign_positions.c.account_id == account_id,
        foreign_positions.c.symbol == symbol,
        foreign_positions.c.confirmed_at.is_not(None),
    )
    return connection.execute(query.limit(1)).scalar_one_or_none()


def strays_in(connection: Connection, account_id: str) -> tuple[ForeignOrder, ...]:
    """Working orders with a client id like ours that the journal does not know: of another
    Openbell, or of a journal that was lost."""
    query = select(foreign_orders).where(
        foreign_orders.c.account_id == account_id,
        foreign_orders.c.coid.startswith(COID_PREFIX, autoescape=True),
        foreign_orders.c.status.not_in(OVER),
    )
    return tuple(_foreign_order(row) for row in connection.execute(query).mappings())


def _foreign_order(row: RowMapping) -> ForeignOrder:
    return ForeignOrder(**{name: row[name] for name in ForeignOrder.model_fields})


def _is_ours(connection: Connection, account_id: str, row: BrokerOrder) -> bool:
    key = orders.c.coid == row.coid if row.coid else orders.c.broker_order_id == row.broker_order_id
    query = select(orders.c.coid).where(key, orders.c.account_id == account_id)
    return connection.execute(query.limit(1)).scalar_one_or_none() is not None


def _digest(held: Mapping[int, Position], trades: Trades) -> str:
    """The same for two looks that saw the same shares and executions."""
    seen = {
        "positions": sorted((conid, str(each.quantity)) for conid, each in held.items()),
        "executions": sorted(fill.execution_id for fill in trades.fills),
    }
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()
