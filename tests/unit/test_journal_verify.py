"""Whoever changes the journal behind the program's back is found, and where."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.ledger import ACCOUNT, CLOSES_AT, LEASE, Ledger, line
from tests.support.tampering import edit, put_head_right, rewrite_chain, rows, tamper
from worker.fencing import conversation_of
from worker.journal.chain import event_hash
from worker.journal.engine import Journal
from worker.journal.events import read_head
from worker.journal.orders import OrderBook
from worker.journal.verify import chained_accounts, verify
from worker.models.chain import Chain, ChainHead

NOT_AS_WRITTEN = "it is not as it was written"
MISPLACED = "it is not where it was written"
Story = tuple[str, ...]


@pytest.fixture
def orders(ledger: Ledger) -> Story:
    """Events 1 to 5 are of a filled order, its fill e-3 is number 4; 6 to 8 of one that works."""
    filled, works = ledger.order("FILLED"), ledger.order("WORKING", symbol="MSFT")
    return filled.intent.coid, works.intent.coid


def findings(journal: Journal, **asked: Any) -> list[tuple[Any, ...]]:
    found = verify(journal, **asked).findings
    assert all(each.account_id == ACCOUNT for each in found)
    return [(each.what, each.seq, each.coid, each.sentence) for each in found]


def test_a_journal_that_nobody_touched_is_whole(
    ledger: Ledger, journal: Journal, orders: Story
) -> None:
    head = ledger.book.head()
    assert (head.seq, head.hash) == (8, rows(journal)[-1]["hash"])
    found = verify(journal, ACCOUNT, noted=head)
    assert found.findings == ()
    assert (found.chains, found.events) == ((Chain(account_id=ACCOUNT, events=8, head=head),), 8)


def test_a_journal_without_orders_is_whole(ledger: Ledger, journal: Journal) -> None:
    assert ledger.book.head() == ChainHead()
    assert (verify(journal).chains, verify(journal).findings) == ((), ())


def test_a_head_that_was_noted_before_is_still_in_the_chain(
    ledger: Ledger, journal: Journal
) -> None:
    coid = ledger.order("SENDING").intent.coid
    noted = ledger.book.head()
    ledger.book.settle(coid, "SENDING", "UNKNOWN", "no answer")
    assert findings(journal, account_id=ACCOUNT, noted=noted) == []


def test_every_state_of_an_order_follows_from_its_events(ledger: Ledger, journal: Journal) -> None:
    for state in ("INTENDED", "DENIED", "UNKNOWN", "REJECTED", "PARTIAL", "CANCELLED", "EXPIRED"):
        ledger.order(state)
    coid = ledger.order("WORKING").intent.coid
    ledger.book.request_cancel(coid, "late")
    ledger.book.note_absent(coid, ledger.clock.now)
    ledger.book.note_absent(coid, None)
    ledger.fill(coid, 3, "444.125")
    ledger.fill(coid, 2, "444.5", commission_usd=None)
    assert findings(journal) == []


def test_accounts_are_chained_and_looked_at_apart(ledger: Ledger, journal: Journal) -> None:
    first = ledger.order("INTENDED").intent.coid
    fence = ledger.begin_run()
    intent = ledger.intent(fence, account_id="DU7654321")
    book = OrderBook(journal, ledger.clock, "DU7654321")
    lock = ledger.locks.acquire(conversation_of("DU7654321"), "someone", 2, LEASE)
    assert lock is not None
    book.intend(fence, lock, intent, line(intent), Decimal(0), CLOSES_AT)
    assert [ledger.book.head().seq, book.head().seq] == [1, 1]
    assert chained_accounts(journal) == [ACCOUNT, "DU7654321"]
    tamper(journal, "UPDATE orders SET quantity = 1")
    found = verify(journal)
    assert [chain.events for chain in found.chains] == [1, 1]
    assert {each.account_id: each.coid for each in found.findings} == {
        ACCOUNT: first, "DU7654321": intent.coid,
    }  # fmt: skip
    (alone,) = verify(journal, "DU7654321").findings
    assert alone.coid == intent.coid


# The chain


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        ("cause = 'a fine cause' WHERE seq = 7", 7),
        ("at = '2013-02-27T14:30:00.000001Z' WHERE seq = 7", 7),
        ("at = 'yesterday' WHERE seq = 7", 7),
        ("version = '9.9' WHERE seq = 7", 7),
        ("data = 'no JSON' WHERE seq = 7", 7),
        ("previous_hash = hash WHERE seq = 7", 7),
        ("hash = previous_hash WHERE seq = 8", 8),
    ],
)
def test_an_edited_event_is_found(journal: Journal, orders: Story, change: str, seq: int) -> None:
    edit(journal, "order_events", change)
    assert ("edited", seq, orders[1], NOT_AS_WRITTEN) in findings(journal)


def test_an_edited_state_is_found_in_the_event_and_in_the_order(
    journal: Journal, orders: Story
) -> None:
    tamper(journal, "UPDATE order_events SET state = 'CANCELLED' WHERE seq = 8")
    assert findings(journal) == [
        ("edited", 8, orders[1], NOT_AS_WRITTEN),
        ("state", 8, orders[1], "its state is WORKING, its events say CANCELLED"),
    ]


def test_an_edited_event_with_a_hash_of_its_own_does_not_fit_the_next(
    journal: Journal, orders: Story
) -> None:
    forged = {**rows(journal)[2], "cause": "refused"}
    tamper(
        journal, "UPDATE order_events SET cause = 'refused', hash = :hash WHERE seq = 3",
        hash=event_hash(forged),
    )  # fmt: skip
    why = "it does not follow from the one before: one of the two was edited"
    assert findings(journal) == [("edited", 4, orders[0], why)]


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM order_events WHERE seq = 3", "event 3 is missing"),
        ("DELETE FROM order_events WHERE seq IN (2, 3)", "events 2 to 3 are missing"),
    ],
)
def test_a_gap_is_found(journal: Journal, orders: Story, statement: str, sentence: str) -> None:
    tamper(journal, statement)
    found = findings(journal)
    assert found[0][0] == "missing"
    assert found[0][3] == sentence


def test_a_cut_off_end_is_found_by_the_head(journal: Journal, orders: Story) -> None:
    tamper(journal, "DELETE FROM order_events WHERE seq > 7")
    assert findings(journal)[0] == (
        "cut_off", 8, None, "by the chain's head event 8 is missing",
    )  # fmt: skip


def test_an_end_that_is_cut_off_with_the_head_is_found_by_the_order_and_by_a_noted_head(
    ledger: Ledger, journal: Journal, orders: Story
) -> None:
    noted = ledger.book.head()
    tamper(journal, "DELETE FROM order_events WHERE seq > 6")
    put_head_right(journal)
    state = ("state", 6, orders[1], "its state is WORKING, its events say INTENDED")
    assert state in findings(journal)
    cut = ("cut_off", 7, None, "by the head that was noted events 7 to 8 are missing")
    assert cut in findings(journal, account_id=ACCOUNT, noted=noted)


def test_a_whole_order_that_was_cut_off_is_found_by_a_noted_head_alone(
    ledger: Ledger, journal: Journal, orders: Story
) -> None:
    noted = ledger.book.head()
    tamper(
        journal,
        "DELETE FROM order_events WHERE coid = :coid", "DELETE FROM orders WHERE coid = :coid",
        coid=orders[1],
    )  # fmt: skip
    put_head_right(journal)
    assert findings(journal) == []
    assert findings(journal, account_id=ACCOUNT, noted=noted) == [
        ("cut_off", 6, None, "by the head that was noted events 6 to 8 are missing"),
    ]


def test_a_chain_that_was_written_anew_is_found_by_a_noted_head(
    ledger: Ledger, journal: Journal, orders: Story
) -> None:
    noted = ledger.book.head()
    tamper(journal, "UPDATE order_events SET cause = 'a fine cause' WHERE seq = 2")
    rewrite_chain(journal)
    assert findings(journal) == []
    why = "its hash is not the one that was noted: it, or one before it, was written anew"
    assert findings(journal, account_id=ACCOUNT, noted=noted) == [("edited", 8, orders[1], why)]


INSERT = """INSERT INTO order_events
    (id, coid, run_id, at, state, cause, data, version, account_id, seq, previous_hash, hash)
    SELECT :id, coid, run_id, at, state, cause, data, version, account_id, :seq, hash, :hash
    FROM order_events WHERE seq = 8"""


@pytest.mark.parametrize(("event_id", "seq"), [(900, 9), (900, 0)])
def test_an_event_that_was_put_in_is_found(
    journal: Journal, orders: Story, event_id: int, seq: int
) -> None:
    tamper(journal, INSERT, id=event_id, seq=seq, hash="f" * 64)
    assert ("edited", seq, orders[1], NOT_AS_WRITTEN) in findings(journal)


def test_an_event_that_was_put_in_with_a_true_hash_stands_behind_the_head(
    journal: Journal, orders: Story
) -> None:
    last = rows(journal)[-1]
    digest = event_hash({**last, "seq": 9, "previous_hash": last["hash"]})
    tamper(journal, INSERT, id=900, seq=9, hash=digest)
    why = "the chain's head is event 8: it was edited, or events were added to it"
    assert findings(journal) == [("edited", 9, None, why)]


def test_events_that_changed_places_are_found(journal: Journal, orders: Story) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        edit(journal, "order_events", "seq = :new WHERE seq = :old", old=old, new=new)
    assert findings(journal)[:3] == [
        ("edited", 2, orders[0], NOT_AS_WRITTEN),
        ("out_of_order", 3, orders[0], MISPLACED),
        ("edited", 3, orders[0], NOT_AS_WRITTEN),
    ]


def test_ids_that_changed_places_are_found(journal: Journal, orders: Story) -> None:
    """The history of an order is shown in the order of its ids."""
    ids = [row["id"] for row in rows(journal)]
    for old, new in ((ids[1], 999), (ids[2], ids[1]), (999, ids[2])):
        edit(journal, "order_events", "id = :new WHERE id = :old", old=old, new=new)
    assert findings(journal) == [("out_of_order", 3, orders[0], MISPLACED)]


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (
            "UPDATE chain_heads SET hash = 'nothing'",
            ("edited", 8, None, "its hash is not that of the chain's head: one of the two was "
             "edited"),
        ),
        (
            "DELETE FROM chain_heads",
            ("edited", 1, None, "the chain's head is event 0: it was edited, or events were added "
             "to it"),
        ),
    ],
)  # fmt: skip
def test_an_edited_head_is_found(
    journal: Journal, orders: Story, statement: str, finding: tuple[Any, ...]
) -> None:
    tamper(journal, statement)
    assert findings(journal) == [finding]


# Orders and fills


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("state = 'CANCELLED'", "its state is CANCELLED, its events say FILLED"),
        ("filled_quantity = '9'", "its filled_quantity is 9, its events say 10"),
        ("average_price = NULL", "its average_price is None, its events say 444.00"),
        ("limit_price = '1.00'", "its limit_price is 1.00, its events say 445.00"),
        ("quantity = 99", "its quantity is 99, its events say 10"),
        ("side = 'SELL'", "its side is SELL, its events say BUY"),
        ("strategy_id = 2", "its strategy_id is 2, its events say 1"),
        ("intent = '{}'", "its intent is not what its events say"),
        ("account_id = 'DU7654321'", "its account_id is not what its events say"),
    ],
)
def test_an_edited_order_is_found(
    journal: Journal, orders: Story, change: str, sentence: str
) -> None:
    edit(journal, "orders", f"{change} WHERE coid = :coid", coid=orders[0])
    found = [("state", 5, orders[0], sentence)]
    assert findings(journal) == findings(journal, account_id=ACCOUNT) == found


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE fills SET price = '1.00'", "the fill e-3's price is 1.00, its events say 444.00"),
        ("UPDATE fills SET quantity = '99'", "the fill e-3's quantity is 99, its events say 10"),
        ("UPDATE fills SET side = 'SELL'", "the fill e-3's side is SELL, its events say BUY"),
        ("UPDATE fills SET strategy_id = 2", "the fill e-3's strategy_id is 2, its events say 1"),
        ("DELETE FROM fills", "the fill e-3 is gone"),
        (
            "INSERT INTO fills SELECT 'e-9', account_id, coid, strategy_id, symbol, side, quantity,"
            " price, commission_usd, executed_at, recorded_at FROM fills",
            "the fill e-9 has no event",
        ),
    ],
)
def test_an_edited_fill_is_found(
    ledger: Ledger, journal: Journal, statement: str, sentence: str
) -> None:
    coid = ledger.order("FILLED").intent.coid
    tamper(journal, statement)
    assert findings(journal) == [("fill", 5, coid, sentence)]


def test_an_order_that_is_gone_is_found(journal: Journal, orders: Story) -> None:
    tamper(journal, "DELETE FROM orders WHERE coid = :coid", coid=orders[0])
    assert findings(journal) == [
        ("state", None, orders[0], "it is gone, and 5 event(s) of it are left"),
        ("fill", None, orders[0], "it is gone, and 1 fill(s) of it are left"),
    ]


def test_an_order_that_was_put_in_is_found(journal: Journal, orders: Story) -> None:
    tamper(journal, "UPDATE order_events SET coid = :coid WHERE seq > 5", coid=orders[0])
    assert ("state", None, orders[1], "it has no event") in findings(journal)


# While the system runs


def test_a_look_sees_one_moment_and_keeps_nobody_waiting(ledger: Ledger, journal: Journal) -> None:
    coid = ledger.order("SENDING").intent.coid
    with journal.snapshot() as connection:
        before = read_head(connection, ACCOUNT)
        assert ledger.book.settle(coid, "SENDING", "UNKNOWN", "no answer")
        assert read_head(connection, ACCOUNT) == before
    assert ledger.book.head().seq == before.seq + 1


def test_a_long_look_tells_how_far_it_is(ledger: Ledger, journal: Journal) -> None:
    told: list[tuple[int, int]] = []
    coid = ledger.order("WORKING").intent.coid
    for _ in range(1000):
        ledger.book.request_cancel(coid, "again")
    verify(journal, progress=lambda done, rows: told.append((done, rows)))
    assert told == [(1000, 1004)]
