"""A run's story as a page on a terminal."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scripts.console import celery, openbell, out, print_pairs
from scripts.show.moments import Moments
from scripts.show.steps import standing, steps_table
from scripts.show.story import OrderStory, Story, SymbolStory
from scripts.show.symbols import print_symbols
from scripts.show.words import NOTHING, flat, shares, styled, took, usd, wall

if TYPE_CHECKING:
    from worker.runtime import Services


def print_result(moments: Moments, story: Story) -> None:
    """What a person who followed the run wants to know now."""
    out.print()
    out.print(_headline(story), soft_wrap=True)
    if story.closed_at is not None:
        out.print(Text(f"  ended {moments.at(story.closed_at)}", "dim"))
    print_symbols(story.by_symbol)
    _print_remarks(story)
    out.print(Text(f"  the whole story: {openbell()} runs show {story.run_id}", "dim"))


def print_story(s: "Services", moments: Moments, story: Story) -> None:
    """All of it, every moment on the market's clock but for the line that says the wall's."""
    out.print()
    out.print(_headline(story), soft_wrap=True)
    if story.outcome == "failed":
        out.print(Text(f"  {flat(story.reason or 'why is not known')}", "red"), soft_wrap=True)
    _print_remarks(story)
    out.print(Padding(_facts(s, moments, story), (1, 0, 0, 2)))
    out.print(steps_table(moments, story.steps, began=True))
    print_symbols(story.by_symbol)
    _print_checks(story)
    for each in story.by_symbol:
        if each.order is not None:
            _print_order(s, moments, each.symbol, each.order)
    _print_where(story)


def _headline(story: Story) -> Text:
    word = standing(story.status, story.outcome, story.steps)
    colour = "cyan" if story.outcome is None else "red" if word == "failed" else "green"
    verdict = (word, f"bold {colour}")
    text = Text.assemble(
        (story.strategy_name, "bold"), ": ", verdict, f", {story.mode}, {', '.join(story.symbols)}"
    )
    if story.seconds is not None:
        text.append(f", {took(story.seconds)}", "dim")
    if story.sandbox:
        text.append("\n  on the sandbox: no real market, no real money", "yellow")
    if story.reason and story.outcome != "failed":
        text.append(f"\n  {flat(story.reason)}")
    return text


def _print_remarks(story: Story) -> None:
    tracked = story.tracking.note if story.tracking else None
    for text in [*filter(None, [tracked]), *story.notes, *story.missing]:
        out.print(Text(f"  {flat(text)}", "yellow"), soft_wrap=True)


def _facts(s: "Services", moments: Moments, story: Story) -> Table:
    facts: list[tuple[str, str]] = [
        ("run", story.run_id),
        ("slot", story.slot),
        ("due", f"{s.local(story.due_at)}{_window(s, story)}"),
        ("created", f"{moments.at(story.created_at)}, {_ended(moments, story)}"),
        ("strategy", f"{story.strategy_id}, {story.strategy_digest}, openbell {story.version}"),
    ]
    if moments.replayed:
        until = f" to {wall(story.closed_at)}" if story.closed_at is not None else ""
        facts.insert(4, ("wall clock", f"{wall(story.created_at)}{until}"))
    if story.parameters:
        facts.append(("parameters", ", ".join(f"{k}={v}" for k, v in story.parameters.items())))
    if story.account is not None:
        facts.append(("account", f"{story.account}, {story.account_kind}, proved"))
    if story.figures is not None:
        cash, whole = story.figures.total_cash_usd, story.figures.net_liquidation_usd
        facts.append(("cash then", f"{usd(cash)} USD, net liquidation {usd(whole)} USD"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    for name, value in facts:
        grid.add_row(name, Text(value))
    return grid


def _window(s: "Services", story: Story) -> str:
    return "" if story.not_after is None else f", its window ends {s.local(story.not_after)}"


def _ended(moments: Moments, story: Story) -> str:
    if story.closed_at is not None:
        return f"ended {moments.at(story.closed_at)}"
    return standing(story.status, story.outcome, story.steps)


def _print_checks(story: Story) -> None:
    checked = [each for each in story.by_symbol if each.checks]
    if not checked:
        return
    _title("Checks")
    grid = Table.grid(padding=(0, 2))
    for each in checked:
        grid.add_row(Text(each.symbol, "bold"), _verdicts(each))
    out.print(Padding(grid, (0, 0, 0, 1)))


def _verdicts(each: SymbolStory) -> Text:
    """The denials with their sentences; of what passed the names are enough."""
    passed = [check.code for check in each.checks if check.passed]
    denials = [check for check in each.checks if not check.passed]
    text = Text(f"all {len(each.checks)} passed", "green")
    if denials:
        text = Text(f"{len(denials)} of {len(each.checks)} deny", "bold red")
    for check in denials:
        text.append("\n✗ ", "bold red").append(check.code, "bold")
        text.append(f"  {flat(check.sentence)}", "default")
    return text.append(f"\n✓ {' '.join(passed)}", "dim") if passed else text


def _print_order(s: "Services", moments: Moments, symbol: str, order: OrderStory) -> None:
    _title(f"Order {symbol}")
    head = Text.assemble(
        f"{order.side} {shares(order.quantity)} at {usd(order.limit_price)}  ",
        styled(order.state),
        f"  {shares(order.filled_quantity)} filled at {usd(order.average_price)}"
        if order.filled_quantity
        else "",
        (f"  {order.coid}, broker's id {order.broker_order_id or NOTHING}", "dim"),
    )
    out.print(Padding(head, (0, 0, 0, 2)))
    for event in order.events:
        at = moments.time(datetime.fromisoformat(event["at"]))
        text = Text.assemble((f"{at}  ", "dim"), styled(event["state"]))
        out.print(Padding(text.append(f"  {flat(event['cause'])}"), (0, 0, 0, 4)))
    if order.fills:
        out.print(Padding(_fills(s, order), (0, 0, 0, 2)))


def _fills(s: "Services", order: OrderStory) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("filled at", no_wrap=True)
    for name in ("shares", "price", "value", "commission"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("execution", style="dim", overflow="fold")
    for fill in order.fills:
        table.add_row(
            s.local(fill.executed_at).split(" ", 1)[1], shares(fill.quantity), usd(fill.price),
            usd(fill.quantity * fill.price), usd(fill.commission_usd), fill.execution_id,
        )  # fmt: skip
    return table


def _print_where(story: Story) -> None:
    _title("Where to look further")
    print_pairs((f"  {name}", value) for name, value in _places(story))
    out.print()


def _places(story: Story) -> Iterator[tuple[str, str]]:
    yield "log lines", f"{openbell()} runs logs {story.run_id}"
    if story.tracking is not None and story.tracking.run_id is not None:
        yield "MLflow", story.tracking_url or f"run {story.tracking.run_id}"
    kept = _kept(story)
    if kept:
        yield "store", f"{story.store}, by sha256:"
    yield from kept
    if story.tasks:
        yield "Celery", f"{celery()} -A worker result ID; in Redis: celery-task-meta-ID"
    for task in story.tasks:
        yield f"  {task.step}", task.task_id


def _kept(story: Story) -> list[tuple[str, str]]:
    """What lies in the store, by what it is."""
    found: list[tuple[str, str | None]] = list(story.refs.items())
    for each in story.by_symbol:
        if each.signal is not None:
            found.append((f"{each.symbol} prompt", each.signal.prompt_ref))
            found.append((f"{each.symbol} answer", each.signal.answer_ref))
        if each.decision is not None:
            found.append((f"{each.symbol} checks", each.decision.checks_ref))
    return [(f"  {name}", ref) for name, ref in found if ref]


def _title(text: str) -> None:
    out.print()
    out.print(Text(text, "bold"))
