"""Events of one account form one chain, however many write at once."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, Ledger, at_once
from tests.support.tampering import rows
from tests.support.values import OPEN
from worker.clock import SystemClock, monotonic
from worker.journal.chain import event_hash
from worker.journal.engine import Journal
from worker.journal.tables import locks
from worker.journal.verify import verify
from worker.models.chain import NO_HASH, ChainHead
from worker.settings import PROJECT_ROOT

TIMES = 40
WITHIN = timedelta(seconds=5)


def whole(journal: Journal, events: int) -> bool:
    found = verify(journal)
    return (found.events, found.findings) == (events, ())


def test_an_events_hash_is_what_a_person_can_work_out() -> None:
    """Stored hashes depend on it: this test may never be changed."""
    event = {
        "account_id": "DU1", "seq": 1, "coid": "ob-1", "run_id": "r", "at": "2013-02-27T14:30:00Z",
        "state": "INTENDED", "cause": "decidé", "data": None, "version": "1", "id": 7,
        "previous_hash": NO_HASH, "hash": "not hashed",
    }  # fmt: skip
    # printf '{"account_id":"DU1",...,"version":"1"}' | sha256sum
    worked_out = (
        "226373535604b42e99fde703ec3c5e50"  # pragma: allowlist secret
        "de59e03cc25e2f44db88d7da2a3af77d"  # pragma: allowlist secret
    )
    assert event_hash(event) == worked_out


def test_each_event_holds_the_hash_of_the_one_before(ledger: Ledger, journal: Journal) -> None:
    ledger.order("UNKNOWN")
    found = rows(journal)
    assert [row["seq"] for row in found] == [1, 2, 3]
    assert [row["previous_hash"] for row in found] == [NO_HASH, *(r["hash"] for r in found[:-1])]
    assert ledger.book.head() == ChainHead(seq=3, hash=found[-1]["hash"])


def test_twenty_first_events_at_once_are_one_chain(ledger: Ledger, journal: Journal) -> None:
    held = ledger.hold()
    fences = [ledger.begin_run() for _ in range(20)]
    at_once(20, lambda number: ledger.intend(fences[number], held=held))
    assert whole(journal, 20)


def test_twenty_that_write_of_their_own_orders_are_one_chain(
    ledger: Ledger, journal: Journal
) -> None:
    coids = [ledger.order("INTENDED").intent.coid for _ in range(20)]

    def write(number: int) -> None:
        for _ in range(5):
            ledger.book.request_cancel(coids[number], "again")

    at_once(20, write)
    assert whole(journal, 120)


def test_processes_that_write_at_once_all_do_and_a_look_meanwhile_sees_a_whole_chain(
    ledger: Ledger, journal: Journal
) -> None:
    coids = [ledger.order("WORKING").intent.coid for _ in range(3)]
    with ExitStack() as stack:
        writers = [stack.enter_context(_writer(journal, coid)) for coid in coids]
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        while any(writer.poll() is None for writer in writers):
            assert verify(journal).findings == ()
        assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert whole(journal, 3 * (3 + TIMES))


@contextmanager
def _writer(journal: Journal, coid: str) -> "Iterator[subprocess.Popen[str]]":
    url = journal.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.support.appending", url, ACCOUNT, coid, str(TIMES)]
    with subprocess.Popen(
        command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.needs_postgres
def test_a_send_and_a_decision_of_one_run_never_wait_for_each_other(postgres_url: str) -> None:
    """The copy of a step that lost its lease sends; the new one decides. Both come to the
    conversation's row, which a third has, and go on when that one is done."""
    with closing(Journal(postgres_url)) as journal:
        journal.upgrade()
        ledger = Ledger(journal, ManualClock(OPEN))
        fence = ledger.begin_run()
        coid = ledger.intend(fence).intent.coid
        held = ledger.hold()

        def send() -> Any:
            return ledger.book.begin_send(fence, held, coid, WITHIN, ledger.clock.now)

        with ThreadPoolExecutor(2) as pool:
            with journal.write() as connection:
                connection.execute(select(locks).with_for_update()).all()
                sent = pool.submit(send)
                _wait_for_waiting(journal, 1)
                decided = pool.submit(ledger.intend, fence, held=held, symbol="MSFT")
                _wait_for_waiting(journal, 2)
            assert (sent.result().kind, decided.result().state) == ("go", "INTENDED")
        assert whole(journal, 3)


def _wait_for_waiting(journal: Journal, transactions: int) -> None:
    query = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
    end = monotonic() + 10
    while True:
        with journal.read() as connection:
            if connection.execute(query).scalar_one() >= transactions:
                return
        assert monotonic() < end
        SystemClock().sleep(0.02)
