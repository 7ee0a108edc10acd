"""`openbell orders`: orders as the journal knows them."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from scripts.command import group, print_json, run
from scripts.console import out
from scripts.show.moments import moments_of, zone_of
from scripts.show.stacked import Stacked
from scripts.show.words import flat, shares, styled, usd

if TYPE_CHECKING:
    from worker.models.order import OrderRecord
    from worker.runtime import Services

app = group("Orders as the journal knows them.")


@app.command("list")
def list_orders(
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Only this run's; `last` works too.")
    ] = None,
    only_open: Annotated[
        bool, typer.Option("--open", help="Only those that may still change.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List orders, the newest first.

    \b
    openbell orders list --open
    openbell orders list --run last --json
    """
    from scripts.access import open_services

    s = open_services()
    found = _found(s, run_id, only_open, limit)[:limit]
    if as_json:
        print_json([_listed(order) for order in found])
    elif not found:
        out.print("there is no such order" if run_id or only_open else "there is no order yet")
    else:
        _table(s, found).print_on(out)


def _found(
    s: "Services", run_id: str | None, only_open: bool, limit: int
) -> Sequence["OrderRecord"]:
    from scripts.access import find_run

    if run_id is not None:
        found = list(s.orders.of_run(find_run(s, run_id).run_id))
    elif only_open:
        return list(reversed(s.orders.open_orders()))
    else:
        return s.orders.recent(limit)
    return [order for order in reversed(found) if not (only_open and order.done)]


def _listed(order: "OrderRecord") -> dict[str, Any]:
    from scripts.access import short_account

    whole = order.to_json()
    intent = whole.pop("intent")
    account = short_account(intent.pop("account_id"))
    return {"coid": order.intent.coid, "account": account, **intent, **whole}


def _table(s: "Services", found: Sequence["OrderRecord"]) -> Stacked:
    table = Stacked(f"{zone_of(s)} time", "symbol", "order", ">limit", "state", ">filled", ">at")
    moments = cache(lambda run_id: moments_of(s, s.runs.get(run_id)))
    for order in found:
        intent = order.intent
        table.add_row(
            moments(intent.run_id).at(order.created_at)[:16],
            Text(intent.symbol, "bold"),
            f"{intent.side} {shares(intent.quantity)}",
            usd(intent.limit_price),
            styled(order.state),
            shares(order.filled_quantity),
            usd(order.average_price),
            below=[Text(f"run {intent.run_id}", "dim"), *_reasons(order)],
        )
    return table


def _reasons(order: "OrderRecord") -> list[Text]:
    return [Text(flat(reason), "dim") for reason in order.reasons]


if __name__ == "__main__":
    run(app)
