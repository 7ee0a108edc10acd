"""The account against the books: whose the shares and orders are, looked at before any is sent."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from worker.clock import Clock
from worker.journal.foreign import ForeignBook
from worker.models.account import Look, Shares
from worker.models.market import Position
from worker.models.order import Fill, LiveOrders, Trades

# Who is about to send looks again when the last look is older.
FRESH = timedelta(minutes=2)
CAUSES = "a split, a merger, a transfer, a reinvested dividend"


class Reads(Protocol):
    def live_orders(self) -> LiveOrders: ...
    def fills(self) -> Trades: ...


class Orders(Protocol):
    def add_fills(self, found: Sequence[Fill]) -> Sequence[Fill]: ...


# Tell a person once under a key, and forget the key.
Tell = Callable[[str, str, str], None]
Forget = Callable[[str], None]


class Accounting:
    def __init__(
        self,
        book: ForeignBook,
        orders: Orders,
        reads: Reads,
        positions: Callable[[], tuple[Position, ...]],
        clock: Clock,
        tell: Tell,
        forget: Forget,
    ) -> None:
        self._book, self._orders, self._reads, self._positions = book, orders, reads, positions
        self._clock, self._tell, self._forget = clock, tell, forget
        self._looked_at: datetime | None = None

    def look(self) -> Look:
        """Read the account once and compare; a person is told of what nothing explains."""
        # Trades last: an execution in between makes a difference that the next look explains.
        listed, positions = self._reads.live_orders(), self._positions()
        trades = self._reads.fills()
        # Own executions first, also of orders that nobody follows any more.
        self._orders.add_fills(trades.fills)
        look = self._book.look(positions, listed, trades)
        for shares in look.shares:
            self._tell_of(shares)
        for stray in look.strays:
            self._tell(
                f"stray:{stray.broker_order_id}",
                f"An order in {stray.symbol} is not in the journal",
                f"{stray.side} {stray.symbol} with the client id {stray.coid} works at the broker "
                "and no run of this journal sent it: another Openbell trades the account, or the "
                f"journal was lost. Nothing is sent for {stray.symbol} while it works.",
            )
        self._looked_at = self._clock.wall_now()
        return look

    def is_current(self) -> bool:
        """Has this process looked lately, and is the first look complete?"""
        at = self._looked_at
        return at is not None and self._clock.wall_now() - at < FRESH and self._book.is_ready()

    def _tell_of(self, shares: Shares) -> None:
        key = f"unexplained:{shares.conid}"
        if shares.unexplained is None:
            self._forget(key)
        elif shares.confirmed:
            more = "more" if shares.unexplained > 0 else "fewer"
            self._tell(
                key,
                f"The account's shares of {shares.symbol} are not explained",
                f"It holds {shares.held}; strategies own {shares.owned}, {shares.foreign} are "
                f"foreign: {abs(shares.unexplained)} {more} than that, and no execution explains "
                f"it. Likely causes: {CAUSES}. Nothing is sent for {shares.symbol} until "
                "`openbell reconcile` says whose they are.",
            )
