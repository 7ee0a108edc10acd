"""What a named person says about shares: whose they are, or that a split made more of them."""

from decimal import ROUND_FLOOR, Decimal

from sqlalchemy import Connection, RowMapping, and_, insert, select, update

from worker.clock import Clock
from worker.errors import Refused
from worker.journal.engine import Journal
from worker.journal.ownership import ZERO, lock_shares, owned_in, owners_in
from worker.journal.tables import adjustments, foreign_positions, orders
from worker.models.base import Value
from worker.models.order import ACTIVE
from worker.version import code_version


class Said(Value):
    """Who says it, and why; both are kept."""

    who: str
    why: str


class AdjustmentBook:
    """Each method is one transaction. Raises Refused, with the reason, where the shares that are
    spoken of are not there."""

    def __init__(self, journal: Journal, clock: Clock, account_id: str) -> None:
        self._journal, self._clock, self._account_id = journal, clock, account_id

    def adopt(self, symbol: str, quantity: Decimal, strategy_id: int, said: Said) -> None:
        """Foreign shares become a strategy's; a negative quantity gives its shares back."""
        with self._journal.write() as connection:
            row = self._foreign(connection, symbol)
            lock_shares(connection, self._account_id, symbol)
            if quantity > row["quantity"]:
                raise Refused(
                    f"only {row['quantity']} shares of {symbol} are foreign; "
                    "`openbell reconcile` shows whose the others are"
                )
            owned = owned_in(connection, self._account_id, symbol, strategy_id)
            if -quantity > owned:
                raise Refused(f"strategy {strategy_id} owns only {owned} shares of {symbol}")
            self._require_idle(connection, symbol)
            self._note(connection, symbol, "adopt", quantity, said, strategy_id)
            self._set_foreign(connection, row, row["quantity"] - quantity)

    def accept(self, symbol: str, said: Said) -> Decimal:
        """What two looks found unexplained is nobody's: the foreign shares become what the account
        holds beside the strategies'. Gives by how many they changed."""
        with self._journal.write() as connection:
            row = self._foreign(connection, symbol)
            self._require_idle(connection, symbol)
            difference = _confirmed(row, symbol)
            after: Decimal = row["quantity"] + difference
            if after < 0:
                raise Refused(
                    f"strategies own {-after} shares of {symbol} more than the account holds; give "
                    f"them back first: `openbell reconcile --adopt {symbol} -{-after} --strategy S`"
                )
            self._note(connection, symbol, "accept", difference, said)
            self._set_foreign(connection, row, after)
            return difference

    def split(self, symbol: str, new: int, old: int, said: Said) -> None:
        """`new` shares for each `old`: of every strategy and of the foreign ones, where that is
        what the account shows and nothing explains. What is left of a strategy's after whole
        shares is foreign, as the broker pays it out or keeps it."""
        with self._journal.write() as connection:
            row = self._foreign(connection, symbol)
            lock_shares(connection, self._account_id, symbol)
            self._require_idle(connection, symbol)
            difference = _confirmed(row, symbol)
            owned = {
                strategy_id: owned_in(connection, self._account_id, symbol, strategy_id)
                for strategy_id in owners_in(connection, self._account_id, symbol)
            }
            before = row["quantity"] + sum(owned.values(), ZERO)
            meant = before * new / old - before
            # The broker pays a fraction of a share out.
            if abs(meant - difference) >= 1:
                raise Refused(
                    f"{new}:{old} would make {meant:+} shares of {symbol}, the account shows "
                    f"{difference:+}; check the ratio"
                )
            foreign = before + difference
            for strategy_id, shares in owned.items():
                whole = (shares * new / old).to_integral_value(ROUND_FLOOR)
                foreign -= whole
                self._note(connection, symbol, "split", whole - shares, said, strategy_id)
            self._note(connection, symbol, "split", foreign - row["quantity"], said)
            self._set_foreign(connection, row, foreign)

    def _foreign(self, connection: Connection, symbol: str) -> RowMapping:
        query = select(foreign_positions).where(
            foreign_positions.c.account_id == self._account_id,
            foreign_positions.c.symbol == symbol,
        )
        rows = connection.execute(query.with_for_update()).mappings().all()
        if len(rows) != 1:
            raise Refused(
                f"the account was not seen to hold {symbol}; check the symbol, and look again once "
                "`openbell reconcile` shows it"
            )
        return rows[0]

    def _require_idle(self, connection: Connection, symbol: str) -> None:
        query = select(orders.c.coid).where(
            orders.c.account_id == self._account_id,
            orders.c.symbol == symbol,
            orders.c.state.in_(ACTIVE),
        )
        coid = connection.execute(query.limit(1)).scalar_one_or_none()
        if coid is not None:
            raise Refused(f"order {coid} in {symbol} is still open; wait for its end")

    def _set_foreign(self, connection: Connection, row: RowMapping, quantity: Decimal) -> None:
        """What was not explained is looked at anew."""
        connection.execute(
            update(foreign_positions)
            .where(
                and_(
                    foreign_positions.c.account_id == self._account_id,
                    foreign_positions.c.conid == row["conid"],
                )
            )
            .values(
                quantity=quantity,
                unexplained=None,
                unexplained_since=None,
                confirmed_at=None,
                updated_at=self._clock.wall_now(),
            )
        )

    def _note(
        self,
        connection: Connection,
        symbol: str,
        kind: str,
        quantity: Decimal,
        said: Said,
        strategy_id: int | None = None,
    ) -> None:
        connection.execute(
            insert(adjustments).values(
                account_id=self._account_id,
                strategy_id=strategy_id,
                symbol=symbol,
                kind=kind,
                quantity=quantity,
                who=said.who,
                why=said.why,
                at=self._clock.wall_now(),
                version=code_version(),
            )
        )


def _confirmed(row: RowMapping, symbol: str) -> Decimal:
    """What two looks found unexplained; a person's word is about that, and so is said once."""
    difference: Decimal | None = row["unexplained"] if row["confirmed_at"] is not None else None
    if difference is None:
        raise Refused(f"every share of {symbol} is explained, or was not looked at twice yet")
    return difference
