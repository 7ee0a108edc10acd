"""A run's record as a page to read, in Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from worker.models.record import Record, SymbolRecord
from worker.models.run import Run

SANDBOX = "**Sandbox.** No broker and no money were involved; prices are drawn within the day."


def summary_page(record: Record) -> str:
    """What a trader wants to know first comes first: how it ended, then why."""
    sections = (
        _head(record),
        _signals(record),
        _orders(record),
        _checks(record),
        _fills(record),
        _steps(record),
        _remarks(record),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(record: Record) -> str:
    run = record.run
    parts = [f"# {run.strategy.name}: {_verdict(run)}"]
    if reason := run.failure or (run.ending.reason if run.ending else None):
        parts.append(_line(reason))
    if run.account is not None and run.account.sandbox:
        parts.append(SANDBOX)
    facts = [
        ("Run", f"`{run.run_id}`"),
        ("Mode", run.mode),
        ("Slot", f"`{_cell(run.slot)}`, due {_time(run.due_at)}, market time"),
        ("Account", f"{run.account.kind}, proved" if run.account else "not proved"),
        ("Symbols", ", ".join(run.symbols)),
        ("Strategy", f"{run.strategy.id}, `{run.strategy.digest}`"),
        ("Version", record.version),
    ]
    if run.figures is not None:
        facts.append(("Net liquidation", _usd(run.figures.net_liquidation_usd)))
        facts.append(("Cash", _usd(run.figures.total_cash_usd)))
    return "\n\n".join([*parts, _table(("", ""), facts)])


def _verdict(run: Run) -> str:
    if run.failure is not None:
        return "failed"
    return run.ending.code if run.ending else "done"


def _signals(record: Record) -> str:
    rows = [
        (
            signal.symbol,
            f"**{signal.side}**",
            "abstained" if signal.abstained else f"{signal.confidence:.0%}",
            _usd(signal.price_usd),
            signal.analyst,
            signal.abstained or signal.rationale,
        )
        for signal in record.run.signals
    ]
    return _section("Signals", ("Symbol", "Signal", "Confidence", "Price", "By", "Why"), rows)


def _orders(record: Record) -> str:
    rows = [
        (
            line.symbol,
            line.outcome,
            " ".join(filter(None, (line.side, _number(line.quantity)))),
            _usd(line.limit_price),
            line.state,
            _number(line.filled_quantity),
            _usd(line.average_price),
            _owned(line.owned_before, line.owned_after),
            line.reason,
        )
        for line in record.run.orders
    ]
    names = ("Symbol", "Outcome", "Order", "Limit", "State", "Filled", "Average", "Owns", "Reason")
    return _section("Orders", names, rows)


def _owned(before: Decimal | None, after: Decimal | None) -> str:
    return "" if before is None else f"{_number(before)} → {_number(after) or '?'}"


def _checks(record: Record) -> str:
    rows = [
        (
            each.symbol,
            "passed" if check["passed"] else "**denied**",
            check["code"],
            check["sentence"],
        )
        for each in record.symbols
        for check in _stored_checks(each)
    ]
    return _section("Checks", ("Symbol", "", "Check", "Why"), rows)


def _stored_checks(each: SymbolRecord) -> Iterator[dict[str, Any]]:
    """Whatever else was stored beside them (figures), a check has these three."""
    stored = each.checks.get("checks", ()) if isinstance(each.checks, dict) else each.checks
    for check in stored if isinstance(stored, list) else ():
        if isinstance(check, dict) and {"code", "passed", "sentence"} <= check.keys():
            yield check


def _fills(record: Record) -> str:
    rows = [
        (
            _time(fill.executed_at),
            fill.symbol,
            f"{fill.side} {_number(fill.quantity)}",
            _usd(fill.price),
            _usd(fill.commission_usd),
        )
        for fill in record.fills
    ]
    return _section("Fills", ("At, market time", "Symbol", "Fill", "Price", "Commission"), rows)


def _steps(record: Record) -> str:
    rows = [
        (
            step.step,
            step.state,
            _time(step.started_at),
            "" if step.seconds is None else f"{step.seconds:.1f}",
            step.error,
        )
        for step in record.steps
    ]
    return _section("Steps", ("Step", "State", "Began, wall clock", "Seconds", "Error"), rows)


def _remarks(record: Record) -> str:
    remarks = [*record.run.notes, *record.missing]
    return (
        "\n".join(["## Remarks", "", *(f"- {_line(text)}" for text in remarks)]) if remarks else ""
    )


def _section(title: str, names: Sequence[str], rows: Sequence[Iterable[str | None]]) -> str:
    return f"## {title}\n\n{_table(names, rows)}" if rows else ""


def _table(names: Sequence[str], rows: Iterable[Iterable[str | None]]) -> str:
    lines = [names, ["---"] * len(names), *([_cell(value or "") for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """A model's words must not end a cell, nor begin a tag."""
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _number(value: Decimal | int | None) -> str | None:
    return None if value is None else f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"


def _usd(value: Decimal | None) -> str:
    return "" if value is None else f"{value:,.2f}"
