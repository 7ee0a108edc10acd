"""What a drill has found, for people and for scripts."""

from collections import Counter
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.drilling.kinds import KINDS
from scripts.drilling.plan import Plan
from scripts.drilling.play import Result


def fired_kinds(plan: Plan, result: Result) -> Counter[str]:
    return Counter(each.kind for each in plan.injections if each.id in result.fired)


def as_json(plan: Plan, result: Result) -> dict[str, Any]:
    planned, fired = plan.planned(), fired_kinds(plan, result)
    kinds = [kind for kind in KINDS if planned[kind]]
    return {
        "seed": plan.seed,
        "seconds": round(result.seconds, 1),
        "runs": result.runs,
        "runs_planned": plan.runs,
        "injections": {kind: {"planned": planned[kind], "fired": fired[kind]} for kind in kinds},
        **result.count.model_dump(mode="json"),
        "kept": not result.count.findings,
    }


def show(console: Console, plan: Plan, result: Result) -> None:
    console.print()
    console.print(_injections(plan, result))
    console.print(_promise(plan, result))
    _say_what_did_not_happen(console, plan, result)
    for finding in result.count.findings:
        text = Text.assemble(("✗ ", "bold red"), f"{finding.about}: {finding.sentence}")
        console.print(text, soft_wrap=True)


def _injections(plan: Plan, result: Result) -> Table:
    planned, fired = plan.planned(), fired_kinds(plan, result)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("injection")
    table.add_column("planned", justify="right")
    table.add_column("fired", justify="right")
    for kind in KINDS:
        if planned[kind]:
            style = "" if fired[kind] == planned[kind] else "yellow"
            table.add_row(kind, str(planned[kind]), Text(str(fired[kind]), style))
    total = sum(fired.values())
    table.add_section()
    table.add_row("all", str(len(plan.injections)), str(total), style="bold")
    return table


def _promise(plan: Plan, result: Result) -> Table:
    found = result.count
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("one decision, at most one order")
    table.add_column("", justify="right")
    begun = str(result.runs) if result.runs == plan.runs else f"{result.runs}, planned {plan.runs}"
    rows = (
        ("runs", begun),
        ("decisions", str(found.decisions)),
        ("orders at the broker", str(found.orders)),
        ("unknown, settled by evidence", str(found.unknown.by_evidence)),
        ("unknown, settled by the session's end", str(found.unknown.by_sessions_end)),
        ("unknown, settled by nobody", str(found.unknown.by_nobody)),
        ("  for how long: median, longest", _lasted(result)),
    )
    for name, value in rows:
        table.add_row(name, value)
    table.add_section()
    for name, broken in (
        ("duplicates", found.duplicates),
        ("lost from sight", found.lost),
        ("sold and not owned", found.sold_not_owned),
        ("runs that have not ended", found.runs_not_ended),
        ("orders that have not ended", found.orders_not_ended),
    ):
        table.add_row(name, Text(str(len(broken)), "bold red" if broken else "green"))
    return table


def _lasted(result: Result) -> str:
    unknown = result.count.unknown
    if unknown.median_seconds is None:
        return "-"
    return f"{unknown.median_seconds:g} s, {unknown.max_seconds:g} s"


def _say_what_did_not_happen(console: Console, plan: Plan, result: Result) -> None:
    missing = Counter(each.kind for each in plan.injections if each.id not in result.fired)
    if missing:
        named = ", ".join(kind if n == 1 else f"{kind} ({n})" for kind, n in missing.items())
        over = " or its wave" if result.runs < plan.runs else ""
        text = f"planned and not fired, for what it waits for{over} did not come: {named}"
        console.print(Text(text, "yellow"), soft_wrap=True)
