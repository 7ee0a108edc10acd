"""Read the whole history again: is it as it was written, and does the current state follow from it?

An edit shows in the event's own hash, a gap in the numbers, a cut-off end in the chain's head. Who
rewrites events, head, orders and fills alike is found by a head that is kept elsewhere: in the tags
of the runs in MLflow, or in a person's notes.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from worker.journal.chain import event_hash
from worker.journal.engine import Journal
from worker.journal.events import read_head
from worker.journal.replay import strayed
from worker.journal.tables import chain_heads, order_events, orders
from worker.journal.types import stored_columns
from worker.models.chain import Chain, ChainHead, Finding, Verified

ROWS_AT_ONCE = 1000
Progress = Callable[[int, int], None]


def chained_accounts(journal: Journal) -> list[str]:
    """Every account that has events, or the head of a chain."""
    with journal.read() as connection:
        return _accounts(connection)


def verify(
    journal: Journal,
    account_id: str | None = None,
    noted: ChainHead | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Verified:
    """Look at one account, or at all of them, in one moment of the journal.

    `noted`: a head of that one account's chain, known from elsewhere. `progress` is told how many
    rows of how many have been read.
    """
    with journal.snapshot() as connection:
        accounts = [account_id] if account_id is not None else _accounts(connection)
        chains = tuple(_chain(connection, each) for each in accounts)
        count = select(func.count()).select_from(orders)
        rows = sum(chain.events for chain in chains) + connection.execute(count).scalar_one()
        tick = _ticking(progress, rows)
        findings: list[Finding] = []
        for chain in chains:
            findings += _walked(connection, chain, noted, tick)
        findings += strayed(connection, account_id, tick)
    return Verified(chains=chains, findings=tuple(findings))


def _accounts(connection: Connection) -> list[str]:
    query = select(order_events.c.account_id).union(select(chain_heads.c.account_id))
    return sorted(connection.execute(query).scalars())


def _chain(connection: Connection, account_id: str) -> Chain:
    count = select(func.count()).where(order_events.c.account_id == account_id)
    events = connection.execute(count).scalar_one()
    return Chain(account_id=account_id, events=events, head=read_head(connection, account_id))


def _ticking(progress: Progress, rows: int) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if done % ROWS_AT_ONCE == 0:
            progress(done, rows)

    return tick


def _walked(
    connection: Connection, chain: Chain, noted: ChainHead | None, tick: Callable[[], None]
) -> Iterator[Finding]:
    walk = _Walk(chain, noted)
    query = select(*stored_columns(order_events)).where(
        order_events.c.account_id == chain.account_id
    )
    streamed = connection.execution_options(yield_per=ROWS_AT_ONCE)
    ordered = query.order_by(order_events.c.seq, order_events.c.id)
    for event in streamed.execute(ordered).mappings():
        yield from walk.step(event)
        tick()
    yield from walk.end()


class _Walk:
    """Along one chain, from its first event to its end."""

    def __init__(self, chain: Chain, noted: ChainHead | None) -> None:
        self._account_id, self._head, self._noted = chain.account_id, chain.head, noted
        self._last, self._last_id = ChainHead(), 0

    def step(self, event: Mapping[Any, Any]) -> Iterator[Finding]:
        seq, coid, last = event["seq"], event["coid"], self._last
        if seq > last.seq + 1:
            yield self._finding("missing", last.seq + 1, f"{_range(last.seq + 1, seq - 1)} missing")
        if seq <= last.seq or event["id"] <= self._last_id:
            yield self._finding("out_of_order", seq, "it is not where it was written", coid)
        if event_hash(event) != event["hash"]:
            yield self._finding("edited", seq, "it is not as it was written", coid)
        elif seq == last.seq + 1 and event["previous_hash"] != last.hash:
            why = "it does not follow from the one before: one of the two was edited"
            yield self._finding("edited", seq, why, coid)
        if self._noted and self._noted.seq == seq and self._noted.hash != event["hash"]:
            why = "its hash is not the one that was noted: it, or one before it, was written anew"
            yield self._finding("edited", seq, why, coid)
        self._last, self._last_id = ChainHead(seq=seq, hash=event["hash"]), event["id"]

    def end(self) -> Iterator[Finding]:
        last, head, noted = self._last, self._head, self._noted
        if head.seq > last.seq:
            lost = _range(last.seq + 1, head.seq)
            yield self._finding("cut_off", last.seq + 1, f"by the chain's head {lost} missing")
        elif head.seq < last.seq:
            why = f"the chain's head is event {head.seq}: it was edited, or events were added to it"
            yield self._finding("edited", head.seq + 1, why)
        elif head.hash != last.hash:
            why = "its hash is not that of the chain's head: one of the two was edited"
            yield self._finding("edited", last.seq, why)
        if noted and noted.seq > last.seq:
            lost = _range(last.seq + 1, noted.seq)
            yield self._finding(
                "cut_off", last.seq + 1, f"by the head that was noted {lost} missing"
            )

    def _finding(self, what: Any, seq: int, sentence: str, coid: str | None = None) -> Finding:
        return Finding(
            what=what, account_id=self._account_id, seq=seq, coid=coid, sentence=sentence
        )


def _range(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"
