"""The book of orders: written down before a byte goes out, sent once, settled by evidence.

Everything is of one account. Each change of an order is an event beside its current state.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from worker.clock import Clock
from worker.errors import LeaseLost, Refused, RunIsOver
from worker.fencing import Fence, Held, conversation_of
from worker.journal.engine import Journal
from worker.journal.locks import is_held
from worker.journal.ownership import ZERO, lock_shares, owned_in, selling_in, working_in
from worker.journal.states import state_in
from worker.journal.tables import decisions, fills, order_events, orders, runs, steps
from worker.models.decision import OrderLine
from worker.models.order import ACTIVE, Begin, Fill, OrderIntent, OrderRecord, OrderState
from worker.version import code_version

log = structlog.get_logger(__name__)


class OrderBook:
    def __init__(self, journal: Journal, clock: Clock, account_id: str) -> None:
        self._journal, self._clock, self.account_id = journal, clock, account_id

    def decide(self, fence: Fence, symbol: str, leg: str, line: OrderLine) -> bool:
        """Write a decision down that makes no order; False where there is one already."""
        try:
            with self._journal.write() as connection:
                _require_fence(connection, fence)
                self._decide(connection, fence.run_id, symbol, leg, line)
        except IntegrityError:
            return False
        return True

    def intend(
        self,
        fence: Fence,
        lock: Held,
        intent: OrderIntent,
        line: OrderLine,
        position: Decimal,
        closes_at: datetime,
    ) -> OrderRecord:
        """Write the order down as INTENDED with its decision; a sale reserves its shares here.

        `position`: the account's shares of the symbol, as just read. Raises Refused where the step
        is another's by now, the run is over, the shares are not free, or it is decided already.
        """
        try:
            with self._journal.write() as connection:
                _require_fence(connection, fence)
                if not self._converses(connection, lock, self._clock.wall_now()):
                    raise LeaseLost("the conversation is another's by now: what was read is old")
                if intent.side == "SELL":
                    self._require_free(connection, intent, position)
                foreign = position - owned_in(connection, self.account_id, intent.symbol)
                row = self._row(intent, fence, closes_at, foreign)
                connection.execute(insert(orders).values(**row))
                self._decide(connection, intent.run_id, intent.symbol, intent.leg, line)
                self._note(connection, intent.coid, intent.run_id, "INTENDED", "decided")
        except IntegrityError:
            raise Refused(f"{intent.symbol} was decided already in this run") from None
        return self.get(intent.coid)

    def begin_send(
        self, fence: Fence, lock: Held, coid: str, send_within: timedelta, now_market: datetime
    ) -> Begin:
        """INTENDED becomes SENDING for the one caller that may send it now.

        In one transaction: the step's token is the newest, the conversation is this account's and
        ours until past the moment to send by, the run is neither over nor late, and trading is not
        halted.
        """
        with self._journal.write() as connection:
            row = _locked(connection, coid)
            if row["state"] != "INTENDED":
                return Begin(kind="not_ours", why=f"it is {row['state']} already")
            if row["account_id"] != self.account_id:
                return Begin(kind="denied", why="it was decided for another account")
            # Counted from here: beginning to write may have taken long.
            send_by = self._clock.wall_now() + send_within
            if not self._converses(connection, lock, send_by):
                return Begin(kind="not_ours", why="the conversation is another's by now")
            try:
                run_row = _require_fence(connection, fence)
            except LeaseLost as error:
                return Begin(kind="not_ours", why=error.sentence)
            except RunIsOver as error:
                return Begin(kind="denied", why=error.sentence)
            if run_row["not_after"] is None or now_market > run_row["not_after"]:
                return Begin(kind="denied", why="the run's window has ended")
            state = state_in(connection, self.account_id, row["strategy_id"])
            if state == "HALTED" or (state == "REDUCING" and row["side"] == "BUY"):
                return Begin(kind="denied", why=f"trading is {state}")
            changes = {"token": fence.token, "send_by": send_by}
            self._change(connection, row, "SENDING", "about to be sent", changes)
        return Begin(kind="go", send_by=send_by)

    def settle(
        self, coid: str, expected: OrderState, state: OrderState, cause: str, **changes: Any
    ) -> bool:
        """Move an order from `expected` to `state`; False where it is no longer in `expected`.

        `changes`: columns such as broker_order_id, reasons, acknowledged_at, average_price.
        """
        with self._journal.write() as connection:
            row = _locked(connection, coid)
            if row["state"] != expected:
                return False
            self._change(connection, row, state, cause, changes)
        log.info("order_settled", coid=coid, state=state, cause=cause)
        return True

    def deny(self, coid: str, why: str) -> bool:
        """End an order that was never sent; False where it is no longer INTENDED."""
        return self.settle(coid, "INTENDED", "DENIED", why, reasons=[why])

    def request_cancel(self, coid: str, cause: str) -> None:
        """Remember that a cancel was asked for, so that it is not asked for again at once."""
        with self._journal.write() as connection:
            row = _locked(connection, coid)
            changes = {"cancel_requested_at": self._clock.wall_now()}
            self._change(connection, row, row["state"], cause, changes)

    def note_absent(self, coid: str, since: datetime | None) -> None:
        """Remember when the broker was first seen to show nothing of it, or that it does again."""
        cause = "the broker shows nothing of it" if since else "the broker shows it again"
        with self._journal.write() as connection:
            row = _locked(connection, coid)
            self._change(connection, row, row["state"], cause, {"absent_since": since})

    def add_fills(self, found: Sequence[Fill]) -> Sequence[Fill]:
        """Keep the fills of the journal's own orders, each execution once; gives the new ones."""
        new = []
        for fill in found:
            with self._journal.write() as connection:
                row = self._owner(connection, fill)
                known = connection.execute(
                    select(fills.c.execution_id).where(fills.c.execution_id == fill.execution_id)
                ).scalar_one_or_none()
                if row is None or known is not None:
                    continue
                self._keep(connection, row, fill)
                new.append(fill)
        return new

    def get(self, coid: str) -> OrderRecord:
        with self._journal.read() as connection:
            query = select(orders).where(orders.c.coid == coid)
            return _record(connection.execute(query).mappings().one())

    def find(self, coid: str) -> OrderRecord | None:
        found = self._records(orders.c.coid == coid)
        return found[0] if found else None

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
            return [_record(row) for row in connection.execute(query).mappings()]

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
        """Why nothing may be sent for the symbol: an order's fate is not known."""
        rows = self._records(
            and_(
                orders.c.account_id == self.account_id,
                orders.c.symbol == symbol,
                orders.c.state.in_(("UNKNOWN", "SENDING")),
            )
        )
        return f"what became of order {rows[0].intent.coid} is not known" if rows else None

    def _converses(self, connection: Connection, lock: Held, until: datetime) -> bool:
        is_this_accounts = lock.name == conversation_of(self.account_id)
        return is_this_accounts and is_held(connection, lock, until)

    def _records(self, condition: Any) -> list[OrderRecord]:
        query = select(orders).where(condition).order_by(orders.c.created_at, orders.c.coid)
        with self._journal.read() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def _decide(
        self, connection: Connection, run_id: str, symbol: str, leg: str, line: OrderLine
    ) -> None:
        connection.execute(
            insert(decisions).values(
                run_id=run_id,
                symbol=symbol,
                leg=leg,
                line=line.to_json(),
                decided_at=self._clock.wall_now(),
            )
        )

    def _require_free(self, connection: Connection, intent: OrderIntent, position: Decimal) -> None:
        account, symbol = self.account_id, intent.symbol
        lock_shares(connection, account, symbol)
        # Sales are read before shares: one that fills in between counts twice and never not at all.
        selling = selling_in(connection, account, symbol, intent.strategy_id)
        all_selling = selling_in(connection, account, symbol)
        own = owned_in(connection, account, symbol, intent.strategy_id)
        free = min(own - selling, position - all_selling)
        if intent.quantity > free:
            raise Refused(f"only {max(ZERO, free)} shares of {symbol} are free to sell")

    def _row(
        self, intent: OrderIntent, fence: Fence, closes_at: datetime, foreign: Decimal
    ) -> dict[str, Any]:
        now = self._clock.wall_now()
        return {
            "coid": intent.coid,
            "run_id": intent.run_id,
            "symbol": intent.symbol,
            "leg": intent.leg,
            "account_id": intent.account_id,
            "strategy_id": intent.strategy_id,
            "conid": intent.conid,
            "side": intent.side,
            "quantity": intent.quantity,
            "limit_price": intent.limit_price,
            "intent": intent.to_json(),
            "state": "INTENDED",
            "token": fence.token,
            "filled_quantity": ZERO,
            "reasons": [],
            "foreign_quantity": foreign,
            "session_closes_at": closes_at,
            "created_at": now,
            "updated_at": now,
        }

    def _owner(self, connection: Connection, fill: Fill) -> RowMapping | None:
        if fill.coid is None and fill.broker_order_id is None:
            return None
        keys = [orders.c.coid == fill.coid] if fill.coid else []
        if fill.broker_order_id and not fill.coid:
            keys.append(orders.c.broker_order_id == fill.broker_order_id)
        query = select(orders).where(
            or_(*keys),
            orders.c.account_id == self.account_id,
            orders.c.conid == fill.conid,
            orders.c.side == fill.side,
        )
        return connection.execute(query.with_for_update()).mappings().one_or_none()

    def _keep(self, connection: Connection, row: RowMapping, fill: Fill) -> None:
        connection.execute(
            insert(fills).values(
                execution_id=fill.execution_id,
                account_id=row["account_id"],
                coid=row["coid"],
                strategy_id=row["strategy_id"],
                symbol=row["symbol"],
                side=fill.side,
                quantity=fill.quantity,
                price=fill.price,
                commission_usd=fill.commission_usd,
                executed_at=fill.executed_at,
                recorded_at=self._clock.wall_now(),
            )
        )
        of_order = select(fills.c.quantity, fills.c.price).where(fills.c.coid == row["coid"])
        kept = connection.execute(of_order).all()
        filled = sum((quantity for quantity, _ in kept), ZERO)
        worth = sum((quantity * price for quantity, price in kept), ZERO)
        changes = {
            "filled_quantity": filled,
            "average_price": worth / filled if filled else None,
            # The answer that told it may have been lost.
            "broker_order_id": row["broker_order_id"] or fill.broker_order_id,
        }
        cause = f"{fill.quantity} filled at {fill.price} ({fill.execution_id})"
        self._change(connection, row, row["state"], cause, changes)

    def _change(
        self,
        connection: Connection,
        row: RowMapping,
        state: OrderState,
        cause: str,
        changes: dict[str, Any],
    ) -> None:
        connection.execute(
            update(orders)
            .where(orders.c.coid == row["coid"])
            .values(state=state, updated_at=self._clock.wall_now(), **changes)
        )
        self._note(connection, row["coid"], row["run_id"], state, cause)

    def _note(
        self, connection: Connection, coid: str, run_id: str, state: OrderState, cause: str
    ) -> None:
        connection.execute(
            insert(order_events).values(
                coid=coid,
                run_id=run_id,
                at=self._clock.wall_now(),
                state=state,
                cause=cause,
                version=code_version(),
            )
        )


def _require_fence(connection: Connection, fence: Fence) -> RowMapping:
    """The run's row, locked. Raises RunIsOver where it does not go on, LeaseLost where the step's
    lease is not the caller's."""
    run_row = connection.execute(
        select(runs).where(runs.c.run_id == fence.run_id).with_for_update()
    ).mappings().one_or_none()  # fmt: skip
    if run_row is None or run_row["cancelled"] or run_row["status"] not in ("created", "queued"):
        raise RunIsOver("the run is over or was cancelled")
    query = select(steps.c.token, steps.c.state).where(
        steps.c.run_id == fence.run_id, steps.c.number == fence.number
    )
    step_row = connection.execute(query).one_or_none()
    if step_row is None or step_row.token != fence.token or step_row.state != "running":
        raise LeaseLost("another copy of the step has taken over")
    return run_row


def _locked(connection: Connection, coid: str) -> RowMapping:
    query = select(orders).where(orders.c.coid == coid).with_for_update()
    return connection.execute(query).mappings().one()


def _record(row: RowMapping) -> OrderRecord:
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
        foreign_quantity=row["foreign_quantity"],
        absent_since=row["absent_since"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _fill(row: RowMapping) -> Fill:
    names = ("execution_id", "coid", "broker_order_id", "conid", "symbol", "side", "quantity",
             "price", "commission_usd", "executed_at")  # fmt: skip
    return Fill(**{name: row[name] for name in names})
