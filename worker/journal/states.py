"""The trading state: ACTIVE where nobody said otherwise; the strictest scope wins."""

from typing import Literal

from sqlalchemy import Connection, select

from worker.journal.engine import Journal
from worker.journal.tables import trading_states

TradingState = Literal["ACTIVE", "REDUCING", "HALTED"]
STRICTNESS: tuple[TradingState, ...] = ("ACTIVE", "REDUCING", "HALTED")


def scopes(account_id: str, strategy_id: int) -> tuple[str, ...]:
    return ("global", f"account:{account_id}", f"strategy:{strategy_id}")


def state_in(connection: Connection, account_id: str, strategy_id: int) -> TradingState:
    """Read in the caller's transaction. A word that is not known is the strictest."""
    query = select(trading_states.c.state).where(
        trading_states.c.scope.in_(scopes(account_id, strategy_id))
    )
    found = connection.execute(query).scalars().all()
    known = [STRICTNESS.index(each) if each in STRICTNESS else 2 for each in found]
    return STRICTNESS[max(known, default=0)]


class StateBook:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def effective(self, account_id: str, strategy_id: int) -> TradingState:
        with self._journal.read() as connection:
            return state_in(connection, account_id, strategy_id)
