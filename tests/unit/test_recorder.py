"""The record of a run: all that it left behind, and a sentence for what it did not."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ManualClock
from tests.support.records import ACCOUNT, CHECKS, bars, fill, full_record, market, order
from tests.support.values import OPEN, run
from worker.errors import TemporaryError
from worker.joined.recorder import Recorder
from worker.journal.engine import Journal
from worker.journal.orders import OrderBook
from worker.journal.runs import RunBook
from worker.journal.steps import StepBook
from worker.market.bars import bars_to_json
from worker.models.chain import ChainHead
from worker.models.market import Position
from worker.models.order import Fill, OrderRecord
from worker.models.record import StepTime
from worker.models.run import Run
from worker.store import FolderStore, Store

ASKED = {
    "model": "small-1",
    "messages": [
        {"role": "system", "content": "You judge."},
        {"role": "user", "content": "What of it?"},
    ],
}
PROMPT = "Asked of small-1.\n\n# system\n\nYou judge.\n\n# user\n\nWhat of it?\n"
PNG = b"\x89PNG\r\n\x1a\n"


HEAD = ChainHead(seq=7, hash="ab" * 32)


class FilledOrders:
    """One order of the run, filled."""

    def of_run(self, run_id: str) -> Sequence[OrderRecord]:
        return [order(run_id)]

    def fills_of_run(self, run_id: str) -> Sequence[Fill]:
        return [fill(order(run_id))]

    def head(self) -> ChainHead:
        return HEAD


class StoreThatIsAway(FolderStore):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked = 0

    def get(self, ref: str) -> bytes:
        self.asked += 1
        raise TemporaryError("the store does not answer")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(OPEN)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}")
    journal.upgrade()
    yield journal
    journal.close()


@pytest.fixture
def steps(journal: Journal, clock: ManualClock) -> StepBook:
    RunBook(journal, clock).create(run())
    book = StepBook(journal, clock, timedelta(seconds=30))
    book.claim(run().run_id, 1, "start_tracking")
    clock.advance(2)
    book.finish(run().run_id, 1, 1, run())
    return book


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


POSITION = Position(conid=265598, symbol="AAPL", quantity=full_record().fills[0].quantity)
STEP = StepTime(
    step="start_tracking", state="done", started_at=OPEN, finished_at=OPEN + timedelta(seconds=2)
)


def whole_run(store: Store) -> Run:
    """Two symbols: all of AAPL in the store, the answer about MSFT no JSON, its checks nowhere."""
    done = full_record().run
    answers = (store.put_json({"signal": "BUY"}), store.put(b"I would sell."))
    signals = tuple(
        signal.evolve(prompt_ref=store.put_json(ASKED), answer_ref=answer)
        for signal, answer in zip(done.signals, answers, strict=True)
    )
    seen = [
        market(symbol, conid, store.put_json(bars_to_json(bars()))).to_json()
        for symbol, conid in (("AAPL", 265598), ("MSFT", 272093))
    ]
    refs = {"market": store.put_json(seen), "positions": store.put_json([POSITION.to_json()])}
    checked = (store.put_json(CHECKS), "f" * 64)
    lines = tuple(
        line.evolve(checks_ref=ref) for line, ref in zip(done.orders, checked, strict=True)
    )
    return done.evolve(signals=signals, orders=lines, refs=refs)


def test_a_whole_run_is_gathered(steps: StepBook, store: FolderStore) -> None:
    done = whole_run(store)
    record = Recorder(steps, FilledOrders(), store).record(done)
    aapl, msft = record.symbols
    assert record.steps == (STEP,)
    assert record.positions == (POSITION,)
    assert (record.orders, record.fills) == ((order(done.run_id),), (fill(order(done.run_id)),))
    assert aapl.market is not None
    assert (aapl.bars, aapl.prompt, aapl.answer, aapl.checks) == (
        bars(), PROMPT, {"signal": "BUY"}, CHECKS,
    )  # fmt: skip
    assert (aapl.signal, aapl.line) == (done.signals[0], done.orders[0])
    assert aapl.chart is not None
    assert aapl.chart.startswith(PNG)
    assert (msft.answer, msft.checks) == ("I would sell.", None)
    assert record.missing == (
        f"MSFT: its checks is not on record: ffffffffffff is missing from the store at "
        f"{store._folder}",
    )
    assert record.journal_head == HEAD
    assert ACCOUNT not in record.summary
    assert record.summary.startswith("# momentum: done\n")


def test_a_run_that_failed_at_once_is_a_record(
    steps: StepBook, store: FolderStore, journal: Journal, clock: ManualClock
) -> None:
    failed = run(failure="validate_environment: Redis does not answer")
    record = Recorder(steps, OrderBook(journal, clock, ACCOUNT), store).record(failed)
    assert (record.status, record.steps, record.missing) == ("FAILED", (STEP,), ())
    assert [(each.symbol, each.chart) for each in record.symbols] == [
        ("AAPL", None),
        ("MSFT", None),
    ]


def test_a_store_that_is_away_is_asked_once_and_the_rest_is_there(
    steps: StepBook, store: FolderStore, tmp_path: Path
) -> None:
    away = StoreThatIsAway(tmp_path / "away")
    record = Recorder(steps, FilledOrders(), away).record(whole_run(store))
    assert away.asked == 1
    assert record.missing == ("the run's market is not on record: the store does not answer",)
    assert record.metrics["orders/filled"] == 1


@pytest.mark.parametrize("stored", ["no list", [1], [{"a": 1}], {"a": 1}, None])
def test_what_cannot_be_understood_is_said(
    steps: StepBook, store: FolderStore, stored: Any
) -> None:
    odd = run(refs={"market": store.put_json(stored), "positions": store.put_json([])})
    record = Recorder(steps, FilledOrders(), store).record(odd)
    assert record.missing == ("the run's market is not on record: it cannot be understood",)


def test_a_prompt_that_is_no_chat_is_shown_as_it_is(steps: StepBook, store: FolderStore) -> None:
    asked = full_record().run.signals[0].evolve(prompt_ref=store.put(b"What of it?"))
    record = Recorder(steps, FilledOrders(), store).record(run(signals=(asked,)))
    assert record.symbols[0].prompt == "What of it?"
