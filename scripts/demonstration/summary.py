"""At the end: what a trader wants to read, and where there is more."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from scripts.console import out
from scripts.demonstration.book import Book
from scripts.demonstration.promises import Promise
from scripts.demonstration.runs import Progress
from scripts.show.story import SymbolStory, story_of
from scripts.show.symbols import print_symbols
from scripts.show.words import shares, styled, usd
from worker.runtime import Services


def show_runs(s: Services, progress: Sequence[Progress]) -> None:
    for one in progress:
        if one.row is None:
            continue
        story = story_of(s, one.row)
        word = styled(one.standing)
        out.print()
        out.print(Text.assemble((one.shown.label, "bold"), f", {story.strategy_name}: ", word))
        if reason := one.row.reason or _waits_for(one):
            out.print(Text(f"  {reason}"), soft_wrap=True)
        print_symbols(story.by_symbol)
        for each in story.by_symbol:
            if each.checks:
                out.print(_checks(each))


def _waits_for(one: Progress) -> str | None:
    return next((step.waits_for for step in one.steps if step.state == "waiting"), None)


def _checks(each: SymbolStory) -> Text:
    """How many checks an order passed, or by which it was denied and why."""
    failed = [check for check in each.checks if not check.passed]
    text = Text.assemble(" ", (each.symbol, "bold"), "  checks: ")
    if not failed:
        return text.append(f"all {len(each.checks)} passed", "green")
    passed = len(each.checks) - len(failed)
    text.append(f"{passed} passed, {len(failed)} denied", "yellow")
    for check in failed:
        text.append(f"\n    {check.code}: {check.sentence}")
    return text


def show_account(s: Services, progress: Sequence[Progress], book: Book) -> None:
    strategies = sorted({one.row.strategy_id for one in progress if one.row})
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("symbol", width=6)
    table.add_column("shares", justify="right")
    table.add_column("average cost", justify="right")
    for strategy_id in strategies:
        table.add_column(f"of strategy {strategy_id}", justify="right")
    for holding in book.positions:
        owned = (s.orders.owned(strategy_id, holding.symbol) for strategy_id in strategies)
        held, cost = shares(holding.quantity), usd(holding.average_cost)
        table.add_row(holding.symbol, held, cost, *(shares(each or None) for each in owned))
    out.print()
    out.print(f"[bold]The account[/] in the sandbox, cash {usd(book.cash)} USD")
    out.print(table)


def show_promises(found: Sequence[Promise]) -> None:
    out.print()
    for promise in found:
        mark = ("✓ ", "green") if promise.kept else ("✗ ", "bold red")
        out.print(Text.assemble(mark, promise.sentence), soft_wrap=True)
