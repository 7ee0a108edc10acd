"""At the end: what a trader wants to read, and where there is more."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.demonstration.book import Book
from scripts.demonstration.promises import Promise
from scripts.demonstration.runs import Progress
from worker.models.decision import OrderLine
from worker.models.run import Run
from worker.models.signal import Signal
from worker.runtime import Services

# With the space between them, 100 columns.
WIDTHS = {"symbol": 7, "signal": 8, "why": 30, "checks": 11, "order": 22, "fill": 10}
SIDES = {"BUY": "green", "SELL": "red", "HOLD": "yellow"}


def show_runs(console: Console, progress: Sequence[Progress]) -> None:
    for one in progress:
        if one.row is None or one.run is None:
            continue
        name, outcome = one.row.strategy_name, one.row.outcome or "waits"
        console.print()
        console.print(Text.assemble((one.shown.label, "bold"), f", {name}: ", (outcome, "bold")))
        if reason := one.row.reason or _waits_for(one):
            console.print(Text(reason, "yellow"))
        if one.run.signals or one.run.orders:
            console.print(_symbols(one.run))


def _waits_for(one: Progress) -> str | None:
    return next((step.waits_for for step in one.steps if step.state == "waiting"), None)


def _symbols(run: Run) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading, width in WIDTHS.items():
        table.add_column(heading, width=width)
    signals = {signal.symbol: signal for signal in run.signals}
    lines = {line.symbol: line for line in run.orders}
    for symbol in run.symbols:
        signal, line = signals.get(symbol), lines.get(symbol)
        table.add_row(
            symbol, _signal(signal), _why(signal), _checks(line), _order(line), _filled(line)
        )
    return table


def _signal(signal: Signal | None) -> Text:
    if signal is None:
        return Text("-")
    return Text(f"{signal.side} {signal.confidence:.0%}", SIDES[signal.side])


def _why(signal: Signal | None) -> str:
    return (signal.abstained or signal.rationale) if signal else ""


def _checks(line: OrderLine | None) -> Text:
    if line is None or not line.checks_run:
        return Text("-")
    if line.checks_failed:
        return Text(", ".join(line.checks_failed), "red")
    return Text(f"{line.checks_run} passed", "green")


def _order(line: OrderLine | None) -> str:
    if line is None:
        return "-"
    if line.side is None or line.quantity is None:
        return f"{line.outcome}: {line.reason}"
    limit = f" limit {line.limit_price}" if line.limit_price is not None else ""
    return f"{line.outcome} {line.side} {line.quantity}{limit}"


def _filled(line: OrderLine | None) -> str:
    if line is None or line.state is None:
        return "-"
    if not line.filled_quantity:
        return line.state
    price = line.average_price
    return f"{line.filled_quantity:f} at {price:.2f}" if price else f"{line.filled_quantity:f}"


def show_account(console: Console, s: Services, progress: Sequence[Progress], book: Book) -> None:
    strategies = sorted({one.row.strategy_id for one in progress if one.row})
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("symbol", width=6)
    table.add_column("shares", justify="right")
    table.add_column("average cost", justify="right")
    for strategy_id in strategies:
        table.add_column(f"of strategy {strategy_id}", justify="right")
    for holding in book.positions:
        owned = (s.orders.owned(strategy_id, holding.symbol) for strategy_id in strategies)
        table.add_row(
            holding.symbol,
            f"{holding.quantity:f}",
            f"{holding.average_cost:.2f}",
            *map(_shares, owned),
        )
    console.print()
    console.print(f"[bold]The account[/] in the sandbox, cash {book.cash:,.2f} USD")
    console.print(table)


def _shares(quantity: Decimal) -> str:
    return f"{quantity:f}" if quantity else "-"


def show_promises(console: Console, found: Sequence[Promise]) -> None:
    console.print()
    for promise in found:
        mark = ("✓ ", "green") if promise.kept else ("✗ ", "bold red")
        console.print(Text.assemble(mark, promise.sentence))


def broken(found: Sequence[Promise]) -> Iterator[str]:
    return (promise.sentence for promise in found if not promise.kept)
