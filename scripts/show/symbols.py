"""What each symbol got of a run: a line each, and the reasons below."""

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scripts.console import out
from scripts.show.story import SymbolStory
from scripts.show.words import NOTHING, flat, percent, shares, styled, usd
from worker.models.order import Preview


def print_symbols(symbols: Iterable[SymbolStory]) -> None:
    told = [each for each in symbols if each.signal or each.decision]
    if not told:
        return
    out.print(_table(told))
    reasons = Table.grid(padding=(0, 2))
    for each in told:
        reasons.add_row(Text(each.symbol, "bold"), Text("\n").join(_reasons(each)))
    out.print(Padding(reasons, (0, 0, 0, 1)))


def _table(symbols: Iterable[SymbolStory]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, right in (
        ("symbol", False), ("signal", False), ("conf.", True), ("price", True),
        ("outcome", False), ("order", False), ("limit", True), ("state", False),
        ("filled", True), ("at", True), ("owns", True),
    ):  # fmt: skip
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for each in symbols:
        table.add_row(*_cells(each))
    return table


def _cells(each: SymbolStory) -> tuple[str | Text, ...]:
    signal, line, order = each.signal, each.decision, each.order
    side = NOTHING if line is None or line.side is None else f"{line.side} {shares(line.quantity)}"
    return (
        Text(each.symbol, "bold"),
        styled(signal.side if signal else None),
        percent(signal.confidence) if signal else NOTHING,
        usd(signal.price_usd) if signal else NOTHING,
        styled(line.outcome if line else None),
        side,
        usd(line.limit_price) if line else NOTHING,
        styled(order.state if order else None),
        shares(order.filled_quantity) if order else NOTHING,
        usd(order.average_price) if order else NOTHING,
        _owned(each),
    )


def _owned(each: SymbolStory) -> str:
    """Before and after the run, where it moved; else what the strategy owns now."""
    line = each.decision
    if line is None or line.owned_before is None:
        return shares(each.owned_now)
    after = line.owned_after
    if after is None or after == line.owned_before:
        return shares(line.owned_before)
    return f"{shares(line.owned_before)} → {shares(after)}"


def _reasons(each: SymbolStory) -> Iterable[Text]:
    """Why the analyst said so and, where that is another matter, why it came to what it did."""
    signal, line = each.signal, each.decision
    said = {"passed every check"}
    if signal is not None:
        why = signal.abstained or signal.rationale
        said |= {signal.rationale, why}
        yield Text.assemble(flat(why), (f"  ({signal.analyst})", "dim"))
    if line is not None and line.preview is not None:
        yield _preview(Preview.from_json(line.preview))
    if line is not None and line.reason and line.reason not in said:
        yield Text(f"{line.outcome}: {flat(line.reason)}")


def _preview(preview: Preview) -> Text:
    """What the broker says an order would cost."""
    text = Text("the broker's preview: ")
    if preview.error:
        return text.append(flat(preview.error))
    text.append(f"{usd(preview.amount_usd)} USD, commission {usd(preview.commission_usd)} USD")
    for warning in preview.warnings:
        text.append(f"; {flat(warning)}")
    return text
