"""What the order room needs of others; `worker.runtime` brings them together."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from worker.fencing import Fence, Held
from worker.models.order import (
    Begin,
    Fill,
    LiveOrders,
    OrderIntent,
    OrderRecord,
    OrderState,
    SendResult,
    Trades,
)  # fmt: skip


class Book(Protocol):
    """The journal's orders: each method one short transaction."""

    def begin_send(
        self, fence: Fence, lock: Held, coid: str, send_within: timedelta, now_market: datetime
    ) -> Begin: ...
    def settle(
        self, coid: str, expected: OrderState, state: OrderState, cause: str, **changes: Any
    ) -> bool: ...
    def deny(self, coid: str, why: str) -> bool: ...
    def request_cancel(self, coid: str, why: str) -> bool: ...
    def note_absent(self, coid: str, since: datetime | None) -> None: ...
    def reopen(self, coid: str, why: str) -> None: ...
    def add_fills(self, found: Sequence[Fill]) -> Sequence[Fill]: ...
    def get(self, coid: str) -> OrderRecord: ...


class Shares(Protocol):
    """What the account must hold by all that is known."""

    def expected(self, symbol: str, conid: int) -> Decimal | None: ...


class Locks(Protocol):
    def acquire(self, name: str, holder: str, priority: int, lease: timedelta) -> Held | None: ...
    def release(self, held: Held) -> None: ...
    def waits_since(self, name: str, holder: str) -> datetime | None: ...
    def give_up(self, name: str, holder: str) -> None: ...


class Reads(Protocol):
    def live_orders(self) -> LiveOrders: ...
    def fills(self) -> Trades: ...
    def position(self, conid: int) -> Decimal: ...


class Connection(Protocol):
    def send(
        self, intent: OrderIntent, in_time: Callable[[], bool], may_reply: Callable[[], bool]
    ) -> SendResult: ...
    def close(self) -> None: ...


class Trader(Protocol):
    def open(self) -> Connection: ...
    def cancel(
        self, account_id: str, broker_order_id: str, in_time: Callable[[], bool]
    ) -> None: ...


# Told of an order whose fate is not known.
Alarm = Callable[[OrderRecord, str], None]
