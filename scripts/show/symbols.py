"""What each symbol got of a run: a line each, and below it what was filled, and the reasons."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from scripts.console import out
from scripts.show.stacked import Stacked
from scripts.show.story import SymbolStory
from scripts.show.words import NOTHING, flat, percent, shares, styled, usd
from worker.models.order import Preview


def print_symbols(symbols: Iterable[SymbolStory], console: Console = out) -> None:
    told = [each for each in symbols if each.signal or each.decision]
    if not told:
        return
    table = Stacked("symbol", "signal", ">conf.", ">price", "outcome", "order", ">limit", "state")
    for each in told:
        table.add_row(*_cells(each), below=_below(each))
    table.print_on(console)


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


def _below(each: SymbolStory) -> Iterable[Text]:
    """What was filled, why the analyst said so and, where that is another matter, why it came to
    what it did."""
    signal, line, order = each.signal, each.decision, each.order
    if order is not None and order.filled_quantity:
        yield Text(f"{shares(order.filled_quantity)} filled at {usd(order.average_price)}")
    yield Text(f"the strategy owns {_owned(each)}")
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
