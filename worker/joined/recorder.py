"""Gather a run's record from the journal and the store. What cannot be read is said, not fatal."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import structlog

from worker.errors import OpenbellError, StepError
from worker.joined.page import summary_page
from worker.journal.steps import StepBook, shown_states
from worker.market.bars import bars_from_json
from worker.market.charts import price_chart
from worker.models.market import Bar, Position, SymbolMarket
from worker.models.order import Fill, OrderRecord
from worker.models.record import Record, StepTime, SymbolRecord
from worker.models.run import Run
from worker.models.signal import Signal
from worker.store import Store
from worker.version import code_version

SANDBOX_NOTE = "Sandbox: drawn within the day"
Found = TypeVar("Found")
log = structlog.get_logger(__name__)


class Orders(Protocol):
    def of_run(self, run_id: str) -> Sequence[OrderRecord]: ...
    def fills_of_run(self, run_id: str) -> Sequence[Fill]: ...


class Recorder:
    def __init__(self, steps: StepBook, orders: Orders, store: Store) -> None:
        self._steps, self._orders, self._store = steps, orders, store

    def record(self, run: Run) -> Record:
        """The record of a run, however far it came. Only an unavailable journal is raised."""
        read = _Reading(self._store)
        market = {each.contract.symbol: each for each in read.values(run, "market", SymbolMarket)}
        rows = self._steps.of(run.run_id)
        record = Record(
            run=run,
            version=code_version(),
            steps=tuple(
                StepTime(
                    step=row.step,
                    state=state,
                    started_at=row.started_at,
                    finished_at=row.finished_at,
                    error=row.error,
                )
                for row, state in zip(rows, shown_states(rows), strict=True)
            ),
            symbols=tuple(_symbol(run, symbol, market, read) for symbol in run.symbols),
            positions=read.values(run, "positions", Position),
            orders=tuple(self._orders.of_run(run.run_id)),
            fills=tuple(self._orders.fills_of_run(run.run_id)),
            missing=tuple(read.missing),
        )
        return record.evolve(summary=summary_page(record))


class _Reading:
    """Reads of the store that note a failure. A store that is away is asked once."""

    def __init__(self, store: Store) -> None:
        self._store, self._away = store, False
        self.missing: list[str] = []

    def one(self, ref: str | None, what: str, parse: Callable[[bytes], Found]) -> Found | None:
        if ref is None or self._away:
            return None
        try:
            return parse(self._store.get(ref))
        except (OpenbellError, ValueError, KeyError, TypeError) as error:
            # A StepError is about this one thing; anything else about the store as a whole.
            self._away = isinstance(error, OpenbellError) and not isinstance(error, StepError)
            why = error.sentence if isinstance(error, OpenbellError) else "it cannot be understood"
            self.missing.append(f"{what} is not on record: {why}")
            return None

    def values(self, run: Run, name: str, kind: type[Found]) -> tuple[Found, ...]:
        def parse(data: bytes) -> tuple[Found, ...]:
            return tuple(kind.from_json(item) for item in json.loads(data))  # type: ignore[attr-defined]

        return self.one(run.refs.get(name), f"the run's {name}", parse) or ()


def _symbol(run: Run, symbol: str, market: dict[str, SymbolMarket], read: _Reading) -> SymbolRecord:
    signal = next((each for each in run.signals if each.symbol == symbol), None)
    line = next((each for each in run.orders if each.symbol == symbol), None)
    seen = market.get(symbol)
    bars = read.one(seen.bars_ref, f"{symbol}: its bars", _bars) if seen else None
    return SymbolRecord(
        symbol=symbol,
        market=seen,
        bars=bars or (),
        signal=signal,
        prompt=read.one(signal.prompt_ref, f"{symbol}: its prompt", _prompt) if signal else None,
        answer=read.one(signal.answer_ref, f"{symbol}: its answer", _answer) if signal else None,
        line=line,
        checks=read.one(line.checks_ref, f"{symbol}: its checks", json.loads) if line else None,
        chart=_chart(run, symbol, bars, signal, read) if bars else None,
    )


def _chart(
    run: Run, symbol: str, bars: Sequence[Bar], signal: Signal | None, read: _Reading
) -> bytes | None:
    note = SANDBOX_NOTE if run.account is not None and run.account.sandbox else None
    try:
        return price_chart(symbol, bars, signal, note=note)
    # A picture must not cost the rest of the record.
    except Exception as error:
        log.warning("chart_not_drawn", symbol=symbol, exc_info=True)
        read.missing.append(f"{symbol}: its chart could not be drawn ({type(error).__name__})")
        return None


def _bars(data: bytes) -> tuple[Bar, ...]:
    return tuple(bars_from_json(json.loads(data)))


def _prompt(data: bytes) -> str:
    """A chat's messages as a page to read; whatever else was asked, as it was."""
    text = data.decode(errors="replace")
    try:
        asked = json.loads(text)
        parts = [f"# {message['role']}\n\n{message['content']}" for message in asked["messages"]]
    except (ValueError, LookupError, TypeError):
        return text
    return "\n\n".join([f"Asked of {asked.get('model', 'a model')}.", *parts]) + "\n"


def _answer(data: bytes) -> Any:
    """The analyst's JSON; an answer that is none is kept as the text that it was."""
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
