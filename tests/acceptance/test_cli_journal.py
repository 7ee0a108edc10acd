"""`openbell journal verify` as a person or a script reads it."""

import json
import os
import pty
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.cli import PROGRAM, openbell, sentence
from tests.support.clock import ManualClock
from tests.support.ledger import ACCOUNT, Ledger
from tests.support.tampering import edit, put_head_right, tamper
from tests.support.values import OPEN
from worker.journal.engine import Journal
from worker.runtime import reset_services, services
from worker.settings import PROJECT_ROOT

SHORT = "DU1…67"


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("OPENBELL_IBKR__ACCOUNT_ID", ACCOUNT)
    reset_services()
    assert openbell("journal", "upgrade").code == 0
    yield services().journal
    reset_services()


@pytest.fixture
def ledger(journal: Journal) -> Ledger:
    return Ledger(journal, ManualClock(OPEN))


def test_a_whole_journal_is_one_line(ledger: Ledger) -> None:
    ledger.order("SENDING")
    head = ledger.book.head()
    told = f"2 events of 1 account, chain whole, head {head}\n"
    for asked in ([], ["--account", ACCOUNT], ["--account", SHORT], ["--head", str(head)]):
        said = openbell("journal", "verify", *asked)
        assert (said.code, said.out, said.err) == (0, told, "")


def test_an_empty_journal_is_whole(journal: Journal) -> None:
    said = openbell("journal", "verify")
    assert (said.code, said.out) == (0, "0 events of 0 accounts, chain whole\n")


def test_what_was_changed_is_a_sentence_with_its_place_and_no_account(ledger: Ledger) -> None:
    coid = ledger.order("SENDING").intent.coid
    edit(ledger.journal, "order_events", "cause = 'never mind' WHERE seq = 1")
    edit(ledger.journal, "orders", "account_id = 'DU7654321'")
    said = openbell("journal", "verify")
    assert (said.code, said.err) == (1, "")
    assert said.out.splitlines() == [
        f"{SHORT}, event 1, order {coid}: edited: it is not as it was written",
        f"{SHORT}, event 2, order {coid}: state: its account_id is not what its events say",
        f"2 events of 1 account, 2 finding(s), head {ledger.book.head()}",
    ]


def test_a_script_reads_the_same(ledger: Ledger) -> None:
    coid = ledger.order("INTENDED").intent.coid
    edit(ledger.journal, "orders", "state = 'FILLED'")
    said = openbell("journal", "verify", "--json")
    assert said.code == 1
    assert json.loads(said.out) == {
        "whole": False,
        "events": 1,
        "accounts": [{"account": SHORT, "events": 1, "head": str(ledger.book.head())}],
        "findings": [
            {
                "account": SHORT, "what": "state", "seq": 1, "coid": coid,
                "sentence": "its state is FILLED, its events say INTENDED",
            }
        ],
    }  # fmt: skip


def test_a_noted_head_finds_what_was_cut_off_everywhere(ledger: Ledger) -> None:
    ledger.order("INTENDED")
    coid = ledger.order("INTENDED").intent.coid
    noted = str(ledger.book.head())
    gone = ("DELETE FROM order_events WHERE coid = :coid", "DELETE FROM orders WHERE coid = :coid")
    tamper(ledger.journal, *gone, coid=coid)
    put_head_right(ledger.journal)
    assert openbell("journal", "verify").code == 0
    said = openbell("journal", "verify", "--head", noted)
    told = f"{SHORT}, event 2: cut off: by the head that was noted event 2 is missing"
    assert (said.code, said.out.splitlines()[0]) == (1, told)


@pytest.mark.parametrize("asked", [(), ("--account", ACCOUNT)])
def test_a_chain_that_is_gone_altogether_is_missed(
    journal: Journal, asked: tuple[str, ...]
) -> None:
    said = openbell("journal", "verify", *asked, "--head", f"3:{'a' * 64}")
    told = f"{SHORT}, event 1: cut off: by the head that was noted events 1 to 3 are missing"
    assert (said.code, said.out.splitlines()[0]) == (1, told)


@pytest.mark.parametrize("head", ["12", "x:1", f"0:{'a' * 64}", f"3:{'g' * 64}"])
def test_a_head_that_is_none_is_a_sentence(head: str) -> None:
    said = sentence(openbell("journal", "verify", "--head", head), 2)
    assert "write it as SEQ:HASH" in said


def test_an_account_that_is_not_there_is_a_sentence(ledger: Ledger) -> None:
    ledger.order("INTENDED")
    told = sentence(openbell("journal", "verify", "--account", "DU9"), 2)
    assert told == f"the journal has no account DU9; it has: {SHORT}"


def test_a_head_is_of_one_account(ledger: Ledger) -> None:
    ledger.order("SENDING")
    edit(ledger.journal, "order_events", "account_id = 'DU7654321' WHERE seq = 2")
    told = sentence(openbell("journal", "verify", "--head", f"1:{'a' * 64}"), 2)
    assert told == f"--head is of one account; add --account, one of: {SHORT}, DU7…21"


def test_a_terminal_is_left_with_the_answer_alone(ledger: Ledger) -> None:
    coid = ledger.order("WORKING").intent.coid
    for _ in range(1000):
        ledger.book.request_cancel(coid, "again")
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [PROGRAM, "journal", "verify"], cwd=PROJECT_ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert done.stdout.startswith("1,003 events of 1 account, chain whole, head 1003:")
    assert "reading the journal" in shown
