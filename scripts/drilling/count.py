"""What a drill has found: the broker's own book against the journal. Pure.

The book is the measure. The journal only says which decision an order belongs to, and what Openbell
believes has become of it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from statistics import median
from typing import Any

from scripts.demonstration.book import Book, BookOrder
from worker.models.base import Utc, Value
from worker.models.order import DONE
from worker.orders.settling import EXPIRED

NONE = Decimal(0)
# What the journal may say of an order by the book's own word for it.
FINAL: dict[str, frozenset[str]] = {
    "Filled": frozenset({"FILLED"}),
    "Cancelled": frozenset({"CANCELLED", "EXPIRED"}),
}
WORKING = frozenset({"WORKING", "PARTIAL"})
NEVER_SENT = frozenset({"INTENDED", "DENIED"})
# The journal may know of an order that the broker never had: it was lost on its way.
MAY_BE_ABSENT = frozenset({"SENDING", "UNKNOWN", "EXPIRED", "REJECTED"})


class Event(Value):
    at: Utc
    state: str
    cause: str


class JournalOrder(Value):
    coid: str
    run_id: str
    strategy_id: int
    symbol: str
    side: str
    quantity: Decimal
    filled: Decimal
    state: str
    events: tuple[Event, ...] = ()


class Told(Value):
    """What the journal tells."""

    orders: tuple[JournalOrder, ...]
    decisions: int = 0
    runs_not_ended: tuple[str, ...] = ()


class Finding(Value):
    """One broken promise: which order or run, and what is wrong."""

    about: str
    sentence: str


class Unknowns(Value):
    """Orders whose fate was unknown for a while, and how that ended; wall seconds."""

    by_evidence: int = 0
    by_sessions_end: int = 0
    by_nobody: int = 0
    median_seconds: float | None = None
    max_seconds: float | None = None


class Count(Value):
    decisions: int
    orders: int
    duplicates: tuple[Finding, ...]
    lost: tuple[Finding, ...]
    sold_not_owned: tuple[Finding, ...]
    runs_not_ended: tuple[str, ...]
    orders_not_ended: tuple[str, ...]
    unknown: Unknowns

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every broken promise."""
        return (
            *self.duplicates,
            *self.lost,
            *self.sold_not_owned,
            *(Finding(about=run, sentence="this run has not ended") for run in self.runs_not_ended),
            *(
                Finding(about=coid, sentence="nobody has settled it")
                for coid in self.orders_not_ended
            ),
        )


def count(
    book: Book,
    requests: Sequence[Mapping[str, Any]],
    told: Told,
    baseline: Mapping[str, Decimal],
) -> Count:
    """`baseline`: the account's shares of each symbol before the drill, which nobody may sell."""
    known = {order.coid: order for order in told.orders}
    return Count(
        decisions=told.decisions,
        orders=len(book.orders),
        duplicates=(*_duplicates(book, known), *_sent_again(requests)),
        lost=tuple(_lost(book, known)),
        sold_not_owned=(*_oversold(book, known), *_below(book, baseline)),
        runs_not_ended=told.runs_not_ended,
        orders_not_ended=tuple(order.coid for order in told.orders if order.state not in DONE),
        unknown=_unknowns(told.orders),
    )


def _duplicates(book: Book, known: Mapping[str, JournalOrder]) -> Iterator[Finding]:
    """More than one order for one client id, or for one decision: a run's symbol."""
    by_id = Counter(order.coid for order in book.orders if order.coid is not None)
    for coid, times in by_id.items():
        if times > 1:
            yield Finding(about=coid, sentence=f"{times} orders at the broker with this id")
    ids: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for order in book.orders:
        ours = known.get(order.coid or "")
        if ours is not None:
            ids[ours.run_id, ours.symbol].add(ours.coid)
    for (run_id, symbol), coids in ids.items():
        if len(coids) > 1:
            which = ", ".join(sorted(coids))
            yield Finding(about=run_id, sentence=f"several orders in {symbol}: {which}")


def _sent_again(requests: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """An id that arrived twice is one decision sent twice, whatever the broker made of it."""
    arrived = Counter(
        coid
        for request in requests
        if request["method"] == "POST" and str(request["path"]).endswith("/orders")
        for coid in _ids_in(request)
    )
    for coid, times in arrived.items():
        if times > 1:
            yield Finding(about=coid, sentence=f"it was sent {times} times")


def _ids_in(request: Mapping[str, Any]) -> list[str]:
    """From the body as it arrived, where it can be read, else as the sandbox noted them."""
    try:
        return [str(ticket["cOID"]) for ticket in json.loads(request["body"])["orders"]]
    except (ValueError, KeyError, TypeError):
        return list(request["cOIDs"])


def _lost(book: Book, known: Mapping[str, JournalOrder]) -> Iterator[Finding]:
    """Orders that the journal does not know, or of which it believes something else."""
    at_broker = {order.coid for order in book.orders}
    for order in book.orders:
        ours = known.get(order.coid or "")
        name = order.coid or f"order {order.order_id}"
        if ours is None:
            yield Finding(about=name, sentence="it is at the broker and not in the journal")
        elif (why := _differs(order, ours)) is not None:
            yield Finding(about=name, sentence=why)
    for ours in known.values():
        absent = ours.coid not in at_broker and ours.state not in NEVER_SENT
        if absent and (ours.state not in MAY_BE_ABSENT or ours.filled != NONE):
            yield Finding(
                about=ours.coid, sentence=f"the journal has it as {ours.state}, the broker not"
            )


def _differs(order: BookOrder, ours: JournalOrder) -> str | None:
    if order.filled != ours.filled:
        return f"{order.filled} filled at the broker, {ours.filled} in the journal"
    if ours.state not in FINAL.get(order.status, WORKING):
        return f"{order.status} at the broker, {ours.state} in the journal"
    same = (order.symbol, order.side, order.quantity) == (ours.symbol, ours.side, ours.quantity)
    return None if same else "another symbol, side or quantity than the journal has"


def _oversold(book: Book, known: Mapping[str, JournalOrder]) -> Iterator[Finding]:
    """A sale beyond what the strategy's own orders had filled until then."""
    owned: defaultdict[tuple[int, str], Decimal] = defaultdict(Decimal)
    for fill in book.fills:
        ours = known.get(fill.coid or "")
        if ours is None:
            continue
        whose = (ours.strategy_id, fill.symbol)
        owned[whose] += fill.quantity if fill.side == "BUY" else -fill.quantity
        if fill.side == "SELL" and owned[whose] < NONE:
            yield Finding(
                about=ours.coid,
                sentence=f"strategy {ours.strategy_id} sold {-owned[whose]} {fill.symbol} that it"
                " did not own",
            )


def _below(book: Book, baseline: Mapping[str, Decimal]) -> Iterator[Finding]:
    """The account's shares at any time, by its fills in their order."""
    held = dict(baseline)
    for fill in book.fills:
        change = fill.quantity if fill.side == "BUY" else -fill.quantity
        held[fill.symbol] = held.get(fill.symbol, NONE) + change
        if fill.side == "SELL" and held[fill.symbol] < baseline.get(fill.symbol, NONE):
            yield Finding(
                about=fill.coid or fill.execution_id,
                sentence=f"the account fell below its {baseline.get(fill.symbol, NONE)} foreign"
                f" shares of {fill.symbol}",
            )


def _unknowns(orders: Sequence[JournalOrder]) -> Unknowns:
    ends: Counter[str] = Counter()
    seconds = []
    for order in orders:
        since: datetime | None = None
        for event in order.events:
            if event.state == "UNKNOWN":
                since = since or event.at
            elif since is not None:
                ends["session" if event.cause == EXPIRED else "evidence"] += 1
                seconds.append((event.at - since).total_seconds())
                since = None
        ends["nobody"] += since is not None
    return Unknowns(
        by_evidence=ends["evidence"],
        by_sessions_end=ends["session"],
        by_nobody=ends["nobody"],
        median_seconds=round(median(seconds), 1) if seconds else None,
        max_seconds=round(max(seconds), 1) if seconds else None,
    )
