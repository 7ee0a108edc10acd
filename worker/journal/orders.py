"""The book of orders: written down before a byte goes out, sent once, settled by evidence.

Everything is of one account. Each change of an order is an event beside its current state.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, insert, select
from sqlalchemy.exc import IntegrityError

from worker.clock import Clock
from worker.errors import LeaseLost, Refused, RunIsOver
from worker.fencing import Fence, Held, conversation_of
from worker.journal.engine import Journal
from worker.journal.events import change_order, insert_order
from worker.journal.fills import keep_fill
from worker.journal.locks import is_held
from worker.journal.order_views import OrderViews, record_of
from worker.journal.ownership import ZERO, lock_shares, owned_in, selling_in
from worker.journal.resolving import (
    Statement,
    book_statement,
    is_resolved,
    resolved_since,
    take_back,
)  # fmt: skip
from worker.journal.states import state_in
from worker.journal.tables import decisions, orders, runs, steps
from worker.models.decision import OrderLine
from worker.models.order import DONE, Begin, Fill, OrderIntent, OrderRecord, OrderState

# The broker's trades of a day are all there by the next.
DOUBTED_FOR = timedelta(days=1)
log = structlog.get_logger(__name__)


class OrderBook(OrderViews):
    def __init__(self, journal: Journal, clock: Clock, account_id: str) -> None:
        super().__init__(journal, account_id)
        self._clock = clock

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
                row = self._row(intent, fence, closes_at)
                self._decide(connection, intent.run_id, intent.symbol, intent.leg, line)
                insert_order(connection, row)
        except IntegrityError:
            raise Refused(f"{intent.symbol} was decided already in this run") from None
        return self.get(intent.coid)

    def begin_send(
        self, fence: Fence, lock: Held, coid: str, send_within: timedelta, now_market: datetime
    ) -> Begin:
        """INTENDED becomes SENDING for the one caller that may send it now.

        In one transaction: the step's token is the newest, the conversation is this account's and
        ours until past the moment to send by, the run is neither over nor late, and trading is not
        halted. The run is locked first, as everywhere.
        """
        with self._journal.write() as connection:
            _locked_run(connection, fence.run_id)
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
            change_order(
                connection, row, self._clock.wall_now(), "SENDING", "about to be sent", changes
            )
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

    def request_cancel(self, coid: str, why: str) -> bool:
        """Remember that a cancel is asked for, so that it is not asked for again at once. False,
        and nothing is written, where the order is done by now."""
        with self._journal.write() as connection:
            row = _locked(connection, coid)
            if row["state"] in DONE:
                return False
            changes = {"cancel_requested_at": self._clock.wall_now(), "reasons": [why]}
            self._change(connection, row, row["state"], f"cancel asked for: {why}", changes)
            return True

    def note_absent(self, coid: str, since: datetime | None) -> None:
        """Remember when the broker was first seen to show nothing of it, or that it does again."""
        cause = "the broker shows nothing of it" if since else "the broker shows it again"
        with self._journal.write() as connection:
            row = _locked(connection, coid)
            change_order(
                connection,
                row,
                self._clock.wall_now(),
                row["state"],
                cause,
                {"absent_since": since},
            )

    def add_fills(self, found: Sequence[Fill]) -> Sequence[Fill]:
        """Keep the fills of the journal's own orders, each execution once; gives the new ones."""
        new = []
        for fill in found:
            with self._journal.write() as connection:
                if keep_fill(connection, self.account_id, fill, self._clock):
                    new.append(fill)
        return new

    def resolve(self, coid: str, statement: Statement) -> OrderRecord:
        """Settle an UNKNOWN order by a named person's word. Raises Refused where it is not."""
        with self._journal.write() as connection:
            book_statement(connection, _locked(connection, coid), statement, self._clock)
        log.warning("order_resolved", coid=coid, found=statement.found, by=statement.by)
        return self.get(coid)

    def reopen(self, coid: str, why: str) -> None:
        """The broker contradicts what a person said of the order: its fate is UNKNOWN again."""
        with self._journal.write() as connection:
            row = _locked(connection, coid)
            if is_resolved(row):
                take_back(connection, row, why, self._clock)
        log.error("order_in_doubt", coid=coid, why=why)

    def resolved_lately(self) -> Sequence[OrderRecord]:
        """Orders that a person settled, while the broker may still show more of them."""
        since = self._clock.wall_now() - DOUBTED_FOR
        with self._journal.read() as connection:
            return [record_of(r) for r in resolved_since(connection, self.account_id, since)]

    def _converses(self, connection: Connection, lock: Held, until: datetime) -> bool:
        is_this_accounts = lock.name == conversation_of(self.account_id)
        return is_this_accounts and is_held(connection, lock, until)

    def _change(
        self,
        connection: Connection,
        row: RowMapping,
        state: OrderState,
        cause: str,
        changes: dict[str, Any],
    ) -> None:
        change_order(connection, row, self._clock.wall_now(), state, cause, changes)

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

    def _row(self, intent: OrderIntent, fence: Fence, closes_at: datetime) -> dict[str, Any]:
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
            "session_closes_at": closes_at,
            "created_at": now,
            "updated_at": now,
        }


def _require_fence(connection: Connection, fence: Fence) -> RowMapping:
    """The run's row, locked. Raises RunIsOver where it does not go on, LeaseLost where the step's
    lease is not the caller's."""
    run_row = _locked_run(connection, fence.run_id)
    if run_row is None or run_row["cancelled"] or run_row["status"] not in ("created", "queued"):
        raise RunIsOver("the run is over or was cancelled")
    query = select(steps.c.token, steps.c.state).where(
        steps.c.run_id == fence.run_id, steps.c.number == fence.number
    )
    step_row = connection.execute(query).one_or_none()
    if step_row is None or step_row.token != fence.token or step_row.state != "running":
        raise LeaseLost("another copy of the step has taken over")
    return run_row


def _locked_run(connection: Connection, run_id: str) -> RowMapping | None:
    query = select(runs).where(runs.c.run_id == run_id).with_for_update()
    return connection.execute(query).mappings().one_or_none()


def _locked(connection: Connection, coid: str) -> RowMapping:
    query = select(orders).where(orders.c.coid == coid).with_for_update()
    return connection.execute(query).mappings().one()
