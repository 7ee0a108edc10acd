"""A process that appends events: `python -m tests.support.appending URL ACCOUNT COID TIMES`.

It says `ready`, begins at a line on its input, and asks for a cancel of the order again and again.
"""

import sys

from worker.clock import SystemClock
from worker.journal.engine import Journal
from worker.journal.orders import OrderBook


def append(url: str, account_id: str, coid: str, times: str) -> None:
    journal = Journal(url)
    book = OrderBook(journal, SystemClock(), account_id)
    print("ready", flush=True)  # noqa: T201 - the test waits for it
    sys.stdin.readline()
    for number in range(int(times)):
        book.request_cancel(coid, f"time {number}")
    journal.close()


if __name__ == "__main__":
    append(*sys.argv[1:])
